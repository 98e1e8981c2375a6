import AviaryClient

/// What a word that was begun can become: a command's name, or a path that exists.
@ShellActor
final class ShellCompletion {
    struct Found {
        /// Of the characters before the cursor, how many are of the word.
        var typedCount = 0
        /// What takes their place; nil if they cannot become longer.
        var insertion: String?
        var choices: [String] = []
    }

    /// How long somebody who pressed Tab is made to wait.
    private static let patience = Duration.seconds(2)

    private let shell: Shell

    init(_ shell: Shell) {
        self.shell = shell
    }

    func complete(_ typed: String) async -> Found {
        let word = Self.lastWord(typed)
        let before = CommandWords.split(typed.dropLast(word.count))
        var found = Found(typedCount: word.count)
        let prefix = word.hasPrefix("\"") || word.hasPrefix("'") ? word.dropFirst() : word[...]
        if before.isEmpty {
            finish(&found, word, Command.all.map(\.name).filter { $0.hasPrefix(word) }, ending: " ")
        } else if before == ["help"] {
            finish(&found, word, Command.all.map(\.name).filter { $0.hasPrefix(word) }, ending: " ")
        } else if prefix.hasPrefix("/") {
            await completePath(String(prefix), word, &found)
        } else if word.hasPrefix("-"), let command = Command.named(before[0]) {
            let spellings = command.options.map(\.spelling) + ["--json", "--table"]
            finish(&found, word, spellings.filter { $0.hasPrefix(word) }, ending: " ")
        }
        return found
    }

    /// What follows the last blank that is not in quotes.
    private static func lastWord(_ typed: String) -> String {
        var quote: Character?
        var start = typed.startIndex
        for index in typed.indices {
            let character = typed[index]
            if let open = quote {
                if character == open { quote = nil }
            } else if character.isWhitespace {
                start = typed.index(after: index)
            } else if index == start && (character == "\"" || character == "'") {
                quote = character
            }
        }
        return String(typed[start...])
    }

    private func completePath(_ prefix: String, _ word: String, _ found: inout Found) async {
        guard let slash = prefix.lastIndex(of: "/") else { return }
        let parent = slash == prefix.startIndex ? "/" : String(prefix[..<slash])
        let begun = prefix[prefix.index(after: slash)...]
        guard let session = shell.session, session.state.isConnected,
            let path = try? ShellPath.checked(parent),
            let names = try? await session.zk.submit(
                .getChildren(path), timeout: Self.patience
            ).value
        else { return }
        let matching = names.filter { $0.hasPrefix(begun) }.sorted(by: Shell.isOrdered)
        guard let common = Self.commonPrefix(matching) else { return }
        found.choices = matching
        var insertion = String(prefix[...slash]) + common
        if matching.count == 1 {
            // On to its children, if it has some.
            let stat = try? await session.zk.submit(
                .exists(Path(insertion)), timeout: Self.patience
            ).value
            insertion += (stat?.numChildren ?? 0) > 0 ? "/" : " "
        }
        if insertion.dropLast().contains(where: \.isWhitespace) {
            let isOpen = !insertion.hasSuffix(" ")
            let quote = insertion.contains("\"") ? "'" : "\""
            insertion =
                isOpen ? quote + insertion : quote + insertion.dropLast() + quote + " "
        }
        if insertion != word { found.insertion = insertion }
    }

    private func finish(
        _ found: inout Found, _ word: String, _ choices: [String], ending: String
    ) {
        found.choices = choices
        guard var common = Self.commonPrefix(choices) else { return }
        if choices.count == 1 { common += ending }
        if common != word { found.insertion = common }
    }

    private static func commonPrefix(_ texts: [String]) -> String? {
        guard let first = texts.first else { return nil }
        return texts.dropFirst().reduce(first) { common, text in
            String(zip(common, text).prefix { $0 == $1 }.map(\.0))
        }
    }
}
