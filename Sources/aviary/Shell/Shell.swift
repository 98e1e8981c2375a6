import AviaryClient
import AviaryServer

/// ZooKeeper's shell: reads commands, or is given one, and prints what comes of them.
@ShellActor
final class Shell {
    struct Settings: Sendable {
        var connectString = "localhost:2181"
        var timeoutMilliseconds = 30_000
        var allowsReadOnly = false
        var waitsForConnection = false
        var form = Form.plain
        var isQuiet = false
        var isInteractive = false

        /// Without -waitforconnection not as long as a session may be without a server.
        var connectionTimeout: Duration {
            let given = Duration.milliseconds(timeoutMilliseconds)
            return waitsForConnection ? given : min(given, .seconds(5))
        }
    }

    let settings: Settings
    let console = Console()
    let jobs = BackgroundJobs()
    var session: ShellSession?
    /// How the command that runs prints its answer.
    private(set) var form: Form
    var printsWatches = true
    /// Set when nothing more is to be said, nor asked.
    var isOver = false
    private(set) var history = ShellHistory()
    private(set) var exitCode: Int32 = 0
    /// Where a command can ask the person who typed it; nil if there is nobody.
    var input: LineEditor?

    nonisolated init(_ settings: Settings) {
        self.settings = settings
        form = settings.form
    }

    // MARK: Commands

    /// Runs one command, given in words, and returns the exit code.
    func run(words: [String]) async -> Int32 {
        await jobs.run { [self] in
            await perform(words)
            await end()
            return exitCode
        }
    }

    /// Runs commands until there are no more, and returns the exit code of the last.
    func run(lines: some LineSource) async -> Int32 {
        await jobs.run { [self] in
            do throws(ShellError) {
                try connect(settings.connectString)
            } catch {
                fail(error)
                isOver = true
            }
            while !isOver, let line = await lines.next(prompt: { self.prompt }) {
                let words = CommandWords.split(line)
                if words.isEmpty { continue }
                history.begin(line)
                await perform(words)
                history.end()
                console.flush()
            }
            await end()
            return exitCode
        }
    }

    private func perform(_ words: [String]) async {
        do throws(ShellError) {
            try await execute(words)
            // 'quit' leaves the code of the command before it.
            if !isOver { exitCode = 0 }
        } catch {
            fail(error)
        }
        form = settings.form
    }

    func execute(_ words: [String]) async throws(ShellError) {
        guard let command = Command.named(words[0]) else {
            console.error(Command.list)
            throw ShellError(
                "Command not found: Command not found \(words[0])", exitCode: 127)
        }
        if words.dropFirst() == ["--help"] {
            try await execute(["help", command.name])
            return
        }
        let invocation = try Invocation(command, words[1...])
        if let form = invocation.form { self.form = form }
        if command.needsConnection {
            if session == nil && !settings.isInteractive { try connect(settings.connectString) }
            guard let session, !session.state.isFinal else {
                console.line("Not connected")
                return
            }
            try await session.waitForConnection()
        }
        try await command.run(self, invocation)
    }

    private func fail(_ error: ShellError) {
        exitCode = error.exitCode
        console.error(error.message)
    }

    /// Runs an earlier line again, which takes the place of the line that asked for it.
    func redo(_ number: Int) async throws(ShellError) {
        guard let line = history[number] else { throw ShellError("Command index out of range") }
        let words = CommandWords.split(line)
        if words.first == "redo" { throw ShellError("No redoing redos") }
        history.replaceCurrent(line)
        try await execute(words)
    }

    // MARK: The session

    func connect(_ connectString: String) throws(ShellError) {
        session = try ShellSession(connectString, self)
        session?.start()
    }

    func end() async {
        isOver = true
        console.flush()
        await session?.close()
        session = nil
        if !console.finish() && exitCode == 0 { exitCode = 1 }
    }

    /// Asks the server, and gives its refusal in the shell's words.
    func ask<Reply: Sendable>(
        _ request: Request<Reply>, timeout: Duration? = nil
    ) async throws(ShellError) -> Reply {
        do throws(ClientError) {
            let reply = try await client.submit(request, timeout: timeout).value
            // What the client told of before is on its way to be printed.
            await Task.yield()
            return reply
        } catch {
            throw ShellError(error)
        }
    }

    /// The session's client, of a command that needs a connection.
    var client: ZooKeeper {
        guard let session else { preconditionFailure("a command without a session") }
        return session.zk
    }

    var watches: ShellWatches {
        guard let session else { preconditionFailure("a command without a session") }
        return session.watches
    }

    private var prompt: String {
        guard let session else { return "[zk: (NOT_CONNECTED) \(history.count)] " }
        let server = session.zk.connectedServer ?? session.connectString
        return "[zk: \(server)(\(session.stateName)) \(history.count)] "
    }

    // MARK: Printing

    func answer(_ answer: Answer) {
        switch form {
        case .plain: printPlain(answer)
        case .json: printJSON(answer)
        case .table: printTable(answer)
        }
    }

    func interject(_ print: () -> Void) {
        if !isOver { console.interject(print) }
    }

    /// An event of the session or of a watch, as ZooKeeper's shell prints it.
    func printEvent(state: String, type: String, path: Path?, zxid: Int64) {
        guard printsWatches else { return }
        switch settings.form {
        case .plain:
            if settings.isQuiet && path == nil { return }
            console.line("\nWATCHER::")
            console.line(
                "\nWatchedEvent state:\(state) type:\(type) "
                    + "path:\(path?.description ?? "null") zxid: \(zxid)")
        case .json:
            guard let path else { return }
            console.json { json in
                json.beginObject()
                json.add("event", type)
                json.add("path", path)
                json.add("zxid", zxid)
                json.endObject()
            }
        case .table:
            guard let path else { return }
            console.line("\(console.good(type))  \(path.shown)  zxid \(zxid)")
        }
    }
}

/// The lines that were typed, by their numbers.
struct ShellHistory {
    private var lines: [String] = []
    private var isOpen = false

    /// How many commands were run.
    var count: Int { lines.count - (isOpen ? 1 : 0) }

    mutating func begin(_ line: String) {
        lines.append(line)
        isOpen = true
    }

    mutating func end() { isOpen = false }

    mutating func replaceCurrent(_ line: String) {
        if let last = lines.indices.last { lines[last] = line }
    }

    subscript(_ number: Int) -> String? {
        number >= 0 && number < count ? lines[number] : nil
    }

    /// As zkCli.sh lists them: the last eleven.
    var recent: [String] {
        lines.indices.suffix(11).map { "\($0) - \(lines[$0])" }
    }
}
