import AviaryClient
import Testing

/// The order of requests, and what becomes of those whose reply is lost.
@Suite(.serialized)
struct OrderTests {
    @Test func `what is submitted is done in that order`() async throws {
        try await withTestServer { server in
            try await ZooKeeper.withSession(server.connectString) { zk in
                let created = (0..<1000).map { _ in
                    zk.submit(.create("/s-", mode: .persistentSequential))
                }
                var last: CreatedNode?
                for pending in created {
                    let node = try await pending.value
                    if let last {
                        #expect(node.path > last.path)
                        #expect(node.stat.czxid > last.stat.czxid)
                    }
                    last = node
                }
                try await zk.create("/v")
                for value in 0..<200 {
                    let write = zk.submit(.setData("/v", [UInt8(value)]))
                    let read = zk.submit(.getData("/v"))
                    #expect(try await read.value.data == [UInt8(value)])
                    #expect(try await write.value.version == Int32(value + 1))
                }
            }
        }
    }

    @Test func `a lost reply is told from a refusal and from what was never sent`() async throws {
        try await withTestServer { server in
            let proxy = try await Proxy.start(to: server.servers)
            let zk = try ZooKeeper(proxy.address + "\(server.root)")
            // The connection breaks somewhere in the middle of these. They are all submitted before
            // there is one: what is submitted after the break is done on the next.
            proxy.cutAfter.store(40_000, ordering: .relaxed)
            let submitted = (0..<2000).map { zk.submit(.create("/n\(1000 + $0)")) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await zk.run() }
                var outcomes: [Outcome] = []
                for pending in submitted { outcomes.append(await Outcome(of: pending)) }
                try await zk.waitUntilConnected(timeout: .seconds(15))
                let there = Set(try await zk.getChildren("/"))
                for (index, outcome) in outcomes.enumerated() {
                    let isThere = there.contains("n\(1000 + index)")
                    switch outcome {
                    case .done: #expect(isThere)
                    case .notDone: #expect(!isThere)
                    case .unknown: break
                    }
                }
                // First those that were done, then those that are not known, then the rest.
                #expect(outcomes == outcomes.sorted { $0.rawValue < $1.rawValue })
                #expect(outcomes.last != .done)
                // What was lost does not hold up what comes.
                try await zk.create("/last")
                group.cancelAll()
            }
            await proxy.stop()
        }
    }

    @Test func `a read whose reply is lost was simply not done`() async throws {
        try await withTestServer { server in
            let proxy = try await Proxy.start(to: server.servers)
            try await ZooKeeper.withSession(proxy.address + "\(server.root)") { zk in
                try await zk.create("/a")
                proxy.isMute.store(true, ordering: .relaxed)
                let read = zk.submit(.getData("/a"))
                let write = zk.submit(.setData("/a", [1]))
                try await Task.sleep(for: .milliseconds(50))
                proxy.cut()
                proxy.isMute.store(false, ordering: .relaxed)
                let lost = await failure { () throws(ClientError) in try await read.value }
                #expect(lost?.code == .connectionLost)
                #expect(lost?.outcome == .notDone)
                let unknown = await failure { () throws(ClientError) in try await write.value }
                #expect(unknown?.code == .connectionLost)
                #expect(unknown?.outcome == .unknown)
                let written = try await zk.getData("/a")
                #expect(written.data == [1])
            }
            await proxy.stop()
        }
    }

    @Test func `deadlines and cancellation end the wait, and say whether it was sent`()
        async throws
    {
        try await withTestServer { server in
            let proxy = try await Proxy.start(to: server.servers)
            try await ZooKeeper.withSession(proxy.address + "\(server.root)") { zk in
                try await zk.create("/a")
                proxy.isMute.store(true, ordering: .relaxed)
                let late = zk.submit(.setData("/a", [1]), timeout: .milliseconds(100))
                let timedOut = await failure { () throws(ClientError) in try await late.value }
                #expect(timedOut?.code == .timedOut)
                #expect(timedOut?.outcome == .unknown)
                let write = Task {
                    await failure { () throws(ClientError) in
                        try await zk.setData("/a", [2])
                    }
                }
                try await Task.sleep(for: .milliseconds(50))
                write.cancel()
                let cancelled = await write.value
                #expect(cancelled?.code == .cancelled)
                #expect(cancelled?.outcome == .unknown)
                proxy.cut()
                proxy.isMute.store(false, ordering: .relaxed)
                var read: NodeData?
                await eventually("the session goes on") {
                    read = try? await zk.getData("/a")
                    return read != nil
                }
                #expect(read?.data == [2])
            }
            await proxy.stop()
        }
    }

    @Test func `what is not sent yet can be taken back, and is bounded`() async throws {
        var configuration = ClientConfiguration()
        configuration.maximumOutstanding = 3
        let zk = try ZooKeeper("127.0.0.1:1", configuration: configuration)
        let task = Task { await failure { () throws(ClientError) in try await zk.create("/a") } }
        try await Task.sleep(for: .milliseconds(20))
        task.cancel()
        let cancelled = await task.value
        #expect(cancelled?.code == .cancelled)
        #expect(cancelled?.outcome == .notDone)
        let waiting = (0..<3).map { _ in zk.submit(.getData("/a"), timeout: .milliseconds(200)) }
        let refused = await failure { () throws(ClientError) in try await zk.getData("/a") }
        #expect(refused?.code == .queueFull)
        for pending in waiting {
            let error = await failure { () throws(ClientError) in try await pending.value }
            #expect(error?.code == .timedOut)
            #expect(error?.outcome == .notDone)
        }
    }

    private enum Outcome: Int {
        case done
        case unknown
        case notDone

        init(of pending: Pending<CreatedNode>) async {
            do throws(ClientError) {
                _ = try await pending.value
                self = .done
            } catch {
                self = error.outcome == .unknown ? .unknown : .notDone
            }
        }
    }
}
