package import AviaryWire

/// Who may authenticate by SASL DIGEST-MD5, and with which password.
package enum SASLUsers {
    /// Reads `user:password`, one a line; blank lines and lines that begin with `#` are left out.
    ///
    /// - Parameter file: what messages call the text.
    package static func parse(
        lines text: String, file: String
    ) throws(ConfigurationError) -> [ByteString: ByteString] {
        var passwords: [ByteString: ByteString] = [:]
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated() {
            if line.isEmpty || line.first == "#" { continue }
            let parts = line.split(
                separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
                throw ConfigurationError(
                    file: file, line: index + 1,
                    reason: "is not a user and a password; write it as in bob:secret")
            }
            let user = ByteString(String(parts[0]))
            guard passwords.updateValue(ByteString(String(parts[1])), forKey: user) == nil else {
                throw ConfigurationError(
                    file: file, line: index + 1,
                    reason: "names \(parts[0]) for the second time; remove one")
            }
        }
        return try nonEmpty(passwords, file)
    }

    /// Reads the users of one section of a JAAS file, the `user_NAME="PASSWORD"` options of its
    /// `DigestLoginModule`.
    ///
    /// Source: SaslServerCallbackHandler, ZooKeeper 3.9.5; javax.security.auth.login.Configuration,
    /// Java 17.
    package static func parse(
        jaas text: String, section: String, file: String
    ) throws(ConfigurationError) -> [ByteString: ByteString] {
        var tokens = JAASTokens(text, file: file)
        while let name = try tokens.next() {
            try tokens.expect("{")
            let modules = try readModules(&tokens)
            if name.text == section { return try users(of: modules, section, file) }
        }
        throw ConfigurationError(
            file: file, line: nil,
            reason: "has no section \(section); write one as in \(section) { "
                + "\(digestModule) required user_bob=\"secret\"; };")
    }

    private static let digestModule = "org.apache.zookeeper.server.auth.DigestLoginModule"

    private struct LoginModule {
        var name: String
        var options: [(name: String, value: String)] = []
    }

    /// Up to and with the `};` of a section.
    private static func readModules(
        _ tokens: inout JAASTokens
    ) throws(ConfigurationError) -> [LoginModule] {
        var modules: [LoginModule] = []
        while let first = try tokens.next() {
            if first.text == "}" && !first.isQuoted {
                try tokens.expect(";")
                return modules
            }
            var module = LoginModule(name: first.text)
            // The control flag: whether the module is required is nothing to a server.
            _ = try tokens.next()
            while let option = try tokens.next(), option.text != ";" || option.isQuoted {
                try tokens.expect("=")
                guard let value = try tokens.next() else { break }
                module.options.append((name: option.text, value: value.text))
            }
            modules.append(module)
        }
        throw tokens.error("ends in the middle of a section; close it with };")
    }

    private static func users(
        of modules: [LoginModule], _ section: String, _ file: String
    ) throws(ConfigurationError) -> [ByteString: ByteString] {
        guard let module = modules.first(where: { $0.name == digestModule }) else {
            let names = modules.map(\.name).joined(separator: ", ")
            throw ConfigurationError(
                file: file, line: nil,
                reason: "has \(names.isEmpty ? "nothing" : names) in its section \(section), and "
                    + "Aviary knows only \(digestModule)")
        }
        var passwords: [ByteString: ByteString] = [:]
        let prefix = "user_"
        for option in module.options where option.name.hasPrefix(prefix) {
            let user = ByteString(String(option.name.dropFirst(prefix.count)))
            passwords[user] = ByteString(option.value)
        }
        return try nonEmpty(passwords, file)
    }

    private static func nonEmpty(
        _ passwords: [ByteString: ByteString], _ file: String
    ) throws(ConfigurationError) -> [ByteString: ByteString] {
        if passwords.isEmpty {
            throw ConfigurationError(
                file: file, line: nil,
                reason: "names no user, so nobody could authenticate; add one, or take the key out")
        }
        return passwords
    }
}

/// The words, quoted texts and signs of a JAAS file, without its comments.
private struct JAASTokens {
    struct Token {
        var text: String
        var isQuoted: Bool
    }

    private var rest: Substring
    private var line = 1
    private let file: String

    init(_ text: String, file: String) {
        rest = text[...]
        self.file = file
    }

    func error(_ reason: String) -> ConfigurationError {
        ConfigurationError(file: file, line: line, reason: reason)
    }

    /// Nil at the end.
    mutating func next() throws(ConfigurationError) -> Token? {
        skipBlanks()
        guard let first = rest.first else { return nil }
        if first == "\"" { return Token(text: try quoted(), isQuoted: true) }
        if Self.signs.contains(first) {
            rest.removeFirst()
            return Token(text: String(first), isQuoted: false)
        }
        let word = rest.prefix { !$0.isWhitespace && !Self.signs.contains($0) && $0 != "\"" }
        rest = rest.dropFirst(word.count)
        return Token(text: String(word), isQuoted: false)
    }

    mutating func expect(_ sign: String) throws(ConfigurationError) {
        let token = try next()
        guard token?.text == sign, token?.isQuoted == false else {
            throw error("has \(token?.text ?? "its end") where \(sign) belongs")
        }
    }

    private static let signs: Set<Character> = ["{", "}", ";", "="]

    private mutating func skipBlanks() {
        while let first = rest.first {
            if first.isNewline {
                line += 1
                rest.removeFirst()
            } else if first.isWhitespace {
                rest.removeFirst()
            } else if first == "#" || rest.hasPrefix("//") {
                rest = rest.drop { !$0.isNewline }
            } else if rest.hasPrefix("/*") {
                skipComment()
            } else {
                return
            }
        }
    }

    private mutating func skipComment() {
        while !rest.isEmpty && !rest.hasPrefix("*/") {
            if rest.removeFirst().isNewline { line += 1 }
        }
        rest = rest.dropFirst(2)
    }

    private mutating func quoted() throws(ConfigurationError) -> String {
        rest.removeFirst()
        var text = ""
        while let character = rest.popFirst() {
            switch character {
            case "\"": return text
            case "\\":
                guard let escaped = rest.popFirst() else { break }
                if escaped.isNewline { throw error("has a text whose quotes are not closed") }
                text.append(escaped)
            case _ where character.isNewline: throw error("has a text whose quotes are not closed")
            default: text.append(character)
            }
        }
        throw error("has a text whose quotes are not closed")
    }
}
