import AviaryClient
import AviaryServer
import Foundation
import Logging
import NIOCore
import Synchronization
import Testing

/// A directory that is gone when the test is over.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "aviary-\(UUID())")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }
}

/// Where a test finds its server: one of this process, or those that the environment names.
struct TestServer {
    /// "127.0.0.1:2181", or more of them.
    let servers: String
    /// A chroot that is this test's own, and is there.
    let root: Path

    var connectString: String { servers + "\(root)" }

    /// From AVIARY_CLIENT_SERVERS, "host:port,...", to run the suite against servers of any make.
    static let external = ProcessInfo.processInfo.environment["AVIARY_CLIENT_SERVERS"]
}

/// Runs `body` with a server, and a path of its own there.
func withTestServer(_ body: (TestServer) async throws -> Void) async throws {
    if let external = TestServer.external {
        try await onOwnPath(external, body)
    } else {
        let directory = try TemporaryDirectory()
        try await withServer(testConfiguration(directory.path)) { server in
            try await onOwnPath("127.0.0.1:\(server.port)", body)
        }
    }
}

private func onOwnPath(
    _ servers: String, _ body: (TestServer) async throws -> Void
) async throws {
    let root: Path = "/client-test-\(UUID().uuidString)"
    try await ZooKeeper.withSession(servers) { zk in
        try await zk.create(root)
    }
    try await body(TestServer(servers: servers, root: root))
    try await ZooKeeper.withSession(servers) { zk in try await deleteTree(zk, root) }
}

private func deleteTree(_ zk: ZooKeeper, _ path: Path) async throws {
    for name in try await zk.getChildren(path) { try await deleteTree(zk, path / name) }
    try await zk.delete(path)
}

/// For a server of this process on a port, 0 for a free one.
func testConfiguration(_ directory: String, port: Int = 0) -> ServerConfiguration {
    var configuration = ServerConfiguration(
        dataDir: directory, clientPort: port, clientPortAddress: "127.0.0.1")
    configuration.fourLetterWords = .all
    configuration.preAllocSizeKiB = 64
    return configuration
}

func startServer(_ configuration: ServerConfiguration) async throws -> Server {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    return try await Server.start(configuration, logger: logger) { error in
        fatalError("the disk failed: \(error)")
    }
}

func withServer(
    _ configuration: ServerConfiguration, _ body: (Server) async throws -> Void
) async throws {
    let server = try await startServer(configuration)
    do {
        try await body(server)
    } catch {
        await server.stop()
        throw error
    }
    await server.stop()
}

/// Waits until the condition holds; records an issue if it does not in so many seconds.
func eventually(
    within seconds: Int = 15, _ what: Comment,
    _ condition: () async throws -> Bool, sourceLocation: SourceLocation = #_sourceLocation
) async rethrows {
    let limit = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < limit {
        if try await condition() { return }
        try? await Task.sleep(for: .milliseconds(10))
    }
    Issue.record(what, sourceLocation: sourceLocation)
}

/// The next event, or nil and an issue if none comes in so many seconds.
func next(
    of watch: Watch, within seconds: Int = 15, sourceLocation: SourceLocation = #_sourceLocation
) async throws -> WatchEvent? {
    try await limited(seconds, sourceLocation) {
        var iterator = watch.makeAsyncIterator()
        return try await iterator.next()
    }
}

/// Ends with an issue what does not come to an end in so many seconds.
func limited<Value: Sendable>(
    _ seconds: Int = 15, _ sourceLocation: SourceLocation = #_sourceLocation,
    _ body: @Sendable @escaping () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value?.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: .seconds(seconds))
            return nil
        }
        defer { group.cancelAll() }
        guard let first = try await group.next(), let value = first else {
            Issue.record("took longer than \(seconds) s", sourceLocation: sourceLocation)
            throw TooLong()
        }
        return value
    }
}

struct TooLong: Error {}

/// The error of something that must fail.
func failure<Value>(
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () async throws(ClientError) -> Value
) async -> ClientError? {
    do throws(ClientError) {
        _ = try await body()
        Issue.record("no error", sourceLocation: sourceLocation)
        return nil
    } catch {
        return error
    }
}
