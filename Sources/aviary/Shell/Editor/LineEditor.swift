/// Reads lines from a terminal: with editing, history, search and completion, and with room for
/// what is printed meanwhile.
@ShellActor
final class LineEditor: LineSource, ScreenLine {
    private enum Step {
        case goOn
        case line(String)
        case over
    }

    /// Looking for a line of the history that holds the text.
    private struct Search {
        var text = ""
        var index: Int?
        let original: String
    }

    private let console: Console
    private let completion: ShellCompletion
    private let input = StandardInput()
    private let terminal = Terminal()
    private let history = HistoryFile(HistoryFile.standardPath)
    private var decoder = KeyDecoder()
    private var keys: ArraySlice<Key> = []
    private var buffer = EditBuffer()
    private var search: Search?
    /// Which line of the history is shown; its count if it is the new one.
    private var historyIndex = 0
    private var newLine = ""
    private var lastKeyWasTab = false
    private var prompt: () -> String = { "" }
    /// Of the rows that the line takes on the screen, the one with the cursor.
    private var cursorRow = 0

    init(_ console: Console, _ completion: ShellCompletion) {
        self.console = console
        self.completion = completion
    }

    // MARK: Lines

    func next(prompt: @escaping () -> String) async -> String? {
        guard let line = await read(prompt) else { return nil }
        history.add(line)
        return line
    }

    /// Whether the answer to a question is yes.
    func confirm(_ question: String) async -> Bool {
        console.flush()
        let answer = await read { question }
        return ["y", "yes"].contains(answer?.lowercased() ?? "")
    }

    private func read(_ prompt: @escaping () -> String) async -> String? {
        self.prompt = prompt
        buffer = EditBuffer()
        search = nil
        historyIndex = history.lines.count
        terminal.enterRawMode()
        console.editor = self
        cursorRow = 0
        show()
        defer {
            console.editor = nil
            terminal.leaveRawMode()
        }
        while let key = await nextKey() {
            switch await take(key) {
            case .goOn: redraw()
            case .line(let line):
                finishLine()
                return line
            case .over:
                finishLine()
                return nil
            }
        }
        finishLine()
        return nil
    }

    private func nextKey() async -> Key? {
        while keys.isEmpty {
            guard let bytes = await input.read() else { return nil }
            keys = decoder.decode(bytes)[...]
        }
        return keys.popFirst()
    }

    private func take(_ key: Key) async -> Step {
        if search != nil {
            if let step = searchStep(key) { return step }
        } else if key == .tab {
            await complete()
            return .goOn
        }
        lastKeyWasTab = false
        if buffer.edit(key) { return .goOn }
        switch key {
        case .enter: return .line(buffer.text)
        case .endOfInput:
            if buffer.characters.isEmpty { return .over }
            _ = buffer.edit(.delete)
        case .interrupt: return .line("")
        case .up: showHistory(historyIndex - 1)
        case .down: showHistory(historyIndex + 1)
        case .search: search = Search(original: buffer.text)
        case .clearScreen:
            writeToStandardOutput("\u{1b}[H\u{1b}[2J")
            cursorRow = 0
        default: break
        }
        return .goOn
    }

    // MARK: History

    private func showHistory(_ index: Int) {
        guard (0...history.lines.count).contains(index) else { return }
        if historyIndex == history.lines.count { newLine = buffer.text }
        historyIndex = index
        buffer.replace(with: index == history.lines.count ? newLine : history.lines[index])
    }

    /// - Returns: nil if the search is over and the key is for the line that was found.
    private func searchStep(_ key: Key) -> Step? {
        guard var search else { return nil }
        switch key {
        case .character(let character):
            search.text.append(character)
            find(&search, upTo: (search.index ?? history.lines.count - 1) + 1)
        case .backspace:
            if !search.text.isEmpty { search.text.removeLast() }
            find(&search, upTo: history.lines.count)
        case .search: find(&search, upTo: search.index ?? history.lines.count)
        case .interrupt, .escape:
            buffer.replace(with: search.original)
            self.search = nil
            return .goOn
        default:
            self.search = nil
            return nil
        }
        self.search = search
        return .goOn
    }

    private func find(_ search: inout Search, upTo end: Int) {
        if search.text.isEmpty { return }
        let text = search.text
        if let found = history.lines[..<max(0, end)].lastIndex(where: { $0.contains(text) }) {
            search.index = found
            buffer.replace(with: history.lines[found])
        }
    }

    // MARK: Completion

    private func complete() async {
        let typed = buffer.beforeCursor
        let found = await completion.complete(typed)
        // What else was typed meanwhile is still to come; the line is as it was.
        if let insertion = found.insertion {
            buffer.replaceWord(found.typedCount, with: insertion)
            lastKeyWasTab = false
        } else if lastKeyWasTab && !found.choices.isEmpty {
            hide()
            writeToStandardOutput(
                Self.columns(found.choices, width: terminal.columns).joined(separator: "\n") + "\n")
            cursorRow = 0
        } else {
            writeToStandardOutput("\u{07}")
            lastKeyWasTab = true
        }
    }

    private static func columns(_ choices: [String], width: Int) -> [String] {
        let limit = 200
        let shown = choices.prefix(limit)
        let column = (shown.map { DisplayWidth.of($0) }.max() ?? 0) + 2
        let perLine = max(1, width / column)
        var lines: [String] = []
        var rest = shown[...]
        while !rest.isEmpty {
            let cells = rest.prefix(perLine).map {
                $0 + String(repeating: " ", count: column - DisplayWidth.of($0))
            }
            lines.append(cells.joined())
            rest = rest.dropFirst(perLine)
        }
        if choices.count > limit { lines.append("… and \(choices.count - limit) more") }
        return lines
    }

    // MARK: The screen

    func hide() {
        let up = cursorRow > 0 ? "\u{1b}[\(cursorRow)A" : ""
        writeToStandardOutput("\r\(up)\u{1b}[J")
        cursorRow = 0
    }

    func show() { draw(clearing: "") }

    private func redraw() {
        let up = cursorRow > 0 ? "\u{1b}[\(cursorRow)A" : ""
        draw(clearing: "\r\(up)\u{1b}[J")
    }

    private func draw(clearing: String) {
        let prompt = search.map { "(search)'\($0.text)': " } ?? prompt()
        let columns = terminal.columns
        let all = DisplayWidth.of(prompt) + DisplayWidth.of(buffer.text)
        let before = DisplayWidth.of(prompt) + DisplayWidth.of(buffer.beforeCursor)
        var text = clearing + prompt + buffer.text
        // A line that ends at the edge leaves the cursor there; this takes it to the next row.
        if all > 0 && all % columns == 0 { text += "\n" }
        let lastRow = all / columns
        cursorRow = before / columns
        if lastRow > cursorRow { text += "\u{1b}[\(lastRow - cursorRow)A" }
        text += "\r"
        if before % columns > 0 { text += "\u{1b}[\(before % columns)C" }
        writeToStandardOutput(text)
    }

    /// Leaves the line on the screen, below which the answer goes.
    private func finishLine() {
        search = nil
        _ = buffer.edit(.end)
        redraw()
        writeToStandardOutput("\n")
        cursorRow = 0
    }

    // MARK: Interruption

    /// Calls when Ctrl-C is typed, while a command runs that goes on until then.
    func whileInterruptible(
        _ jobs: BackgroundJobs, _ interrupt: @escaping @ShellActor @Sendable () -> Void
    ) -> Interruption {
        terminal.enterRawMode()
        let interruption = Interruption(terminal)
        jobs.start { [input] in
            while !interruption.isOver {
                if await input.readsInterrupt(unless: { interruption.isOver }) { interrupt() }
            }
        }
        return interruption
    }
}

/// While it is not over, Ctrl-C ends what runs, not the shell.
@ShellActor
final class Interruption {
    private(set) var isOver = false
    private let terminal: Terminal

    init(_ terminal: Terminal) {
        self.terminal = terminal
    }

    func end() {
        isOver = true
        terminal.leaveRawMode()
    }
}
