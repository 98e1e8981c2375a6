import ArgumentParser
import AviaryClient
import AviaryServer

struct CShellCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cshell",
        abstract: "The shell of ZooKeeper's C client, cli_mt, line for line.",
        discussion: """
            Reads commands from standard input and prints what comes of them on standard error, as \
            cli_mt does; only 'myid' answers on standard output. 'create' gives a node the data \
            "new"; 'get' and 'ls' leave a watch. 'help' lists the commands. For people, 'aviary \
            shell' is better.

            Examples:
              aviary cshell 127.0.0.1:2181
              aviary cshell -h zk1:2181,zk2:2181 -c 'get /foo'
              aviary cshell 127.0.0.1:2181 'cmd:create /foo'
              echo 'ls /' | aviary cshell 127.0.0.1:2181

            See docs/shell.md.
            """, helpNames: [.long])

    @Option(
        name: [.customShort("h"), .customLong("host")],
        help: ArgumentHelp("The servers, with commas between.", valueName: "host:port,…"))
    var host: String?

    @Option(
        name: [.short, .customLong("cmd")],
        help: ArgumentHelp("Run this command and end.", valueName: "command"))
    var command: String?

    @Flag(name: [.short, .customLong("readonly")], help: "A server that lost the others will do.")
    var readOnly = false

    @Flag(help: "Print the mode of created nodes, as since 3.5.6: [/foo] node (mode: 0).")
    var modes = false

    @Argument(help: ArgumentHelp("The servers, and cmd:COMMAND.", valueName: "host:port,…"))
    var words: [String] = []

    func validate() throws {
        if host == nil && words.isEmpty {
            throw ValidationError("Say where a server is: aviary cshell 127.0.0.1:2181")
        }
    }

    func run() async throws {
        var rest = words[...]
        let servers = host ?? rest.removeFirst()
        var batch = command
        if let word = rest.first(where: { $0.hasPrefix("cmd:") }) {
            batch = String(word.dropFirst(4))
            writeToStandardError("Batch mode: '\(batch ?? "")'\n")
        }
        let (line, readOnly, modes) = (batch, readOnly, modes)
        let code = await ShellActor.run {
            await Self.run(servers, line, readOnly: readOnly, printsModes: modes)
        }
        if code != 0 { throw ExitCode(code) }
    }

    @ShellActor
    private static func run(
        _ servers: String, _ batch: String?, readOnly: Bool, printsModes: Bool
    ) async -> Int32 {
        var configuration = ClientConfiguration()
        configuration.sessionTimeout = .seconds(30)
        configuration.allowsReadOnly = readOnly
        configuration.eventLoopGroup = ShellActor.eventLoops
        let zk: ZooKeeper
        do throws(ClientError) {
            zk = try ZooKeeper(servers, configuration: configuration)
        } catch {
            writeToStandardError("aviary: \(error.message)\n")
            return 2
        }
        let shell = CShell(zk, printsModes: printsModes)
        if let batch { return await shell.run(lines: OneLine(batch)) }
        return await shell.run(lines: PipedLines())
    }
}

/// A line that was given on the command line.
@ShellActor
final class OneLine: LineSource {
    private var line: String?

    init(_ line: String) {
        self.line = line
    }

    func next(prompt: @escaping () -> String) async -> String? {
        defer { line = nil }
        return line
    }
}
