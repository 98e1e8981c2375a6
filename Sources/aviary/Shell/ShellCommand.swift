import ArgumentParser
import AviaryServer
import Glibc

struct ShellCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shell",
        abstract: "Look at and change what a server keeps, as with zkCli.sh.",
        discussion: """
            Without a command, reads commands: from the terminal with history (up and down, \
            Ctrl-R), completion of commands and of paths that exist (Tab), and a prompt that shows \
            server and session; or from a pipe or a file, line by line. With a command, runs it \
            and ends. The commands, options, output and exit codes are those of ZooKeeper's \
            zkCli.sh, and some more: tree, du, find, watch, export, import, help.

            Exit status: 0 fine; 1 the command failed; 2 wrong use; 127 no such command. When \
            lines are read, that of the last.

            Examples:
              aviary shell
                  Talk with localhost:2181; 'help' lists the commands.
              aviary shell -server zk1:2181,zk2:2181/app ls -s /
                  One command, every path below /app.
              aviary shell --table ls /
                  For people; --json for programs.
              aviary shell --quiet get /settings > settings
                  The data and nothing else.
              aviary shell watch /members -r
                  Print every change below /members as it comes.
              aviary shell help find
                  What a command does and takes.

            See docs/shell.md.
            """)

    @Option(
        name: [.customLong("server"), .customLong("server", withSingleDash: true)],
        help: ArgumentHelp(
            "The servers, with commas between, and a path that stands before all paths.",
            valueName: "host:port,…/path"))
    var server = "localhost:2181"

    @Option(
        name: [.customLong("timeout"), .customLong("timeout", withSingleDash: true)],
        help: ArgumentHelp(
            "How long the servers keep the session without a word.", valueName: "ms"))
    var timeout = 30_000

    @Flag(
        name: [.customShort("r"), .customLong("read-only")],
        help: "A server that lost the others will do, for reads.")
    var readOnly = false

    @Flag(
        name: [
            .customLong("waitforconnection"),
            .customLong("waitforconnection", withSingleDash: true),
        ],
        help: "Wait for a server as long as -timeout says, not only 5 seconds.")
    var waitsForConnection = false

    @Option(
        name: [
            .customLong("client-configuration"),
            .customLong("client-configuration", withSingleDash: true),
        ],
        help: ArgumentHelp(
            "Accepted for zkCli.sh's scripts; nothing in it has an effect here.",
            valueName: "file"), completion: .file())
    var clientConfiguration: String?

    @Flag(help: "Answers as JSON, one object a line.")
    var json = false

    @Flag(help: "Answers for people: columns, data in quotes.")
    var table = false

    @Flag(name: [.customShort("q"), .long], help: "Nothing about the connection.")
    var quiet = false

    @Argument(
        parsing: .captureForPassthrough,
        help: ArgumentHelp("A command and its arguments.", valueName: "command"))
    var words: [String] = []

    private static let helpWords: Set<String> = ["--help", "-h", "-help"]

    func validate() throws {
        if json && table { throw ValidationError("Only one of --json and --table.") }
        // What stands before the command is the shell's own, and known.
        if let first = words.first, first.hasPrefix("-"), !Self.helpWords.contains(first) {
            throw ValidationError("Unknown option '\(first)'.")
        }
        if timeout < 1 { throw ValidationError("-timeout is in milliseconds, 1 or more.") }
    }

    func run() async throws {
        if let first = words.first, Self.helpWords.contains(first) {
            throw CleanExit.helpRequest(self)
        }
        if let clientConfiguration { try check(clientConfiguration) }
        var settings = Shell.Settings()
        settings.connectString = server
        settings.timeoutMilliseconds = timeout
        settings.allowsReadOnly = readOnly
        settings.waitsForConnection = waitsForConnection
        settings.form = json ? .json : table ? .table : .plain
        settings.isInteractive = words.isEmpty
        let isTerminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1
        settings.isQuiet = quiet || (words.isEmpty && isTerminal)
        if !settings.isQuiet && settings.form == .plain {
            writeToStandardOutput("Connecting to \(server)\n")
        }
        let (final, words) = (settings, words)
        let code = await ShellActor.run {
            await Self.run(final, words, isTerminal: isTerminal)
        }
        if code != 0 { throw ExitCode(code) }
    }

    private func check(_ file: String) throws {
        guard unsafe access(file, R_OK) == 0 else {
            let reason = unsafe String(cString: strerror(errno))
            writeToStandardError("aviary: \(file): \(reason)\n")
            throw ExitCode(2)
        }
    }

    @ShellActor
    private static func run(
        _ settings: Shell.Settings, _ words: [String], isTerminal: Bool
    ) async -> Int32 {
        let shell = Shell(settings)
        if !words.isEmpty { return await shell.run(words: words) }
        if isTerminal {
            writeToStandardOutput(
                "Aviary shell \(AviaryVersion.number). 'help' lists the commands, Tab completes, "
                    + "Ctrl-D leaves.\n")
            let editor = LineEditor(shell.console, ShellCompletion(shell))
            shell.input = editor
            return await shell.run(lines: editor)
        }
        if !settings.isQuiet && settings.form == .plain {
            writeToStandardOutput("Welcome to ZooKeeper!\nJLine support is disabled\n")
        }
        return await shell.run(lines: PipedLines())
    }
}
