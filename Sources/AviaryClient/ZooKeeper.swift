public import AviaryWire
public import Logging
import NIOCore
import NIOPosix
import Synchronization

#if ServiceLifecycle
    import ServiceLifecycle
#endif

/// One session with a ZooKeeper ensemble, and what is asked in it.
///
/// It is made idle: ``run()`` connects it and keeps it connected, or ``withSession(_:configuration:logger:_:)``
/// does so for as long as a closure runs. It ends once, by ``close()``, or because the ensemble ended
/// it; then another has to be made.
///
/// Requests are sent in the order in which they are submitted, over all methods and threads, and the
/// ensemble carries them out in that order. When the connection breaks, all requests without a reply
/// fail, those that were not sent as well, so that none overtakes another.
public final class ZooKeeper: Sendable {
    let driver: Driver
    private let server: String

    /// - Parameters:
    ///   - connectString: `host:port,[::1]:2181/chroot`: servers that belong together, and a path
    ///     that stands before all paths. The port is 2181 where none is given.
    ///   - configuration: everything else.
    ///   - logger: nil logs nothing.
    /// - Throws: `.invalidArgument` if the connect string cannot be read.
    public convenience init(
        _ connectString: String, configuration: ClientConfiguration = ClientConfiguration(),
        logger: Logger? = nil
    ) throws(ClientError) {
        try self.init(
            connectString, configuration: configuration, logger: logger, transport: .tcp)
    }

    package init(
        _ connectString: String, configuration: ClientConfiguration, logger: Logger?,
        transport: Transport
    ) throws(ClientError) {
        let settings = SessionSettings(try ConnectString(connectString), configuration)
        let group = configuration.eventLoopGroup ?? MultiThreadedEventLoopGroup.singleton
        server = connectString
        driver = Driver(
            settings, watchLimit: configuration.watchBuffer, loop: group.next(),
            transport: transport, seed: .random(in: 0 ... .max),
            logger: logger ?? Logger(label: "aviary.client") { _ in SwiftLogNoOpLogHandler() })
    }

    deinit {
        driver.close()
    }

    /// Connects, and keeps the session connected until it ends.
    ///
    /// Returns when it was closed; cancelling the task closes it, as does a graceful shutdown where
    /// the package's trait `ServiceLifecycle` is on.
    ///
    /// - Throws: `.sessionExpired` or `.authenticationFailed`, if that ended it.
    public func run() async throws(ClientError) {
        driver.start()
        await untilEnded(isolation: #isolation)
        if let reason = driver.ending, reason != .closed { throw ClientError(reason) }
    }

    /// Stays on the caller's isolation, as the closures do that capture it.
    private func untilEnded(isolation: isolated (any Actor)?) async {
        await withTaskCancellationHandler {
            _ = isolation
            #if ServiceLifecycle
                await withGracefulShutdownHandler {
                    _ = isolation
                    await driver.untilEnded()
                } onGracefulShutdown: { [driver] in
                    driver.close()
                }
            #else
                await driver.untilEnded()
            #endif
        } onCancel: {
            driver.close()
        }
    }

    /// A session for as long as `body` runs: closed when it returns or throws.
    ///
    /// `body` need not wait for the connection: what it asks for is sent when there is one.
    @discardableResult
    public static func withSession<Result>(
        _ connectString: String, configuration: ClientConfiguration = ClientConfiguration(),
        logger: Logger? = nil, _ body: (ZooKeeper) async throws -> Result
    ) async throws -> Result {
        let zk = try ZooKeeper(connectString, configuration: configuration, logger: logger)
        zk.driver.start()
        do {
            let result = try await body(zk)
            await zk.close()
            return result
        } catch {
            await zk.close()
            throw error
        }
    }

    /// Ends the session at the ensemble, with its ephemeral nodes. What was asked before is still
    /// answered, if there is a connection; without one the ensemble keeps the session until its
    /// timeout. Returns when it is over, at most after some seconds, also in a cancelled task.
    public func close() async {
        driver.close()
        await driver.untilEnded()
    }

    /// Waits until a server serves the session.
    ///
    /// - Throws: `.timedOut`, `.cancelled`, or why the session is over.
    public func waitUntilConnected(timeout: Duration? = nil) async throws(ClientError) {
        try await driver.waitUntilConnected(timeout)
    }

    /// Where the session stands.
    public var state: SessionState { driver.state.withLock { $0.toldState } }

    /// Where the session stands, and what comes.
    public var states: SessionStates { SessionStates(driver: driver) }

    /// The session's number, as in the `ephemeralOwner` of its nodes; `.none` before there is one.
    public var sessionID: SessionID { driver.state.withLock { $0.session.sessionID } }

    /// What another ``ZooKeeper`` needs to go on with this session.
    public var credentials: SessionCredentials? {
        driver.state.withLock { $0.session.sessionCredentials }
    }

    /// How long the ensemble keeps the session without a word from here.
    public var negotiatedTimeout: Duration {
        .nanoseconds(driver.state.withLock { $0.session.negotiatedTimeout.nanoseconds })
    }

    /// The newest transaction that a reply has told of.
    public var lastZxid: Zxid { driver.state.withLock { $0.session.lastZxid } }

    /// The server that serves the session, as the connect string names it.
    public var connectedServer: String? {
        driver.state.withLock { $0.session.connectedHost?.description }
    }

    /// What stands before all paths, from the connect string.
    public var chroot: Path? { driver.chroot }

    /// Gives a request its place in the order, from any thread, and sends it as soon as can be.
    ///
    /// Never waits: what is wrong with the request is told by the reply.
    ///
    /// `timeout`: from now to the reply; nil for ``ClientConfiguration/requestTimeout``.
    public func submit<Reply>(
        _ request: Request<Reply>, timeout: Duration? = nil
    ) -> Pending<Reply> {
        driver.submit(request, timeout: timeout)
    }

    /// Submits a request and waits for the reply.
    func ask<Reply>(_ request: Request<Reply>) async throws(ClientError) -> Reply {
        #if Tracing
            try await traced(request)
        #else
            try await driver.submit(request, timeout: nil).value
        #endif
    }
}
