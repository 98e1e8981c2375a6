import AviaryServer
public import AviaryWire
public import Logging
import Synchronization

/// A real server in the process of a test, on a free port of the loopback interface, with its data in
/// a temporary directory.
///
///     try await TestingServer.withServer { server in
///         try await ZooKeeper.withSession(server.connectString) { zk in
///             try await zk.create("/lock", mode: .ephemeral)
///             try await server.expireSession(zk.sessionID)
///         }
///     }
///
/// Clients of any make can connect. What happens to a session here is what would happen in
/// production: an expired one ends with a transaction, and its ephemeral nodes and watches with it.
///
/// Starting, stopping and restarting one server are for one task at a time.
public final class TestingServer: Sendable {
    private struct State {
        var server: Server?
        var barred: [SessionID] = []
    }

    /// Its number in its ensemble (`myid`); 1 if it is alone.
    public let number: Int
    /// Where clients connect; it stays the same over restarts.
    public let port: Int
    private let configuration: ServerConfiguration
    /// Nil if the directory is the ensemble's.
    private let directory: TestingDirectory?
    private let logger: Logger
    private let state = Mutex(State())

    /// Runs `body` with a server, and removes the server and its data after it, also when it throws.
    ///
    /// - Parameters:
    ///   - settings: under the names of `zoo.cfg`, as in `["tickTime": "500"]`. Without them a tick
    ///     takes 100 ms, and sessions may have timeouts from 200 ms on.
    ///   - logger: takes what the server logs; nil: nobody does.
    ///   - body: is given the server.
    /// - Throws: what `body` throws, or ``TestingError``.
    public static func withServer<Result>(
        settings: [String: String] = [:], logger: Logger? = nil,
        _ body: (TestingServer) async throws -> Result
    ) async throws -> Result {
        let server = try await start(settings: settings, logger: logger)
        do {
            let result = try await body(server)
            try await server.close()
            return result
        } catch {
            try await server.close()
            throw error
        }
    }

    /// For tests that cannot use ``withServer(settings:logger:_:)``: end it with ``close()``.
    ///
    /// - Throws: ``TestingError``.
    public static func start(
        settings: [String: String] = [:], logger: Logger? = nil
    ) async throws -> TestingServer {
        let directory = try TestingDirectory()
        do {
            let port = try FreePorts.find(1)[0]
            let server = TestingServer(
                number: 1,
                try TestingSettings.configuration(
                    directory: directory.path + "/data", port: port, number: 1, members: [],
                    settings), directory: directory, logger: logger)
            try await server.restart()
            return server
        } catch {
            try directory.remove()
            throw error
        }
    }

    init(
        number: Int, _ configuration: ServerConfiguration, directory: TestingDirectory?,
        logger: Logger?
    ) {
        self.number = number
        self.configuration = configuration
        self.directory = directory
        self.logger = logger ?? Logger(label: "aviary.testing") { _ in SwiftLogNoOpLogHandler() }
        port = configuration.clientPort
    }

    /// What clients are given to connect here: `127.0.0.1:port`.
    public var connectString: String { "127.0.0.1:\(port)" }

    /// The server's `dataDir`, until ``close()``.
    public var dataDirectory: String { configuration.dataDir }

    // MARK: Coming and going

    /// Stops the server; its clients lose their connections, and their sessions live on in the data.
    /// Does nothing if it does not run.
    public func stop() async {
        if let server = take() { await server.stop() }
    }

    /// Stops the server as abruptly as a process can that goes on itself: connections are reset, what
    /// was not sent is lost, and so is what was not on its way to the disk.
    public func kill() async {
        if let server = take() { await server.kill() }
    }

    /// Starts the server on its data and its port, after stopping it if it runs.
    ///
    /// - Throws: ``TestingError``, if it cannot start.
    public func restart() async throws {
        await stop()
        let server: Server
        do throws(LaunchError) {
            let logger = logger
            server = try await Server.start(configuration, logger: logger) { error in
                logger.critical("the server is of no use any more", metadata: ["error": "\(error)"])
            }
        } catch {
            throw TestingError("the server did not start: \(error.message)")
        }
        state.withLock { state in
            state.server = server
            server.bar(Set(state.barred))
            // The port was open before.
            for session in state.barred { _ = server.cutOff(session) }
        }
    }

    /// Stops the server and removes its data. A member of an ensemble is only stopped.
    public func close() async throws {
        await stop()
        try directory?.remove()
    }

    /// Whether the server was started and not stopped.
    public var isRunning: Bool { running != nil }

    /// Whether clients are served: the server runs, and in an ensemble has a leader or is it.
    public var isServing: Bool { running?.isServing ?? false }

    /// Whether the server leads; one that is alone does.
    public var isLeader: Bool { running?.isLeading ?? false }

    /// - Throws: ``TestingError`` when the time is over.
    public func waitUntilServing(timeout: Duration = .seconds(30)) async throws {
        try await wait(timeout, until: "server \(number) serves clients") { isServing }
    }

    // MARK: Sessions

    /// Ends a session as if its time were up: its ephemeral nodes and watches go, and its client
    /// learns it when it connects again. Returns when it is done.
    ///
    /// In an ensemble only the leader can: use ``TestingEnsemble/expireSession(_:)``.
    ///
    /// - Throws: ``TestingError``, if there is no such session or the server cannot end it.
    public func expireSession(_ session: SessionID) async throws {
        guard let server = running else { throw notRunning }
        guard server.expire(session) else {
            throw TestingError(
                server.isLeading
                    ? "there is no session \(session); pass the number of one that is open"
                    : "server \(number) does not lead and cannot end a session; ask the ensemble")
        }
        try await wait(.seconds(30), until: "session \(session) has ended") {
            !server.hasSession(session)
        }
    }

    /// Breaks a session's connection. The session lives on, and its client may connect again at once.
    ///
    /// - Throws: ``TestingError``, if the session is not connected here.
    public func cutOff(_ session: SessionID) throws {
        guard isRunning else { throw notRunning }
        guard breakConnection(of: session) else {
            throw TestingError("session \(session) is not connected to server \(number)")
        }
    }

    /// Breaks a session's connection, and lets its client in again only when `body` has ended. The
    /// session can expire meanwhile.
    public func withSessionCutOff<Result>(
        _ session: SessionID, _ body: () async throws -> Result
    ) async throws -> Result {
        bar(session)
        defer { admit(session) }
        return try await body()
    }

    /// - Returns: whether the session had a connection here.
    func breakConnection(of session: SessionID) -> Bool { running?.cutOff(session) ?? false }

    func bar(_ session: SessionID) {
        state.withLock { state in
            state.barred.append(session)
            state.server?.bar(Set(state.barred))
            _ = state.server?.cutOff(session)
        }
    }

    func admit(_ session: SessionID) {
        state.withLock { state in
            if let index = state.barred.firstIndex(of: session) { state.barred.remove(at: index) }
            state.server?.bar(Set(state.barred))
        }
    }

    var lastZxid: Zxid? { running?.lastZxid }

    private var running: Server? { state.withLock { $0.server } }

    private func take() -> Server? {
        state.withLock { state in
            defer { state.server = nil }
            return state.server
        }
    }

    private var notRunning: TestingError {
        TestingError("server \(number) does not run; call restart() first")
    }
}
