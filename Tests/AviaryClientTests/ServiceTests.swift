#if ServiceLifecycle
    import AviaryClient
    import Logging
    import ServiceLifecycle
    import Testing

    struct ServiceTests {
        @Test func `a graceful shutdown closes the session after those who use it`() async throws {
            try await withTestServer { server in
                let zk = try ZooKeeper(server.connectString)
                // The last in the list is the first to be told to end.
                let group = Self.group(zk, Worker(zk: zk))
                try await ZooKeeper.withSession(server.connectString) { observer in
                    async let running: Void = limited { try await group.run() }
                    var node: Stat?
                    try await eventually("the worker is at work") {
                        node = try await observer.exists("/at-work")
                        return node != nil
                    }
                    #expect(node?.ephemeralOwner == zk.sessionID.rawValue)
                    await group.triggerGracefulShutdown()
                    try await running
                    #expect(zk.state == .closed)
                    try await observer.sync()
                    #expect(try await observer.exists("/farewell") != nil)
                    // The session was ended at the server, not left to its timeout.
                    #expect(try await observer.exists("/at-work") == nil)
                }
            }
        }

        @Test func `a session that expires ends its group with the reason`() async throws {
            let directory = try TemporaryDirectory()
            try await withServer(testConfiguration(directory.path)) { server in
                let zk = try ZooKeeper("127.0.0.1:\(server.port)")
                let group = Self.group(zk)
                async let running: Void = limited { try await group.run() }
                try await zk.waitUntilConnected(timeout: .seconds(15))
                #expect(server.expire(zk.sessionID))
                do {
                    try await running
                    Issue.record("no error")
                } catch let error as ClientError {
                    #expect(error.code == .sessionExpired)
                }
            }
        }

        private static func group(_ services: any Service...) -> ServiceGroup {
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            return ServiceGroup(services: services, logger: logger)
        }
    }

    /// Is at work until it is told to end, and says farewell then.
    private struct Worker: Service {
        let zk: ZooKeeper

        func run() async throws {
            try await zk.create("/at-work", mode: .ephemeral)
            try await gracefulShutdown()
            try await zk.create("/farewell")
        }
    }
#endif
