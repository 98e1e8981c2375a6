import AviaryStorage
package import Logging
import ServiceLifecycle
import UnixSignals

/// Why a server did not start, or had to end.
package struct LaunchError: Error, Sendable {
    /// What happened and what to do about it, in one line.
    package let message: String
    package let exitCode: Int32

    package init(message: String, exitCode: Int32) {
        self.message = message
        self.exitCode = exitCode
    }
}

/// Runs a server until it is told to stop.
package enum Launcher {
    /// Returns after SIGTERM or SIGINT, when everything is closed.
    ///
    /// - Parameter started: called with a line for people when clients can connect.
    package static func run(
        _ configuration: ServerConfiguration, logger: Logger,
        started: @escaping @Sendable (String) -> Void
    ) async throws(LaunchError) {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    ServiceGroupConfiguration.ServiceConfiguration(
                        service: ServerService(
                            configuration: configuration, logger: logger, started: started),
                        successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .cancelGroup)
                ], gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet))
        do {
            try await group.run()
        } catch let error as LaunchError {
            throw error
        } catch {
            throw LaunchError(message: "\(error)", exitCode: 1)
        }
    }
}

private struct ServerService: Service {
    let configuration: ServerConfiguration
    let logger: Logger
    let started: @Sendable (String) -> Void

    func run() async throws {
        let (failures, failed) = AsyncStream.makeStream(of: LaunchError.self)
        let server = try await Server.start(configuration, logger: logger) { error in
            failed.yield(error)
        }
        let address = configuration.clientPortAddress ?? "0.0.0.0"
        started(
            "Aviary \(AviaryVersion.number) listens on \(address):\(server.port), "
                + "data in \(configuration.dataDir)")
        for await failure in failures.cancelOnGracefulShutdown() {
            await server.stop()
            throw failure
        }
        logger.info("stopping")
        await server.stop()
    }
}
