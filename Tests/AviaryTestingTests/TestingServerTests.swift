import AviaryClient
import AviaryTesting
import Foundation
import Testing

@Suite(.timeLimit(.minutes(2)))
struct TestingServerTests {
    @Test func `an expired session ends for its client, and its ephemerals are gone`() async throws
    {
        try await TestingServer.withServer { server in
            try await ZooKeeper.withSession(server.connectString) { witness in
                try await ZooKeeper.withSession(server.connectString) { zk in
                    try await zk.create("/e", mode: .ephemeral)
                    try await server.expireSession(zk.sessionID)
                    #expect(try await witness.exists("/e") == nil)
                    var last: SessionState?
                    for await state in zk.states { last = state }
                    #expect(last == .expired)
                }
                #expect(witness.state == .connected)
            }
        }
    }

    @Test func `what is not there cannot be expired or cut off`() async throws {
        try await TestingServer.withServer { server in
            await #expect(throws: TestingError.self) {
                try await server.expireSession(SessionID(77))
            }
            #expect(throws: TestingError.self) { try server.cutOff(SessionID(77)) }
            await server.stop()
            await #expect(throws: TestingError.self) {
                try await server.expireSession(SessionID(77))
            }
        }
    }

    @Test func `a client that is cut off goes on with its session`() async throws {
        try await TestingServer.withServer { server in
            try await ZooKeeper.withSession(server.connectString) { zk in
                try await zk.create("/e", mode: .ephemeral)
                let id = zk.sessionID
                var states = zk.states.makeAsyncIterator()
                #expect(await states.next() == .connected)
                try server.cutOff(id)
                #expect(await states.next() == .suspended)
                #expect(await states.next() == .reconnected(sameSession: true))
                #expect(zk.sessionID == id)
                #expect(try await zk.exists("/e")?.ephemeralOwner == id.rawValue)
            }
        }
    }

    @Test func `a client is kept out for as long as a test wants`() async throws {
        try await TestingServer.withServer { server in
            try await ZooKeeper.withSession(server.connectString) { zk in
                try await zk.create("/e", mode: .ephemeral)
                let id = zk.sessionID
                try await server.withSessionCutOff(id) {
                    await zk.untilSuspended()
                    await #expect(throws: ClientError.self) {
                        try await zk.waitUntilConnected(timeout: .milliseconds(400))
                    }
                    // Others are served meanwhile.
                    try await ZooKeeper.withSession(server.connectString) { other in
                        let stat = try await other.exists("/e")
                        #expect(stat?.ephemeralOwner == id.rawValue)
                    }
                }
                try await zk.waitUntilConnected(timeout: .seconds(10))
                #expect(zk.state == .reconnected(sameSession: true))
                #expect(zk.sessionID == id)
            }
        }
    }

    @Test(arguments: [false, true])
    func `data and sessions outlive a restart`(isKilled: Bool) async throws {
        try await TestingServer.withServer { server in
            try await ZooKeeper.withSession(server.connectString) { zk in
                try await zk.create("/a", Array("1".utf8))
                try await zk.create("/e", mode: .ephemeral)
                let id = zk.sessionID
                if isKilled { await server.kill() } else { await server.stop() }
                #expect(!server.isRunning)
                try await server.restart()
                #expect(try await zk.getData("/a").text == "1")
                #expect(zk.sessionID == id)
                #expect(try await zk.exists("/e")?.ephemeralOwner == id.rawValue)
            }
        }
    }

    @Test func `settings are those of zoo cfg, and a mistake in them is told`() async throws {
        try await TestingServer.withServer(settings: ["minSessionTimeout": "5000"]) { server in
            var configuration = ClientConfiguration()
            configuration.sessionTimeout = .seconds(1)
            try await ZooKeeper.withSession(
                server.connectString, configuration: configuration
            ) { zk in
                try await zk.waitUntilConnected()
                #expect(zk.negotiatedTimeout == .seconds(5))
            }
        }
        let error = await #expect(throws: TestingError.self) {
            try await TestingServer.withServer(settings: ["tickTime": "soon"]) { _ in }
        }
        #expect(error?.message.contains("tickTime") == true)
    }

    @Test func `nothing of it is left, whatever a test throws`() async throws {
        struct Mistake: Error {}
        var directory: String?
        await #expect(throws: Mistake.self) {
            try await TestingServer.withServer { server in
                directory = server.dataDirectory
                #expect(FileManager.default.fileExists(atPath: server.dataDirectory))
                throw Mistake()
            }
        }
        let path = try #require(directory)
        #expect(!FileManager.default.fileExists(atPath: path))
        let parent = URL(filePath: path).deletingLastPathComponent().path
        #expect(!FileManager.default.fileExists(atPath: parent))
    }
}

extension ZooKeeper {
    /// Returns when the connection is broken, or the session over.
    func untilSuspended() async {
        for await state in states where state == .suspended { return }
    }
}
