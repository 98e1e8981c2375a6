import ArgumentParser
import AviaryServer

@main
struct Aviary: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "aviary",
        abstract: "A ZooKeeper server, written in Swift.",
        discussion: """
            Aviary keeps a tree of small nodes for programs that have to agree on something: who \
            leads, which members are there, what the settings are. It speaks the protocol of \
            Apache ZooKeeper \(AviaryVersion.compatible), so ZooKeeper's clients work with it \
            unchanged, and it reads ZooKeeper's zoo.cfg. It serves alone or in an ensemble, also one \
            with Apache's servers in it.

            Examples:
              aviary server
                  Serve 127.0.0.1:2181, keeping data in ./aviary-data.
              aviary server /etc/zookeeper/conf/zoo.cfg
                  Serve as the file says.
              aviary server zoo.cfg --log-level debug
                  The same, with a line for each connection.
              aviary shell -server 127.0.0.1:2181
                  Look inside; so does ZooKeeper's own zkCli.sh.
              aviary backup --data-dir aviary-data /backup/today
                  Copy a server's state, also while it runs.
              aviary bench zk1:2181,zk2:2181,zk3:2181 --workload set
                  Measure how many writes any ZooKeeper ensemble takes.

            docs/tools.md shows what the commands print that work on a server's files.
            """,
        version: "aviary \(AviaryVersion.number)",
        subcommands: [
            ServerCommand.self, ShellCommand.self, CShellCommand.self, BenchCommand.self,
            LogCommand.self, SnapshotCommand.self, DataCommand.self, BackupCommand.self,
            RestoreCommand.self, SimulateCommand.self,
        ])

    /// As the library's, but for the status of wrong use: 2, as for any value that cannot be used.
    static func main() async {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
            writeToStandardError(fullMessage(for: error) + "\n")
            exit(withError: ExitCode(2))
        }
    }
}
