import AviaryClient
import Testing

/// Tasks of one actor hear things in the order in which the session tells them. That holds because
/// nothing between a continuation and the task that waits on it leaves the task's actor: what hops
/// off and back can be overtaken.
@Suite(.serialized)
struct IsolationTests {
    @Test func `on the main actor, events come in order and before the reply`() async throws {
        try await expectOrder(MainWitness())
    }

    @Test func `on any other actor, events come in order and before the reply`() async throws {
        try await expectOrder(Witness())
    }

    @Test @MainActor func `a state comes before what fails by it and what is answered in it`()
        async throws
    {
        try await withTestServer { server in
            let proxy = try await Proxy.start(to: server.servers)
            var configuration = ClientConfiguration()
            configuration.backoff = Backoff(initial: .milliseconds(1), maximum: .milliseconds(5))
            try await ZooKeeper.withSession(
                proxy.address + "\(server.root)", configuration: configuration
            ) { zk in
                try await zk.waitUntilConnected(timeout: .seconds(15))
                var heard: [SessionState] = []
                let reader = Task { for await state in zk.states { heard.append(state) } }
                while heard.isEmpty { await Task.yield() }
                for _ in 0..<200 {
                    heard = []
                    proxy.isMute.store(true, ordering: .relaxed)
                    let lost = zk.submit(.exists("/"))
                    proxy.close()
                    let error = await failure { () throws(ClientError) in try await lost.value }
                    #expect(error?.code == .connectionLost)
                    #expect(heard == [.suspended])
                    let next = zk.submit(.exists("/"))
                    proxy.isMute.store(false, ordering: .relaxed)
                    proxy.open()
                    _ = try await next.value
                    #expect(heard == [.suspended, .reconnected(sameSession: true)])
                }
                reader.cancel()
            }
            await proxy.stop()
        }
    }

    private func expectOrder(_ witness: some Hearing) async throws {
        try await withTestServer { server in
            try await ZooKeeper.withSession(server.connectString) { zk in
                try await zk.create("/a")
                try await zk.create("/b")
                let a = try await zk.addWatch("/a")
                let b = try await zk.addWatch("/b")
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await witness.follow(a) }
                    group.addTask { try await witness.follow(b) }
                    let heard = try await limited(60) { try await witness.write(zk, rounds: 500) }
                    let wrong = heard.filter { $0 != ["/a", "/b", "reply"] }
                    #expect(wrong.isEmpty, "\(wrong.count) of \(heard.count)")
                    group.cancelAll()
                }
            }
        }
    }
}

/// Notes down what its tasks hear, in the order in which they do.
private protocol Hearing: Actor {
    var followers: Int { get set }
    var heard: [String] { get set }
}

extension Hearing {
    func follow(_ watch: Watch) async throws {
        followers += 1
        for try await event in watch { heard.append("\(event.path)") }
    }

    /// - Returns: what was heard by the time of each reply.
    func write(_ zk: ZooKeeper, rounds: Int) async throws -> [[String]] {
        while followers < 2 { await Task.yield() }
        var all: [[String]] = []
        for _ in 0..<rounds {
            heard = []
            _ = zk.submit(.setData("/a", []))
            try await zk.setData("/b", [])
            all.append(heard + ["reply"])
        }
        return all
    }
}

private actor Witness: Hearing {
    var followers = 0
    var heard: [String] = []
}

private actor MainWitness: Hearing {
    var followers = 0
    var heard: [String] = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { MainActor.sharedUnownedExecutor }
}
