import AviaryClient

/// How a line of the shell falls into words: at blanks, with '…' or "…" around a word that has some.
/// There are no escapes, as in zkCli.sh.
enum CommandWords {
    static func split(_ line: some StringProtocol) -> [String] {
        var words: [String] = []
        var rest = Substring(line)
        while let first = rest.first {
            if first.isWhitespace {
                rest.removeFirst()
            } else if first == "\"" || first == "'" {
                rest.removeFirst()
                // A quote that is never closed is as if it were not there.
                guard let end = rest.firstIndex(of: first) else { continue }
                words.append(String(rest[..<end]))
                rest = rest[rest.index(after: end)...]
            } else {
                let end = rest.firstIndex(where: \.isWhitespace) ?? rest.endIndex
                words.append(String(rest[..<end]))
                rest = rest[end...]
            }
        }
        return words
    }

    /// The word so that `split` gives it back.
    static func quoted(_ word: String) -> String {
        let isPlain =
            !word.isEmpty && !word.contains(where: \.isWhitespace)
            && !word.hasPrefix("\"") && !word.hasPrefix("'")
        if isPlain { return word }
        return word.contains("\"") ? "'\(word)'" : "\"\(word)\""
    }
}

/// An option of a command: `-s`, `-v version`, `--depth count`.
struct CommandOption: Sendable {
    /// Without the hyphens; one letter, or a word.
    let name: String
    /// What the value is called; nil for an option without one.
    let value: String?
    let help: String
    /// Of the options with the same group, only one may be given.
    let group: String?

    init(_ name: String, _ help: String) {
        self.init(name, nil, help)
    }

    init(_ name: String, _ value: String?, group: String? = nil, _ help: String) {
        self.name = name
        self.value = value
        self.help = help
        self.group = group
    }

    /// As it is typed. Words of ZooKeeper's own, as `-add`, take one hyphen or two.
    var spelling: String {
        (name.count == 1 || Self.classicWords.contains(name) ? "-" : "--") + name
    }

    private static let classicWords: Set<String> = ["file", "members", "add", "remove"]
}

/// What was typed, in order: the command's options with their values, and its arguments.
struct Invocation: Sendable {
    let command: Command
    private(set) var arguments: [String] = []
    private var options: [String: String] = [:]
    /// How this command's answer is to be printed, if the line says so.
    private(set) var form: Form?

    /// - Throws: as zkCli.sh does, what is wrong with the line; usage if arguments are missing.
    init(_ command: Command, _ words: ArraySlice<String>) throws(ShellError) {
        self.command = command
        var words = words
        // What the shell does itself takes no options, but for redo's number, which may be negative.
        var isPastOptions = command.options.isEmpty && !command.needsConnection
        var hasMark = false
        while let word = words.popFirst() {
            if !hasMark, let form = Form(option: word) {
                self.form = form
            } else if isPastOptions || !word.hasPrefix("-") || word == "-" {
                arguments.append(word)
            } else if word == "--" {
                isPastOptions = true
                hasMark = true
            } else {
                try take(word, &words)
            }
        }
        if arguments.count < command.minimumArguments { throw .usage(command) }
    }

    private mutating func take(
        _ word: String, _ rest: inout ArraySlice<String>
    ) throws(ShellError) {
        let body = word.drop { $0 == "-" }
        if let option = option(body) {
            try add(option, value: nil, &rest)
            return
        }
        if let equals = body.firstIndex(of: "="), let option = option(body[..<equals]) {
            try add(option, value: String(body[body.index(after: equals)...]), &rest)
            return
        }
        // Letters that stand together: -se, or a letter and its value: -v5.
        var letters = body
        while let letter = letters.popFirst() {
            guard !word.hasPrefix("--"), let option = option(Substring(String(letter))) else {
                throw ShellError("Unrecognized option: \(word)")
            }
            if option.value != nil && !letters.isEmpty {
                try add(option, value: String(letters), &rest)
                return
            }
            try add(option, value: nil, &rest)
        }
    }

    private func option(_ name: Substring) -> CommandOption? {
        command.options.first { $0.name == name }
    }

    private mutating func add(
        _ option: CommandOption, value: String?, _ rest: inout ArraySlice<String>
    ) throws(ShellError) {
        if let group = option.group,
            let other = command.options.first(where: {
                $0.group == group && $0.name != option.name && options[$0.name] != nil
            })
        {
            throw ShellError(
                "The option '\(option.name)' was specified but an option from this group has "
                    + "already been selected: '\(other.name)'")
        }
        if option.value == nil {
            options[option.name] = ""
            return
        }
        if let value {
            options[option.name] = value
            return
        }
        guard let next = rest.first, isValue(next) else {
            throw ShellError("Missing argument for option: \(option.name)")
        }
        options[option.name] = rest.removeFirst()
    }

    /// A negative number is a value, another option is not.
    private func isValue(_ word: String) -> Bool {
        if !word.hasPrefix("-") || Double(word) != nil { return true }
        let name = word.drop { $0 == "-" }
        return option(name) == nil && (name.first.flatMap { option(Substring(String($0))) }) == nil
    }

    func has(_ name: String) -> Bool { options[name] != nil }

    func value(_ name: String) -> String? { options[name] }

    subscript(_ index: Int) -> String { arguments[index] }

    func argument(_ index: Int) -> String? {
        index < arguments.count ? arguments[index] : nil
    }

    /// A number from an option; nil if it was not given.
    func number<Number: FixedWidthInteger>(
        _ name: String, as type: Number.Type = Number.self, orSay message: String
    ) throws(ShellError) -> Number? {
        guard let text = options[name] else { return nil }
        guard let number = Number(text) else { throw ShellError(message) }
        return number
    }

    /// The -v of writes.
    func version() throws(ShellError) -> Int32? {
        let said: Int32? = try number(
            "v", orSay: "-v must be followed by an integer, the node's version")
        // ZooKeeper's word for any version.
        return said == -1 ? nil : said
    }

    /// The path that stands at the index.
    /// - Parameter isSequential: whether a number is going to follow it.
    func path(_ index: Int, isSequential: Bool = false) throws(ShellError) -> Path {
        try ShellPath.checked(arguments[index], isSequential: isSequential)
    }
}
