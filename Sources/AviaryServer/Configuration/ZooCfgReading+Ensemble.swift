import AviaryWire

/// Which members there are, and which of them this server is.
extension ZooCfgReading {
    /// Decides whether the server is standalone, and where it listens to clients.
    mutating func finishEnsemble(readFile: ZooCfg.ReadFile) throws(ConfigurationError) {
        try checkIntervals()
        let (members, file) = try members(readFile: readFile)
        guard try isEnsemble(members, file) else {
            if let line = lines["peerType"], configuration.quorum.peerType == .observer {
                warn(line, "peerType", "has no effect on a standalone server")
            }
            return try finishClientAddress(members.members.first?.clientAddress)
        }
        configuration.ensemble = members
        try checkLimits()
        configuration.server = try serverID(members, file, readFile: readFile)
        guard let own = members.member(configuration.server) else { return }
        try checkClientAddress(of: own)
        try finishClientAddress(own.clientAddress)
        warnAbout(own, among: members)
    }

    // MARK: The list of members

    /// - Returns: what is listed, be it nobody, and the file that lists it.
    private mutating func members(
        readFile: ZooCfg.ReadFile
    ) throws(ConfigurationError) -> (EnsembleConfiguration, file: String) {
        guard let path = configuration.quorum.dynamicConfigFile else {
            return (try read(memberEntries, file: file, version: .zero), file)
        }
        if let entry = memberEntries.first {
            throw refusal(entry, "belongs into \(path), which dynamicConfigFile names; move it")
        }
        try checkNothingIsPending(readFile: readFile)
        let text: String
        do throws(TextFileError) {
            text = try readFile(path)
        } catch {
            throw ConfigurationError(
                file: file, line: lines["dynamicConfigFile"],
                reason: "dynamicConfigFile=\(path.onOneLine) \(error.reason); write the members "
                    + "there, or as server.N lines here, without dynamicConfigFile")
        }
        let entries = try ZooCfg.entries(of: text, file: path)
        for entry in entries { try checkIsDynamic(entry, path) }
        return (try read(entries, file: path, version: Self.version(inName: path)), path)
    }

    private mutating func read(
        _ entries: [PropertiesText.Entry], file: String, version: Zxid
    ) throws(ConfigurationError) -> EnsembleConfiguration {
        var reader = EnsembleReader(
            file: file, allowsSeveralAddresses: configuration.quorum.multiAddressEnabled,
            extendedTypes: configuration.extendedTypesEnabled)
        let ensemble = try reader.read(entries, version: version)
        warnings += reader.warnings
        return ensemble
    }

    private func checkIsDynamic(
        _ entry: PropertiesText.Entry, _ path: String
    ) throws(ConfigurationError) {
        if EnsembleReader.reads(entry.key) { return }
        let advice =
            entry.key == "version"
            ? "is in the name of a dynamic file, not in it; take the line out"
            : "does not belong into a dynamic file, which has lines of server, group and weight "
                + "only; move it to \(file)"
        throw ConfigurationError(file: path, entry, advice)
    }

    /// What follows the last dot of the name, if it is hexadecimal; else zero.
    ///
    /// It counts without `reconfigEnabled` too: a leader turns members away whose version is above
    /// its own. Source: QuorumPeerConfig.getVersionFromFilename, ZooKeeper 3.9.5.
    private static func version(inName path: String) -> Zxid {
        let name = path.split(separator: "/").last ?? ""
        guard let dot = name.lastIndex(of: ".") else { return .zero }
        let digits = name[name.index(after: dot)...]
        guard digits.first?.isHexDigit == true else { return .zero }
        return Int64(digits, radix: 16).map { Zxid($0) } ?? .zero
    }

    /// A change of members that was proposed binds a server even if it has not been decided.
    private func checkNothingIsPending(readFile: ZooCfg.ReadFile) throws(ConfigurationError) {
        let path = "\(file).dynamic.next"
        do throws(TextFileError) {
            _ = try readFile(path)
        } catch {
            if error.isMissing { return }
            throw ConfigurationError(file: path, line: nil, reason: error.reason)
        }
        throw ConfigurationError(
            file: path, line: nil,
            reason: "holds a change of members that is not decided, which Aviary cannot go on with "
                + "yet; let ZooKeeper finish it, or move the file away if every member agrees "
                + "on the old list")
    }

    // MARK: Standalone or not

    /// Source: QuorumPeerConfig.parseDynamicConfig and isDistributed, ZooKeeper 3.9.5.
    private func isEnsemble(
        _ members: EnsembleConfiguration, _ file: String
    ) throws(ConfigurationError) -> Bool {
        let voters = members.voters.count
        if configuration.quorum.standaloneEnabled && voters <= 1 {
            guard members.members.count == voters else {
                let count = voters == 0 ? "no voter" : "one voter"
                throw ConfigurationError(
                    file: file, line: nil,
                    reason: "observers are listed with \(count), which alone is a standalone "
                        + "server; take them out, list three voters, or write "
                        + "standaloneEnabled=false")
            }
            return false
        }
        guard voters > 0 else {
            throw ConfigurationError(
                file: self.file, line: lines["standaloneEnabled"],
                reason: "standaloneEnabled=false asks for an ensemble, and no voter is listed; "
                    + "write a line as server.1=host:2888:3888 for each, or take this one out")
        }
        return true
    }

    private func checkLimits() throws(ConfigurationError) {
        for (key, value, example) in [
            ("initLimit", configuration.initLimit, 10), ("syncLimit", configuration.syncLimit, 5),
        ] where value == 0 {
            throw ConfigurationError(
                file: file, line: lines[key],
                reason: "\(key) is not set, which an ensemble needs; "
                    + "write a line as \(key)=\(example)")
        }
    }

    private func checkIntervals() throws(ConfigurationError) {
        let shortest = configuration.quorum.minNotificationIntervalMilliseconds
        let longest = configuration.quorum.maxNotificationIntervalMilliseconds
        guard shortest <= longest else {
            let keys = ["fastleader.minNotificationInterval", "fastleader.maxNotificationInterval"]
            throw ConfigurationError(
                file: file, line: keys.compactMap { lines[$0] }.max(),
                reason: "\(keys[0]) (\(shortest)) is above \(keys[1]) (\(longest)); "
                    + "lower the one or raise the other")
        }
    }

    // MARK: This server

    private func serverID(
        _ members: EnsembleConfiguration, _ membersFile: String, readFile: ZooCfg.ReadFile
    ) throws(ConfigurationError) -> ServerID {
        let path = "\(configuration.dataDir)/myid"
        let text: String
        do throws(TextFileError) {
            text = try readFile(path)
        } catch {
            let example = members.members.first?.id.rawValue ?? 1
            throw ConfigurationError(
                file: path, line: nil,
                reason: "\(error.reason); it holds the number of this server's line in "
                    + "\(membersFile): write it with: echo \(example) > \(path)")
        }
        let known = members.members.map(\.id.description).joined(separator: ", ")
        let line = String(text.prefix { !$0.isNewline }).trimmed
        guard let number = Int64(line) else {
            throw ConfigurationError(
                file: path, line: 1,
                reason: "\"\(line.prefix(40).onOneLine)\" is not the number of a server; write "
                    + "that of this server's line in \(membersFile), one of \(known)")
        }
        guard members.member(ServerID(number)) != nil else {
            throw ConfigurationError(
                file: path, line: 1,
                reason: "\(number) is not in the list of members in \(membersFile), which are "
                    + "\(known); write one of these, or add a line "
                    + "server.\(number)=host:2888:3888")
        }
        return ServerID(number)
    }

    private mutating func warnAbout(
        _ own: EnsembleConfiguration.Member, among members: EnsembleConfiguration
    ) {
        let role: QuorumConfiguration.PeerType = own.isObserver ? .observer : .participant
        if let peerType = configuration.quorum.peerType, peerType != role {
            warn(
                lines["peerType"] ?? 1, "peerType",
                "is \(peerType), but server.\(own.id) is listed as \(role), which counts")
        }
        guard members.groups.isEmpty else { return }
        let voters = members.voters.count
        let line = lines["dynamicConfigFile"] ?? memberEntries.first?.line ?? 1
        if voters == 2 {
            warn(
                line, "server",
                "is written for two voters, and both are needed: list three, so that one may fail")
        } else if voters.isMultiple(of: 2) {
            warn(
                line, "server",
                "is written for \(voters) voters, of which no more may fail than of "
                    + "\(voters - 1): list one less or one more")
        }
    }

    // MARK: Where clients connect

    /// What `zoo.cfg` and the list of members say must not contradict.
    ///
    /// Source: QuorumPeerConfig.setupClientPort, ZooKeeper 3.9.5.
    /// Deviation: names are not looked up, so that two that differ are only warned about.
    private mutating func checkClientAddress(
        of own: EnsembleConfiguration.Member
    ) throws(ConfigurationError) {
        guard let listed = own.clientAddress, configuration.clientPort != -1 else { return }
        guard configuration.clientPort == listed.port else {
            throw contradiction(
                "clientPort", "\(configuration.clientPort)", "\(listed.port)", own)
        }
        guard let address = configuration.clientPortAddress else { return }
        let host = HostText.canonical(address.withoutBrackets)
        if HostText.isWildcard(canonical: host) || host == listed.host { return }
        guard !HostText.isAddress(host) || !HostText.isAddress(listed.host) else {
            throw contradiction("clientPortAddress", address, listed.host, own)
        }
        warn(
            lines["clientPortAddress"] ?? 1, "clientPortAddress",
            "is \(address.onOneLine), and the line server.\(own.id) has \(listed.host); "
                + "the first counts here")
    }

    private func contradiction(
        _ key: String, _ given: String, _ listed: String, _ own: EnsembleConfiguration.Member
    ) -> ConfigurationError {
        ConfigurationError(
            file: file, line: lines[key],
            reason: "\(key)=\(given.onOneLine) contradicts \(listed) in the line "
                + "server.\(own.id)=\(own.text); write one of the two, or the same in both")
    }

    private mutating func finishClientAddress(
        _ listed: EnsembleConfiguration.ClientAddress?
    ) throws(ConfigurationError) {
        if configuration.clientPort == -1 {
            guard let listed else { throw missing("clientPort", example: "2181") }
            configuration.clientPort = listed.port
            let isEverywhere = HostText.isWildcard(canonical: listed.host)
            if configuration.clientPortAddress == nil && !isEverywhere {
                configuration.clientPortAddress = listed.host
            }
        }
        configuration.clientPortAddress = configuration.clientPortAddress?.withoutBrackets
    }
}
