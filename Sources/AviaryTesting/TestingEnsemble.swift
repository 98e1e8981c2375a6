public import AviaryWire
public import Logging

/// An ensemble of real servers in the process of a test, on free ports of the loopback interface.
///
///     try await TestingEnsemble.withEnsemble { ensemble in
///         try await ZooKeeper.withSession(ensemble.connectString) { zk in
///             try await zk.create("/a")
///             let leader = try await ensemble.waitForLeader()
///             await leader.kill()
///             // The others elect a leader, and the client goes on with its session.
///             try await zk.setData("/a", Array("b".utf8))
///             try await leader.restart()
///             try await ensemble.waitUntilServing()
///         }
///     }
public final class TestingEnsemble: Sendable {
    /// In the order of their numbers, from 1 on. Each can be stopped, killed and restarted.
    public let members: [TestingServer]
    private let directory: TestingDirectory

    /// Runs `body` with an ensemble whose members all serve, and removes them and their data after it,
    /// also when it throws.
    ///
    /// - Parameters:
    ///   - count: how many members it has. With 3 one may be down, with 5 two.
    ///   - settings: as of ``TestingServer/withServer(settings:logger:_:)``.
    ///   - logger: takes what the members log; nil: nobody does.
    ///   - body: is given the ensemble.
    /// - Throws: what `body` throws, or ``TestingError``.
    public static func withEnsemble<Result>(
        of count: Int = 3, settings: [String: String] = [:], logger: Logger? = nil,
        _ body: (TestingEnsemble) async throws -> Result
    ) async throws -> Result {
        let ensemble = try await start(of: count, settings: settings, logger: logger)
        do {
            let result = try await body(ensemble)
            try await ensemble.close()
            return result
        } catch {
            try await ensemble.close()
            throw error
        }
    }

    /// For tests that cannot use ``withEnsemble(of:settings:logger:_:)``: end it with ``close()``.
    ///
    /// - Precondition: `count` is 1 or more.
    /// - Throws: ``TestingError``.
    public static func start(
        of count: Int = 3, settings: [String: String] = [:], logger: Logger? = nil
    ) async throws -> TestingEnsemble {
        precondition(count >= 1, "an ensemble has a member")
        let directory = try TestingDirectory()
        let ensemble: TestingEnsemble
        do {
            ensemble = TestingEnsemble(
                try members(count, in: directory, settings, logger), directory)
        } catch {
            try directory.remove()
            throw error
        }
        do {
            for member in ensemble.members { try await member.restart() }
            try await ensemble.waitUntilServing()
            return ensemble
        } catch {
            try await ensemble.close()
            throw error
        }
    }

    private init(_ members: [TestingServer], _ directory: TestingDirectory) {
        self.members = members
        self.directory = directory
    }

    private static func members(
        _ count: Int, in directory: TestingDirectory, _ settings: [String: String],
        _ logger: Logger?
    ) throws(TestingError) -> [TestingServer] {
        let ports = try FreePorts.find(3 * count)
        let lines = (1...count).map { number in
            "server.\(number)=127.0.0.1:\(ports[3 * number - 3]):\(ports[3 * number - 2])"
        }
        var members: [TestingServer] = []
        for number in 1...count {
            let configuration = try TestingSettings.configuration(
                directory: "\(directory.path)/server-\(number)", port: ports[3 * number - 1],
                number: number, members: lines, settings)
            members.append(
                TestingServer(number: number, configuration, directory: nil, logger: logger))
        }
        return members
    }

    /// What clients are given: all members, also those that are down.
    public var connectString: String {
        members.map(\.connectString).joined(separator: ",")
    }

    /// The member that leads and serves clients; nil while there is none.
    public var leader: TestingServer? {
        members.first { $0.isLeader && $0.isServing }
    }

    /// - Throws: ``TestingError`` when the time is over.
    @discardableResult
    public func waitForLeader(timeout: Duration = .seconds(30)) async throws -> TestingServer {
        var leader: TestingServer?
        try await wait(timeout, until: "a member leads") {
            leader = self.leader
            return leader != nil
        }
        guard let leader else { throw TestingError("the leader is gone again; wait once more") }
        return leader
    }

    /// Waits until all members that run serve clients, and one of them leads.
    ///
    /// - Throws: ``TestingError`` when the time is over, or more members are down than may be.
    public func waitUntilServing(timeout: Duration = .seconds(30)) async throws {
        let running = members.count { $0.isRunning }
        guard 2 * running > members.count else {
            throw TestingError(
                "\(running) of \(members.count) members run, which is no majority; restart some")
        }
        try await wait(timeout, until: "all members that run serve clients") {
            leader != nil && members.allSatisfy { $0.isServing || !$0.isRunning }
        }
    }

    /// Ends a session as if its time were up: its ephemeral nodes and watches go, and its client
    /// learns it when it connects again. Returns when all members that serve have done it.
    ///
    /// - Throws: ``TestingError``, if there is no such session, or no leader.
    public func expireSession(_ session: SessionID) async throws {
        let leader = try await waitForLeader()
        try await leader.expireSession(session)
        guard let zxid = leader.lastZxid else { return }
        try await wait(.seconds(30), until: "all members know of the end of \(session)") {
            members.allSatisfy { !$0.isServing || ($0.lastZxid ?? zxid) >= zxid }
        }
    }

    /// Breaks a session's connection, wherever it is. The session lives on, and its client may
    /// connect again at once.
    ///
    /// - Throws: ``TestingError``, if the session is connected nowhere.
    public func cutOff(_ session: SessionID) throws {
        // After a move two members may still have a connection of the session.
        let broken = members.count { $0.breakConnection(of: session) }
        guard broken == 0 else { return }
        throw TestingError("session \(session) is connected to no member")
    }

    /// Breaks a session's connection, and lets its client in again, at any member, only when `body`
    /// has ended. The session can expire meanwhile.
    public func withSessionCutOff<Result>(
        _ session: SessionID, _ body: () async throws -> Result
    ) async throws -> Result {
        for member in members { member.bar(session) }
        defer { for member in members { member.admit(session) } }
        return try await body()
    }

    /// Stops all members and removes their data.
    public func close() async throws {
        for member in members { await member.stop() }
        try directory.remove()
    }
}
