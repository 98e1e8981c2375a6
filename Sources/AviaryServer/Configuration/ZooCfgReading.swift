import AviaryStorage

/// A configuration in the making. Until it is finished, -1 stands for "not set", as in ZooKeeper.
struct ZooCfgReading {
    let file: String
    var configuration: ServerConfiguration
    var warnings: [ConfigurationWarning] = []
    /// Where each key that counts stands.
    var lines: [String: Int] = [:]
    /// The lines about members.
    var memberEntries: [PropertiesText.Entry] = []

    init(file: String) {
        self.file = file
        self.configuration = ServerConfiguration(dataDir: "", clientPort: -1)
        configuration.dataLogDir = ""
        configuration.minSessionTimeoutMilliseconds = -1
        configuration.maxSessionTimeoutMilliseconds = -1
    }

    mutating func take(_ entries: [PropertiesText.Entry]) throws(ConfigurationError) {
        memberEntries = entries.filter { EnsembleReader.reads($0.key) }
        let others = entries.filter { !EnsembleReader.reads($0.key) }.map {
            PropertiesText.Entry(
                key: Setting.canonicalName(of: $0.key), value: $0.value, line: $0.line)
        }
        var lastIndex: [String: Int] = [:]
        for (index, entry) in others.enumerated() { lastIndex[entry.key] = index }
        for (index, entry) in others.enumerated() {
            if let line = lines[entry.key] {
                warn(entry, "replaces the value given on line \(line)")
            }
            lines[entry.key] = entry.line
            if lastIndex[entry.key] == index { try take(entry) }
        }
    }

    private mutating func take(_ entry: PropertiesText.Entry) throws(ConfigurationError) {
        if let setting = Setting.all[entry.key] {
            if entry.value.isEmpty, let example = setting.example {
                throw refusal(entry, "has no value; write \(entry.key)=\(example)")
            }
            let before = configuration.quorum
            try apply(setting, entry)
            if let message = Setting.unheeded[entry.key], configuration.quorum != before {
                warn(entry, message)
            }
        } else if entry.key == "superUser" || entry.key.hasPrefix("superUser.") {
            configuration.security.superUsers.append(entry.value)
        } else if entry.key.hasPrefix("authProvider.") {
            takeProvider(entry)
        } else if RefusedKeys.contains(entry.key) {
            if let reason = RefusedKeys.reason(entry.key, entry.value) {
                throw refusal(entry, reason)
            }
        } else if InertKeys.contains(entry.key) {
            warn(entry, Setting.inert)
        } else if let meant = Setting.name(meantBy: entry.key) {
            warn(entry, "is not a key of zoo.cfg and is ignored; \(meant) may be meant")
        } else {
            warn(entry, "is not a key of zoo.cfg and is ignored")
        }
    }

    private mutating func apply(
        _ setting: Setting, _ entry: PropertiesText.Entry
    ) throws(ConfigurationError) {
        switch setting {
        case .number(let field, let range, let unit, let example):
            configuration[keyPath: field] = try number(entry, range, unit, example)
        case .raisedNumber(let field, let least, let example):
            let given = try number(entry, 0...Int(Int32.max), "a whole number", example)
            configuration[keyPath: field] = max(given, least)
            if given < least { warn(entry, "is raised from \(given) to \(least), the least") }
        case .fraction(let field, let example):
            guard let value = Double(entry.value), (0...1).contains(value) else {
                throw refusal(
                    entry, "is not a number from 0 to 1; write it as in \(entry.key)=\(example)")
            }
            configuration[keyPath: field] = value
        case .boolean(let field):
            configuration[keyPath: field] = try choice(entry, yes: "true", no: "false")
        case .yesOrNo(let field):
            configuration[keyPath: field] = try choice(entry, yes: "yes", no: "no")
        case .text(let field, _):
            configuration[keyPath: field] = entry.value
        case .optionalText(let field, _):
            configuration[keyPath: field] = entry.value
        case .directory(let field, _):
            configuration[keyPath: field] = entry.value.withoutSlashesAtEnd
        case .whitelist:
            configuration.fourLetterWords = FourLetterWordWhitelist(commaSeparated: entry.value)
        case .snapshotCompression:
            guard let compression = SnapshotCompression(rawValue: entry.value) else {
                throw refusal(entry, "is not known; write gz or snappy, or nothing for neither")
            }
            configuration.snapshotCompression = compression
        case .digestAlgorithm:
            guard let algorithm = DigestAlgorithm(javaName: entry.value) else {
                let known = DigestAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")
                throw refusal(entry, "is not a digest that is known; write one of \(known)")
            }
            configuration.security.digestAlgorithm = algorithm
        case .snapshotSizeFactor:
            configuration.quorum.snapshotSizeFactor = try sizeFactor(entry)
        case .peerType:
            configuration.quorum.peerType = try peerType(entry)
        }
    }

    private func peerType(
        _ entry: PropertiesText.Entry
    ) throws(ConfigurationError) -> QuorumConfiguration.PeerType {
        guard let type = QuorumConfiguration.PeerType(rawValue: entry.value.lowercased()) else {
            throw refusal(entry, "is neither participant nor observer; write one of them")
        }
        return type
    }

    /// Source: ZKDatabase.setSnapshotSizeFactor, ZooKeeper 3.9.5.
    private mutating func sizeFactor(
        _ entry: PropertiesText.Entry
    ) throws(ConfigurationError) -> Double {
        guard let value = Double(entry.value), value.isFinite else {
            throw refusal(
                entry,
                "is not a number; write one from 0 to 1, as in \(entry.key)=0.33, "
                    + "or -1 for never")
        }
        if value <= 1 { return value }
        warn(entry, "is above 1, so that it is \(QuorumConfiguration.defaultSnapshotSizeFactor)")
        return QuorumConfiguration.defaultSnapshotSizeFactor
    }

    private mutating func takeProvider(_ entry: PropertiesText.Entry) {
        if let provider = SecurityConfiguration.Provider(rawValue: entry.value) {
            configuration.security.providers.insert(provider)
        } else {
            warn(entry, "names a provider that Aviary does not have; its identities match nobody")
        }
    }
}

// MARK: - What depends on more than one key

extension ZooCfgReading {
    mutating func finish(readFile: ZooCfg.ReadFile) throws(ConfigurationError) {
        guard !configuration.dataDir.isEmpty else {
            throw missing("dataDir", example: "/var/lib/aviary")
        }
        if configuration.dataLogDir.isEmpty { configuration.dataLogDir = configuration.dataDir }
        try finishEnsemble(readFile: readFile)
        try finishSessionTimeouts()
        if let mistake = configuration.security.mistakeInRequiredSchemes {
            throw ConfigurationError(file: file, line: nil, reason: mistake)
        }
        if configuration.security.shutsEveryoneOut {
            let key =
                configuration.security.sessionRequireClientSASLAuth
                ? "sessionRequireClientSASLAuth" : "enforce.auth.schemes"
            let advice = SecurityConfiguration.saslAdvice
            warn(lines[key] ?? 1, key, "asks for SASL, and no client can do it; \(advice)")
        }
        if configuration.admin.enableServer, let line = lines["admin.enableServer"] {
            warn(line, "admin.enableServer", "is on, but the admin server is not there yet")
        }
    }

    private mutating func finishSessionTimeouts() throws(ConfigurationError) {
        let tick = configuration.tickTimeMilliseconds
        if configuration.minSessionTimeoutMilliseconds == -1 {
            configuration.minSessionTimeoutMilliseconds = ServerConfiguration.minTicks * tick
        }
        if configuration.maxSessionTimeoutMilliseconds == -1 {
            configuration.maxSessionTimeoutMilliseconds = ServerConfiguration.maxTicks * tick
        }
        let shortest = configuration.minSessionTimeoutMilliseconds
        let longest = configuration.maxSessionTimeoutMilliseconds
        guard shortest <= longest else {
            throw ConfigurationError(
                file: file,
                line: [lines["minSessionTimeout"], lines["maxSessionTimeout"]]
                    .compactMap { $0 }.max(),
                reason: "minSessionTimeout (\(shortest)) is above maxSessionTimeout "
                    + "(\(longest)); unless set they are \(ServerConfiguration.minTicks) and "
                    + "\(ServerConfiguration.maxTicks) times tickTime; lower the one or raise "
                    + "the other")
        }
    }
}
