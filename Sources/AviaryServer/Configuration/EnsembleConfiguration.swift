package import AviaryWire
package import Zab

/// The members of an ensemble, and which of them decide: the part of a configuration that all
/// members share.
package struct EnsembleConfiguration: Sendable, Hashable {
    package struct Member: Sendable, Hashable {
        package let id: ServerID
        /// One or more, in the order of their text.
        package let addresses: [QuorumAddress]
        /// Hears what is decided, and decides nothing.
        package let isObserver: Bool
        /// Where clients connect, if the member's line says so.
        package let clientAddress: ClientAddress?

        /// - Precondition: there is an address.
        package init(
            id: ServerID, addresses: [QuorumAddress], isObserver: Bool = false,
            clientAddress: ClientAddress? = nil
        ) {
            precondition(!addresses.isEmpty, "a member can be reached")
            self.id = id
            self.addresses = addresses.sorted {
                ($0.host, $0.quorumPort, $0.electionPort)
                    < ($1.host, $1.quorumPort, $1.electionPort)
            }
            self.isObserver = isObserver
            self.clientAddress = clientAddress
        }
    }

    /// Where other members connect.
    package struct QuorumAddress: Sendable, Hashable {
        /// A name or an address, without brackets; IPv6 in Java's form.
        package let host: String
        package let quorumPort: Int
        package let electionPort: Int

        package init(host: String, quorumPort: Int, electionPort: Int) {
            self.host = HostText.canonical(host)
            self.quorumPort = quorumPort
            self.electionPort = electionPort
        }

        /// As in an election's initial message.
        package var electionText: String { HostText.text(host, ports: electionPort) }
    }

    package struct ClientAddress: Sendable, Hashable {
        /// A name or an address, without brackets; `0.0.0.0` for all interfaces.
        package let host: String
        package let port: Int

        package init(host: String = "0.0.0.0", port: Int) {
            self.host = HostText.canonical(host)
            self.port = port
        }
    }

    /// Of a hierarchical quorum.
    package struct Group: Sendable, Hashable {
        package let id: Int64
        /// Sorted.
        package let servers: [ServerID]

        package init(id: Int64, servers: [ServerID]) {
            self.id = id
            self.servers = servers.sorted()
        }
    }

    /// Sorted by id.
    package let members: [Member]
    /// Sorted by id; empty: a majority of the voters decides.
    package let groups: [Group]
    /// Empty without groups; with them, what every voter weighs, and what observers are said to.
    package let weights: [ServerID: Int64]
    /// The zxid of the change that made it; zero: it is as an operator wrote it.
    package let version: Zxid

    /// - Parameter weights: what is not 1. Without groups they mean nothing.
    package init(
        members: [Member], groups: [Group] = [], weights: [ServerID: Int64] = [:],
        version: Zxid = .zero
    ) {
        self.members = members.sorted { $0.id < $1.id }
        self.groups = groups.sorted { $0.id < $1.id }
        var all = groups.isEmpty ? [:] : weights
        for member in members where !member.isObserver && !groups.isEmpty {
            all[member.id] = weights[member.id] ?? 1
        }
        self.weights = all
        self.version = version
    }

    /// The members that are not observers, sorted.
    package var voters: [ServerID] { members.filter { !$0.isObserver }.map(\.id) }

    /// - Complexity: O(*n*) in the number of members.
    package func member(_ id: ServerID) -> Member? { members.first { $0.id == id } }

    /// Which voters may decide for all.
    ///
    /// - Precondition: there is a voter, and every voter is in one group if there are groups.
    package var verifier: QuorumVerifier {
        if groups.isEmpty { return QuorumVerifier(majorityOf: voters) }
        return QuorumVerifier(
            groups: groups.map { group in
                QuorumVerifier.Group(group.servers.map { .init($0, weight: weights[$0] ?? 1) })
            })
    }

    /// As members send it to each other, and as `/zookeeper/config` holds it.
    ///
    /// Source: QuorumMaj.toString and QuorumHierarchical.toString, ZooKeeper 3.9.5.
    package var text: ByteString {
        let lines =
            members.map { "server.\($0.id)=\($0.text)" }
            + groups.map { group in
                "group.\(group.id)=" + group.servers.map(\.description).joined(separator: ":")
            }
            + weights.sorted { $0.key < $1.key }.map { "weight.\($0.key)=\($0.value)" }
            + ["version=\(version.hexadecimal)"]
        return ByteString(lines.joined(separator: "\n"))
    }
}

extension EnsembleConfiguration.Member {
    /// What stands behind `server.N=`.
    ///
    /// Source: QuorumPeer.QuorumServer.toString, ZooKeeper 3.9.5.
    package var text: String {
        let addresses = addresses.map {
            HostText.text($0.host, ports: $0.quorumPort, $0.electionPort)
        }
        let role = isObserver ? "observer" : "participant"
        let client = clientAddress.map { ";" + HostText.text($0.host, ports: $0.port) } ?? ""
        return addresses.joined(separator: "|") + ":" + role + client
    }
}
