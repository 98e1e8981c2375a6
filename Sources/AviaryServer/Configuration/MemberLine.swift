import AviaryWire

/// Reads what stands behind `server.N=`.
///
/// `host:quorumPort:electionPort[:role]`, more of these after `|`, then `;[host:]clientPort`.
/// Source: QuorumPeer.QuorumServer, ZooKeeper 3.9.5.
enum MemberLine {
    /// Why a line cannot be used; reads on from the line.
    struct Mistake: Error, Hashable {
        var reason: String
    }

    private typealias Address = EnsembleConfiguration.QuorumAddress
    private typealias Client = EnsembleConfiguration.ClientAddress

    /// - Parameter allowsSeveral: whether `|` may stand between addresses.
    static func member(
        _ id: ServerID, _ text: String, allowsSeveral: Bool
    ) throws(Mistake) -> EnsembleConfiguration.Member {
        let halves = text.split(separator: ";", omittingEmptySubsequences: false)
        guard halves.count <= 2 else {
            throw Mistake(reason: "has more than one ; in it; write one, before the client port")
        }
        let parts = halves[0].split(separator: "|", omittingEmptySubsequences: false)
        guard parts.count == 1 || allowsSeveral else {
            throw Mistake(
                reason: "has several addresses; write multiAddress.enabled=true too, or keep one")
        }
        var addresses: [Address] = []
        var isObserver: Bool?
        for part in parts {
            let (address, role) = try Self.address(String(part))
            addresses.append(address)
            guard let role else { continue }
            guard isObserver == nil || isObserver == role else {
                throw Mistake(reason: "has two roles; write one, behind the last address")
            }
            isObserver = role
        }
        let member = EnsembleConfiguration.Member(
            id: id, addresses: addresses, isObserver: isObserver ?? false,
            clientAddress: halves.count == 2 ? try Self.client(String(halves[1])) : nil)
        let announced = addresses.map(\.electionText.utf8.count).reduce(addresses.count - 1, +)
        guard announced <= InitialMessage.maximumAddressLength else {
            throw Mistake(
                reason: "has addresses too long to announce; write shorter or fewer names, "
                    + "\(InitialMessage.maximumAddressLength) bytes in all")
        }
        return member
    }

    private static func address(
        _ text: String
    ) throws(Mistake) -> (Address, isObserver: Bool?) {
        let (host, rest) = try Self.host(of: text)
        guard rest.count == 2 || rest.count == 3 else {
            throw Mistake(
                reason: "has \(rest.count + 1) parts between colons where 3 or 4 belong; "
                    + "write host:2888:3888 or host:2888:3888:observer, "
                    + "an IPv6 address in brackets")
        }
        let quorum = try Self.port(
            rest[0], "quorum port", in: 1...65_535, example: "host:2888:3888")
        let election = try Self.port(
            rest[1], "election port", in: 1...65_535, example: "host:2888:3888")
        guard quorum != election else {
            throw Mistake(
                reason: "has one port for both quorum and election; write two, "
                    + "as in host:2888:3888")
        }
        return (
            Address(host: host, quorumPort: quorum, electionPort: election),
            isObserver: rest.count == 3 ? try Self.isObserver(rest[2]) : nil
        )
    }

    private static func isObserver(_ role: Substring) throws(Mistake) -> Bool {
        switch role.lowercased() {
        case "participant": false
        case "observer": true
        default:
            throw Mistake(
                reason: "has the role \"\(role.onOneLine)\", which is not known; "
                    + "write participant or observer")
        }
    }

    /// A port alone is for all interfaces.
    private static func client(_ text: String) throws(Mistake) -> Client {
        let example = "host:2888:3888;2181"
        guard text.contains(":") else {
            return Client(
                port: try Self.port(text[...], "client port", in: 0...65_535, example: example))
        }
        let (host, rest) = try Self.host(of: text)
        guard rest.count == 1 else {
            throw Mistake(
                reason: "has a client address that is not one; write \(example) or "
                    + "host:2888:3888;127.0.0.1:2181, an IPv6 address in brackets")
        }
        return Client(
            host: host,
            port: try Self.port(rest[0], "client port", in: 0...65_535, example: example))
    }

    /// The host without its brackets, and what the colons behind it part.
    private static func host(of text: String) throws(Mistake) -> (String, rest: [Substring]) {
        guard text.first == "[" else {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            let isName = !parts[0].unicodeScalars.contains {
                $0.value <= 0x20 || $0 == "[" || $0 == "]"
            }
            guard !parts[0].isEmpty && isName else {
                throw Mistake(
                    reason: "has \"\(parts[0].onOneLine)\" where a host belongs; write the name "
                        + "or address of a machine, as in zoo1.example.com:2888:3888")
            }
            return (String(parts[0]), Array(parts.dropFirst()))
        }
        let bracketed = text.dropFirst().prefix { $0 != "]" }
        guard HostText.isIPv6(String(bracketed)) else {
            throw Mistake(
                reason: "has no IPv6 address in its brackets; write one, as in "
                    + "[2001:db8::1]:2888:3888, and names without brackets")
        }
        let rest = text[bracketed.endIndex...].dropFirst()
        guard rest.first == ":" else {
            throw Mistake(reason: "has no port behind its brackets; write [\(bracketed)]:2888:3888")
        }
        return (
            String(bracketed),
            rest.dropFirst().split(separator: ":", omittingEmptySubsequences: false)
        )
    }

    private static func port(
        _ text: Substring, _ name: String, in range: ClosedRange<Int>, example: String
    ) throws(Mistake) -> Int {
        guard let port = Int(text), range.contains(port) else {
            throw Mistake(
                reason: "has \"\(text.onOneLine)\" where the \(name) belongs; write a number "
                    + "from \(range.lowerBound) to \(range.upperBound), as in \(example)")
        }
        return port
    }
}
