import AviaryClient
import AviaryServer
import Testing

/// Sessions over connections that break, against Aviary or the servers of AVIARY_CLIENT_SERVERS.
@Suite(.serialized)
struct SessionTests {
    @Test func `run connects, and returns when the session is closed or the task cancelled`()
        async throws
    {
        try await withTestServer { server in
            let zk = try ZooKeeper(server.connectString)
            #expect(zk.state == .connecting)
            async let running: Void = zk.run()
            try await zk.waitUntilConnected(timeout: .seconds(15))
            #expect(zk.sessionID != .none)
            #expect(zk.connectedServer != nil)
            await zk.close()
            try await running
            #expect(zk.state == .closed)
            let error = await failure { () throws(ClientError) in try await zk.getData("/") }
            #expect(error?.code == .closed)
            #expect(error?.outcome == .notDone)

            let other = try ZooKeeper(server.connectString)
            let task = Task { try await other.run() }
            try await other.waitUntilConnected(timeout: .seconds(15))
            task.cancel()
            try await task.value
            #expect(other.state == .closed)
        }
    }

    @Test func `ephemeral nodes go with the session`() async throws {
        try await withTestServer { server in
            try await ZooKeeper.withSession(server.connectString) { observer in
                try await ZooKeeper.withSession(server.connectString) { zk in
                    try await zk.create("/e", mode: .ephemeral)
                }
                try await observer.sync()
                #expect(try await observer.exists("/e") == nil)
            }
        }
    }

    @Test func `a session goes on over a connection that breaks`() async throws {
        try await withTestServer { server in
            let proxy = try await Proxy.start(to: server.servers)
            try await ZooKeeper.withSession(proxy.address + "\(server.root)") { zk in
                let states = Task {
                    var seen: [SessionState] = []
                    for await state in zk.states { seen.append(state) }
                    return seen
                }
                try await zk.create("/e", mode: .ephemeral)
                let id = zk.sessionID
                for _ in 0..<5 {
                    proxy.cut()
                    await eventually("the session goes on") {
                        (try? await zk.exists("/e")) != nil
                    }
                }
                #expect(zk.sessionID == id)
                #expect(try await zk.exists("/e")?.ephemeralOwner == id.rawValue)
                await zk.close()
                let seen = await states.value
                #expect(seen.contains(.suspended))
                #expect(seen.contains(.reconnected(sameSession: true)))
                #expect(seen.last == .closed)
            }
            await proxy.stop()
        }
    }

    @Test func `a session that expired says so to all who wait`() async throws {
        try await withTestServer { server in
            let proxy = try await Proxy.start(to: server.servers)
            let zk = try ZooKeeper(proxy.address + "\(server.root)")
            async let ending = failure { () throws(ClientError) in try await zk.run() }
            try await zk.waitUntilConnected(timeout: .seconds(15))
            try await zk.create("/a")
            let watch = try await zk.addWatch("/a")
            let event = Task { try await next(of: watch) }
            proxy.close()
            await eventually("suspended") { zk.state == .suspended }
            var resuming = ClientConfiguration()
            resuming.resuming = zk.credentials
            try await ZooKeeper.withSession(server.servers, configuration: resuming) { other in
                _ = try await other.exists("/")
                #expect(other.sessionID == zk.sessionID)
            }
            let waiting = zk.submit(.getData("/a"))
            proxy.open()
            #expect(await ending?.code == .sessionExpired)
            #expect(zk.state == .expired)
            let refused = await failure { () throws(ClientError) in try await waiting.value }
            #expect(refused?.code == .sessionExpired)
            #expect(refused?.outcome == .notDone)
            let thrown = await #expect(throws: ClientError.self) { try await event.value }
            #expect(thrown?.code == .sessionExpired)
            await proxy.stop()
        }
    }

    @Test func `credentials are given again on each connection`() async throws {
        try await withTestServer { server in
            let proxy = try await Proxy.start(to: server.servers)
            var configuration = ClientConfiguration()
            configuration.credentials = [.digest(user: "ann", password: "x")]
            try await ZooKeeper.withSession(
                proxy.address + "\(server.root)", configuration: configuration
            ) { zk in
                try await zk.create("/mine", acl: ACL.creatorOnly)
                try await zk.addAuth(scheme: "digest", Array("bob:y".utf8))
                proxy.cut()
                await eventually("reconnected") { zk.state == .reconnected(sameSession: true) }
                let who = try await zk.whoAmI().map(\.id)
                #expect(who.contains("ann") && who.contains("bob"))
                #expect(try await zk.getData("/mine").data == [])
                try await zk.delete("/mine")
            }
            await proxy.stop()
        }
    }

    @Test func `servers that do not answer are passed over`() async throws {
        try await withTestServer { server in
            var configuration = ClientConfiguration()
            configuration.shufflesServers = false
            // Nobody listens on port 1; the name is looked up.
            let servers = "127.0.0.1:1,localhost:1,\(server.servers)\(server.root)"
            try await ZooKeeper.withSession(servers, configuration: configuration) { zk in
                let children = try await zk.getChildren("/")
                #expect(children == [])
            }
        }
    }

    @Test func `a read-only server serves until one with a quorum is found`() async throws {
        try await withTestServer { server in
            let fake = try await FakeServer.start(readOnly: true)
            var configuration = ClientConfiguration()
            configuration.shufflesServers = false
            configuration.allowsReadOnly = true
            let servers = "127.0.0.1:\(fake.port),\(server.servers)\(server.root)"
            try await ZooKeeper.withSession(servers, configuration: configuration) { zk in
                let states = Task {
                    var seen: [SessionState] = []
                    for await state in zk.states where seen.last != state {
                        seen.append(state)
                        if case .reconnected = state { return seen }
                    }
                    return seen
                }
                try await zk.waitUntilConnected(timeout: .seconds(15))
                let seen = try await limited { await states.value }
                #expect(
                    seen.drop { $0 == .connecting } == [
                        .readOnly, .suspended, .reconnected(sameSession: false),
                    ])
                #expect(zk.sessionID != SessionID(0x77))
                #expect(try await zk.getChildren("/") == [])
            }
            await fake.stop()
        }
    }
}

/// What needs a server made for it.
@Suite(.serialized)
struct OwnServerTests {
    @Test func `a session survives a restart of its server`() async throws {
        let directory = try TemporaryDirectory()
        let first = testConfiguration(directory.path)
        var server: Server? = try await startServer(first)
        let port = try #require(server?.port)
        try await ZooKeeper.withSession("127.0.0.1:\(port)") { zk in
            try await zk.create("/e", mode: .ephemeral)
            let watched = try await zk.getDataAndWatch("/e")
            await server?.stop()
            // It lets its directory go when nothing refers to it any more.
            server = nil
            await eventually("suspended") { zk.state == .suspended }
            let waiting = zk.submit(.setData("/e", [1]))
            try await withServer(testConfiguration(directory.path, port: port)) { _ in
                let stat = try await waiting.value
                #expect(stat.version == 1)
                let event = try await next(of: watched.watch)
                #expect(event?.kind == .dataChanged)
                #expect(zk.state == .reconnected(sameSession: true))
                await zk.close()
            }
        }
    }

    @Test func `an address of IPv6 is understood`() async throws {
        let directory = try TemporaryDirectory()
        var configuration = testConfiguration(directory.path)
        configuration.clientPortAddress = "::1"
        try await withServer(configuration) { server in
            try await ZooKeeper.withSession("[::1]:\(server.port)") { zk in
                let root = try await zk.exists("/")
                #expect(root != nil)
                #expect(zk.connectedServer == "[::1]:\(server.port)")
            }
        }
    }

    @Test func `SASL proves who the client is, on each connection`() async throws {
        let directory = try TemporaryDirectory()
        let users = directory.path + "/users"
        try "bob:se\"cret\n".write(toFile: users, atomically: true, encoding: .utf8)
        var server = testConfiguration(directory.path)
        server.security.saslUsersFile = users
        server.security.providers = [.sasl]
        server.security.sessionRequireClientSASLAuth = true
        try await withServer(server) { server in
            let proxy = try await Proxy.start(to: "127.0.0.1:\(server.port)")
            var configuration = ClientConfiguration()
            configuration.sasl = SASLCredential(user: "bob", password: "se\"cret")
            try await ZooKeeper.withSession(proxy.address, configuration: configuration) { zk in
                try await zk.create("/mine", acl: [ACL(.all, "sasl", "bob")])
                proxy.cut()
                await eventually("reconnected") { zk.state == .reconnected(sameSession: true) }
                #expect(try await zk.getData("/mine").data == [])
            }
            for password in ["wrong", nil] {
                configuration.sasl = password.map { SASLCredential(user: "bob", password: $0) }
                let zk = try ZooKeeper(proxy.address, configuration: configuration)
                async let ending = failure { () throws(ClientError) in try await zk.run() }
                let refused = await failure { () throws(ClientError) in
                    try await zk.getData("/mine")
                }
                #expect(refused != nil)
                #expect(await ending?.code == .authenticationFailed)
            }
            await proxy.stop()
        }
    }
}
