import AviaryWire

/// Reads the lines that name the members of an ensemble, from a `zoo.cfg` or a dynamic file.
///
/// Deviation: ZooKeeper takes two members with one address, groups with servers that are not
/// there or do not vote, and a group of no weight at all; here they are refused.
struct EnsembleReader {
    let file: String
    /// `multiAddress.enabled`.
    let allowsSeveralAddresses: Bool
    /// `extendedTypesEnabled`.
    let extendedTypes: Bool
    private(set) var warnings: [ConfigurationWarning] = []
    private var members: [EnsembleConfiguration.Member] = []
    private var weights: [ServerID: Int64] = [:]
    private var lines: [ServerID: Int] = [:]
    /// Which server and line has an address, and which the low byte of its number.
    private var holders: [String: (server: ServerID, line: Int)] = [:]
    private var groupEntries: [(group: EnsembleConfiguration.Group, entry: PropertiesText.Entry)] =
        []
    private var weightEntries: [(server: ServerID, entry: PropertiesText.Entry)] = []

    init(file: String, allowsSeveralAddresses: Bool, extendedTypes: Bool) {
        self.file = file
        self.allowsSeveralAddresses = allowsSeveralAddresses
        self.extendedTypes = extendedTypes
    }

    /// Whether a line with this key is about members.
    static func reads(_ key: String) -> Bool {
        ["server.", "group.", "weight."].contains { key.hasPrefix($0) }
    }

    /// - Parameter entries: with keys that `reads` accepts, trimmed.
    mutating func read(
        _ entries: [PropertiesText.Entry], version: Zxid
    ) throws(ConfigurationError) -> EnsembleConfiguration {
        for entry in entries {
            if entry.key.hasPrefix("server.") {
                try takeMember(entry)
            } else if entry.key.hasPrefix("group.") {
                try takeGroup(entry)
            } else {
                try takeWeight(entry)
            }
        }
        try checkGroups()
        try checkWeights()
        let ensemble = EnsembleConfiguration(
            members: members, groups: groupEntries.map(\.group), weights: weights,
            version: version)
        guard ensemble.text.bytes.count <= Self.longestText else {
            throw ConfigurationError(
                file: file, line: nil,
                reason: "the list of members is too long to travel in a vote; shorten it to "
                    + "\(Self.longestText) bytes")
        }
        return ensemble
    }

    /// What a vote leaves of its frame.
    private static let longestText = Notification.maximumLength - 44

    // MARK: Members

    private mutating func takeMember(
        _ entry: PropertiesText.Entry
    ) throws(ConfigurationError) {
        let id = try server(entry)
        if let line = lines[id] {
            throw refusal(
                entry,
                "is a second line for server \(id), after line \(line); "
                    + "give each member a number of its own")
        }
        let member: EnsembleConfiguration.Member
        do throws(MemberLine.Mistake) {
            member = try MemberLine.member(
                id, entry.value, allowsSeveral: allowsSeveralAddresses)
        } catch {
            throw refusal(entry, error.reason)
        }
        lines[id] = entry.line
        try claim("the last eight bits of its number", "low byte \(id.rawValue & 0xff)", id, entry)
        for endpoint in member.endpoints { try claim(endpoint, endpoint, id, entry) }
        members.append(member)
    }

    /// Source: QuorumPeerConfig.checkValidity, ZooKeeper 3.9.5, for extended types.
    private func server(_ entry: PropertiesText.Entry) throws(ConfigurationError) -> ServerID {
        guard let number = Int64(entry.key.dropFirst("server.".count)) else {
            throw refusal(
                entry, "has no number for its server; write server.1=host:2888:3888")
        }
        guard 0..<Int64.max ~= number else {
            throw refusal(
                entry, "has a number that cannot be a server's; write one from 1 to 254")
        }
        guard number <= Self.highestExtended || !extendedTypes else {
            throw refusal(
                entry,
                "has a number above \(Self.highestExtended), which "
                    + "extendedTypesEnabled=true does not allow; write one from 1 to 254")
        }
        return ServerID(number)
    }

    /// Above it, session ids look like those of nodes with a time to live.
    private static let highestExtended: Int64 = 254

    /// Nobody but this server may have the key.
    private mutating func claim(
        _ name: String, _ key: String, _ server: ServerID, _ entry: PropertiesText.Entry
    ) throws(ConfigurationError) {
        guard let holder = holders[key] else {
            holders[key] = (server, entry.line)
            return
        }
        guard holder.server != server else {
            throw refusal(entry, "names \(name) twice; give it another host or port")
        }
        let isAddress = name == key
        throw refusal(
            entry,
            "shares \(name) with server \(holder.server) on line \(holder.line); "
                + (isAddress
                    ? "give it another host or port"
                    : "their sessions could get the same id; write a number from 1 to 254"))
    }

    // MARK: Groups

    private mutating func takeGroup(_ entry: PropertiesText.Entry) throws(ConfigurationError) {
        guard let id = Int64(entry.key.dropFirst("group.".count)) else {
            throw refusal(entry, "has no number for its group; write group.1=1:2:3")
        }
        if let other = groupEntries.first(where: { $0.group.id == id }) {
            throw refusal(
                entry,
                "is a second line for group \(id), after line \(other.entry.line); "
                    + "write its servers on one line, as in group.1=1:2:3")
        }
        var servers: [ServerID] = []
        for part in entry.value.split(separator: ":", omittingEmptySubsequences: false) {
            guard let number = Int64(part) else {
                throw refusal(
                    entry,
                    "has \"\(part.onOneLine)\" where the number of a server belongs; "
                        + "write group.\(id)=1:2:3")
            }
            servers.append(ServerID(number))
        }
        groupEntries.append((EnsembleConfiguration.Group(id: id, servers: servers), entry))
    }

    private mutating func takeWeight(_ entry: PropertiesText.Entry) throws(ConfigurationError) {
        guard let number = Int64(entry.key.dropFirst("weight.".count)) else {
            throw refusal(entry, "has no number for its server; write weight.1=1")
        }
        let server = ServerID(number)
        if let other = weightEntries.first(where: { $0.server == server }) {
            throw refusal(
                entry,
                "is a second weight of server \(number), after line \(other.entry.line); "
                    + "keep one of them")
        }
        guard let weight = Int64(entry.value), 0...Int64(Int32.max) ~= weight else {
            throw refusal(
                entry,
                "is not a weight; write a whole number from 0 to \(Int32.max), "
                    + "as in weight.\(number)=1")
        }
        weights[server] = weight
        weightEntries.append((server, entry))
    }

    /// Every voter is in one group, and nobody else is in any.
    private func checkGroups() throws(ConfigurationError) {
        guard let last = groupEntries.last?.entry else { return }
        var homes: [ServerID: PropertiesText.Entry] = [:]
        for (group, entry) in groupEntries {
            for server in group.servers {
                try checkVotes(server, entry)
                if let home = homes[server] {
                    throw refusal(
                        entry,
                        "has server \(server), which is on line \(home.line) already; "
                            + "write each server once, in one group")
                }
                homes[server] = entry
            }
        }
        for member in members where !member.isObserver && homes[member.id] == nil {
            throw ConfigurationError(
                file: file, line: lines[member.id],
                reason: "server.\(member.id) is in no group; add it to one, "
                    + "as in \(last.key)=\(last.value):\(member.id)")
        }
        guard homes.keys.contains(where: { weights[$0] != 0 }) else {
            throw refusal(
                last,
                "and the other groups weigh nothing, so that nobody could decide; "
                    + "give a server a weight above 0")
        }
    }

    private mutating func checkWeights() throws(ConfigurationError) {
        for (server, entry) in weightEntries {
            guard !groupEntries.isEmpty else {
                throw refusal(
                    entry,
                    "is a weight without groups; write every server that votes into one, "
                        + "as in group.1=1:2:3, or take the weights out")
            }
            guard let member = members.first(where: { $0.id == server }) else {
                throw refusal(
                    entry,
                    "is for server \(server), which is not listed; "
                        + "write a line server.\(server)=host:2888:3888, or take it out")
            }
            if member.isObserver {
                warn(entry, "has no effect, as server \(server) is an observer")
            }
        }
    }

    private func checkVotes(
        _ server: ServerID, _ entry: PropertiesText.Entry
    ) throws(ConfigurationError) {
        guard let member = members.first(where: { $0.id == server }) else {
            throw refusal(
                entry,
                "has server \(server), which is not listed; write a line "
                    + "server.\(server)=host:2888:3888, or take it out of the group")
        }
        guard !member.isObserver else {
            throw refusal(
                entry,
                "has server \(server), which is an observer and does not vote; take it out of the group"
            )
        }
    }

    private func refusal(_ entry: PropertiesText.Entry, _ reason: String) -> ConfigurationError {
        ConfigurationError(file: file, entry, reason)
    }

    private mutating func warn(_ entry: PropertiesText.Entry, _ message: String) {
        warnings.append(
            ConfigurationWarning(
                file: file, line: entry.line, key: entry.key.onOneLine, message: message))
    }
}

extension EnsembleConfiguration.Member {
    /// Every address that no other member can have too, as text to compare.
    ///
    /// A client address that is another machine's for each that reads it says nothing.
    fileprivate var endpoints: [String] {
        let quorum = addresses.flatMap {
            [
                HostText.text($0.host.lowercased(), ports: $0.quorumPort),
                HostText.text($0.host.lowercased(), ports: $0.electionPort),
            ]
        }
        guard let client = clientAddress, !HostText.isWildcard(canonical: client.host),
            !HostText.isLoopback(canonical: client.host)
        else { return quorum }
        return quorum + [HostText.text(client.host.lowercased(), ports: client.port)]
    }
}
