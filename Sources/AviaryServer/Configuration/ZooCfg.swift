import AviaryStorage

/// Reads the text of a `zoo.cfg`.
///
/// Later entries replace earlier ones. What ZooKeeper takes from the Java command line only
/// (`jute.maxbuffer`) may stand in the file too. Source: QuorumPeerConfig.parseProperties,
/// ZooKeeper 3.9.5.
///
/// Deviation: ZooKeeper falls back to the default where a system property is not a number, and
/// keeps quiet about keys it does not know; here the first is refused, the second warned about.
package enum ZooCfg {
    /// - Parameter file: what messages call the text.
    package static func parse(
        _ text: String, file: String
    ) throws(ConfigurationError) -> (ServerConfiguration, warnings: [ConfigurationWarning]) {
        let entries: [PropertiesText.Entry]
        do throws(PropertiesText.SyntaxError) {
            entries = try PropertiesText.entries(of: text)
        } catch {
            throw ConfigurationError(file: file, line: error.line, reason: error.reason)
        }
        var reading = Reading(file: file)
        try reading.take(entries)
        try reading.finish()
        return (reading.configuration, reading.warnings)
    }
}

/// A configuration in the making. Until it is finished, -1 stands for "not set", as in ZooKeeper.
private struct Reading {
    let file: String
    var configuration: ServerConfiguration
    var warnings: [ConfigurationWarning] = []
    /// Where each key that counts stands.
    private var lines: [String: Int] = [:]
    private var server: PropertiesText.Entry?

    init(file: String) {
        self.file = file
        self.configuration = ServerConfiguration(dataDir: "", clientPort: -1)
        configuration.dataLogDir = ""
        configuration.minSessionTimeoutMilliseconds = -1
        configuration.maxSessionTimeoutMilliseconds = -1
    }

    mutating func take(_ entries: [PropertiesText.Entry]) throws(ConfigurationError) {
        let trimmed = entries.map {
            PropertiesText.Entry(key: $0.key.trimmed, value: $0.value.trimmed, line: $0.line)
        }
        var lastIndex: [String: Int] = [:]
        for (index, entry) in trimmed.enumerated() { lastIndex[entry.key] = index }
        for (index, entry) in trimmed.enumerated() {
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
            try apply(setting, entry)
        } else if entry.key.hasPrefix("server.") {
            try takeServer(entry)
        } else if entry.key == "superUser" || entry.key.hasPrefix("superUser.") {
            configuration.security.superUsers.append(entry.value)
        } else if entry.key.hasPrefix("authProvider.") {
            takeProvider(entry)
        } else if Self.needingTLS.contains(entry.key) && entry.value != "false" {
            throw refusal(
                entry,
                "asks for TLS, which Aviary does not have yet; take the line out, and keep "
                    + "the port on a network that is trusted")
        } else if entry.key == "dynamicConfigFile" {
            throw refusal(entry, "names the members of an ensemble; \(noEnsembles)")
        } else if InertKeys.contains(entry.key) {
            warn(entry, "has no effect in Aviary yet")
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
        }
    }

    private static let needingTLS: Set<String> = [
        "secureClientPort", "sslQuorum", "client.portUnification",
    ]

    private mutating func takeProvider(_ entry: PropertiesText.Entry) {
        if let provider = SecurityConfiguration.Provider(rawValue: entry.value) {
            configuration.security.providers.insert(provider)
        } else {
            warn(entry, "names a provider that Aviary does not have; its identities match nobody")
        }
    }

    /// One member is a standalone server, as in ZooKeeper; its line may carry the client port.
    private mutating func takeServer(_ entry: PropertiesText.Entry) throws(ConfigurationError) {
        guard Int64(entry.key.dropFirst("server.".count)) != nil else {
            throw refusal(entry, "has no number for its server; write server.1=host:2888:3888")
        }
        guard server == nil else {
            throw refusal(entry, "is a second member; \(noEnsembles)")
        }
        server = entry
    }
}

// MARK: - What depends on more than one key

extension Reading {
    mutating func finish() throws(ConfigurationError) {
        guard !configuration.dataDir.isEmpty else {
            throw missing("dataDir", example: "/var/lib/aviary")
        }
        if configuration.dataLogDir.isEmpty { configuration.dataLogDir = configuration.dataDir }
        try finishClientAddress()
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

    private mutating func finishClientAddress() throws(ConfigurationError) {
        if configuration.clientPort == -1 {
            if let server { try takeClientAddress(of: server) }
            guard configuration.clientPort != -1 else {
                throw missing("clientPort", example: "2181")
            }
        }
        configuration.clientPortAddress = configuration.clientPortAddress?.withoutBrackets
    }

    /// Reads `;[address:]port` at the end of a server line.
    private mutating func takeClientAddress(
        of server: PropertiesText.Entry
    ) throws(ConfigurationError) {
        guard let semicolon = server.value.lastIndex(of: ";") else { return }
        let client = server.value[server.value.index(after: semicolon)...]
        let colon = client.lastIndex(of: ":")
        let port = colon.map { client[client.index(after: $0)...] } ?? client
        guard let port = Int(port), 0...65_535 ~= port else {
            throw refusal(server, "does not end in a client port; write it as in ...:3888;2181")
        }
        configuration.clientPort = port
        if let colon, configuration.clientPortAddress == nil {
            configuration.clientPortAddress = String(client[..<colon])
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

// MARK: - Values and messages

extension Reading {
    private var noEnsembles: String {
        "Aviary runs standalone servers only so far; remove the lines about other members"
    }

    /// A decimal number, or a hexadecimal one after `0x`.
    private func number(
        _ entry: PropertiesText.Entry, _ range: ClosedRange<Int>, _ unit: String, _ example: Int
    ) throws(ConfigurationError) -> Int {
        let advice =
            "write \(unit) from \(range.lowerBound) to \(range.upperBound), as in "
            + "\(entry.key)=\(example)"
        guard let value = Int(javaNumber: entry.value) else {
            throw refusal(entry, "is not a whole number; \(advice)")
        }
        guard range.contains(value) else {
            throw refusal(
                entry, "is \(value < range.lowerBound ? "too low" : "too high"); \(advice)")
        }
        return value
    }

    private func choice(
        _ entry: PropertiesText.Entry, yes: String, no: String
    ) throws(ConfigurationError) -> Bool {
        switch entry.value.lowercased() {
        case yes: true
        case no: false
        default: throw refusal(entry, "is neither \(yes) nor \(no); write one of them")
        }
    }

    private func refusal(_ entry: PropertiesText.Entry, _ reason: String) -> ConfigurationError {
        let given = entry.value.isEmpty ? entry.key : "\(entry.key)=\(entry.value)"
        return ConfigurationError(
            file: file, line: entry.line, reason: "\(given.onOneLine) \(reason)")
    }

    private func missing(_ key: String, example: String) -> ConfigurationError {
        ConfigurationError(
            file: file, line: nil, reason: "\(key) is not set; write a line as \(key)=\(example)")
    }

    private mutating func warn(_ entry: PropertiesText.Entry, _ message: String) {
        warn(entry.line, entry.key, message)
    }

    private mutating func warn(_ line: Int, _ key: String, _ message: String) {
        warnings.append(
            ConfigurationWarning(file: file, line: line, key: key.onOneLine, message: message))
    }
}

extension Int {
    /// What Java's `Integer.decode` reads, but for octal numbers.
    fileprivate init?(javaNumber text: String) {
        let digits = text.hasPrefix("0x") || text.hasPrefix("0X") ? text.dropFirst(2) : nil
        guard let digits else {
            self.init(text)
            return
        }
        guard digits.first?.isHexDigit == true else { return nil }
        self.init(digits, radix: 16)
    }
}

extension String {
    /// The text without what Java's `String.trim` takes off: blanks and control characters.
    fileprivate var trimmed: String {
        let scalars = unicodeScalars
        guard let first = scalars.firstIndex(where: { $0.value > 0x20 }),
            let last = scalars.lastIndex(where: { $0.value > 0x20 })
        else { return "" }
        return String(scalars[first...last])
    }

    fileprivate var withoutSlashesAtEnd: String {
        var shorter = self[...]
        while shorter.count > 1 && shorter.last == "/" { shorter.removeLast() }
        return String(shorter)
    }

    /// `::1` for `[::1]`.
    fileprivate var withoutBrackets: String {
        first == "[" && last == "]" ? String(dropFirst().dropLast()) : self
    }

    /// The text with its control characters made visible.
    fileprivate var onOneLine: String {
        unicodeScalars.map { $0.value < 0x20 ? $0.escaped(asASCII: true) : String($0) }.joined()
    }
}

extension FourLetterWordWhitelist {
    fileprivate init(commaSeparated list: String) {
        let words = list.split(separator: ",").map { String($0).trimmed }.filter { !$0.isEmpty }
        self = words.contains("*") ? .all : .words(words)
    }
}
