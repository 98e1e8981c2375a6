public import ArgumentParser
import AviaryServer
public import Logging

struct ServerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "server",
        abstract: "Run a server until it is told to stop (SIGTERM or Ctrl-C).",
        discussion: """
            Without a file, the server listens on 127.0.0.1:2181 and keeps its data in \
            ./aviary-data. A file is a zoo.cfg as ZooKeeper's; two lines are enough:

              dataDir=/var/lib/aviary
              clientPort=2181

            More than one server.N=host:2888:3888 line is an ensemble, which also needs \
            initLimit, syncLimit and a file myid in dataDir: see docs/ensemble.md.

            Keys that have no effect in Aviary yet are warned about by name. A value that cannot \
            be used ends the program with status 2 before anything is touched.
            """)

    @Argument(help: "The configuration to run with.", completion: .file(extensions: ["cfg"]))
    var zooCfg: String?

    @Option(help: "The least severe records to print.")
    var logLevel = Logger.Level.info

    func run() async throws {
        let level = logLevel
        let logger = Logger(label: "aviary") { _ in
            var handler = ConsoleLogHandler()
            handler.logLevel = level
            return handler
        }
        let configuration: ServerConfiguration
        do throws(ConfigurationError) {
            configuration = try loadConfiguration(logger: logger)
        } catch {
            throw end(because: error.description, exitCode: 2)
        }
        do throws(LaunchError) {
            try await Launcher.run(configuration, logger: logger) {
                writeToStandardOutput($0 + "\n")
            }
        } catch {
            throw end(because: error.message, exitCode: error.exitCode)
        }
    }

    private func loadConfiguration(
        logger: Logger
    ) throws(ConfigurationError) -> ServerConfiguration {
        guard let zooCfg else { return .default }
        let text: String
        do throws(TextFileError) {
            text = try readTextFile(zooCfg)
        } catch {
            throw ConfigurationError(file: zooCfg, line: nil, reason: error.reason)
        }
        let (configuration, warnings) = try ZooCfg.parse(text, file: zooCfg, readFile: readTextFile)
        for warning in warnings {
            logger.warning(
                "\(warning.key) \(warning.message)",
                metadata: ["file": "\(warning.file)", "line": "\(warning.line)"])
        }
        return configuration
    }

    /// Says why on standard error, in one line, and returns what ends the program.
    private func end(because reason: String, exitCode: Int32) -> ExitCode {
        writeToStandardError("aviary: \(reason)\n")
        return ExitCode(exitCode)
    }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}
