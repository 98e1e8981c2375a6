/// A command of the shell: what it is called, how it is typed, and what it does.
struct Command: Sendable {
    typealias Run = @ShellActor @Sendable (Shell, Invocation) async throws(ShellError) -> Void

    let name: String
    /// What follows the name; zkCli.sh's text for the commands that it has too.
    let usage: String
    /// One sentence.
    let help: String
    let options: [CommandOption]
    let minimumArguments: Int
    let needsConnection: Bool
    let run: Run

    init(
        _ name: String, _ usage: String, _ help: String, options: [CommandOption] = [],
        minimumArguments: Int = 0, needsConnection: Bool = true, _ run: @escaping Run
    ) {
        self.name = name
        self.usage = usage
        self.help = help
        self.options = options
        self.minimumArguments = minimumArguments
        self.needsConnection = needsConnection
        self.run = run
    }

    /// By name, without regard to case.
    static let all: [Command] = [
        nodeCommands, readCommands, treeCommands, transferCommands, aclCommands, quotaCommands,
        watchCommands, ensembleCommands, sessionCommands,
    ].flatMap { $0 }.sorted { $0.name.lowercased() < $1.name.lowercased() }

    static func named(_ name: String) -> Command? {
        all.first { $0.name == name }
    }

    /// zkCli.sh's list, with the commands that it does not have.
    static var list: String {
        let lines = all.map { "\t\($0.name) \($0.usage)" }
        return "ZooKeeper -server host:port -client-configuration properties-file cmd args\n"
            + lines.joined(separator: "\n")
    }
}
