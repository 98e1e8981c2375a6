import AviaryClient
import Testing

@Suite(.serialized)
struct WatchTests {
    @Test func `a one-shot watch gives one event and ends`() async throws {
        try await withTestServer { server in
            try await ZooKeeper.withSession(server.connectString) { zk in
                try await zk.create("/a")
                let watched = try await zk.getDataAndWatch("/a")
                let stat = try await zk.setData("/a", [1])
                try await zk.setData("/a", [2])
                let events = try await limited {
                    var events: [WatchEvent] = []
                    for try await event in watched.watch { events.append(event) }
                    return events
                }
                #expect(events.map(\.kind) == [.dataChanged])
                #expect(events[0].path == "/a")
                // Servers before 3.9 do not tell the transaction.
                #expect(events[0].zxid == nil || events[0].zxid == stat.mzxid)
            }
        }
    }

    @Test func `each kind of one-shot watch fires for what it is set on`() async throws {
        try await withTestServer { server in
            try await ZooKeeper.withSession(server.connectString) { zk in
                let creation = try await zk.existsAndWatch("/a")
                #expect(creation.value == nil)
                try await zk.create("/a")
                #expect(try await next(of: creation.watch)?.kind == .created)

                let children = try await zk.getChildrenAndWatch("/a")
                try await zk.create("/a/b")
                #expect(try await next(of: children.watch)?.kind == .childrenChanged)
                try await zk.delete("/a/b")

                let exists = try await zk.existsAndWatch("/a")
                #expect(exists.value?.numChildren == 0)
                let last = try await zk.getChildrenAndWatch("/a")
                try await zk.delete("/a")
                #expect(try await next(of: exists.watch)?.kind == .deleted)
                #expect(try await next(of: last.watch)?.kind == .deleted)
            }
        }
    }

    @Test func `a read that fails sets no watch`() async throws {
        try await withTestServer { server in
            try await ZooKeeper.withSession(server.connectString) { zk in
                let error = await failure { () throws(ClientError) in
                    try await zk.getDataAndWatch("/none")
                }
                #expect(error?.refusal == .noNode)
                let isThere = try await zk.checkWatches("/none", kind: .data)
                #expect(!isThere)
            }
        }
    }

    @Test func `a persistent watch and a recursive one tell all that happens in their reach`()
        async throws
    {
        try await withTestServer { server in
            try await ZooKeeper.withSession(server.connectString) { zk in
                let plain = try await zk.addWatch("/a")
                // Servers before 3.9 keep only the last mode of a path.
                let tree = try await zk.addWatch("/", mode: .persistentRecursive)
                try await zk.create("/a")
                try await zk.create("/a/b")
                try await zk.setData("/a/b", [1])
                try await zk.create("/ab")
                try await zk.delete("/a/b")
                try await zk.delete("/a")
                let seen = try await take(6, of: tree)
                #expect(
                    seen.map(\.kind) == [
                        .created, .created, .dataChanged, .created, .deleted, .deleted,
                    ])
                #expect(seen.map(\.path) == ["/a", "/a/b", "/a/b", "/ab", "/a/b", "/a"])
                let own = try await take(3, of: plain)
                // Two changes of the children right after each other have become one.
                #expect(own.map(\.kind) == [.created, .childrenChanged, .deleted])
            }
        }
    }

    @Test func `an event is there before the reply that shows the change`() async throws {
        try await withTestServer { server in
            try await ZooKeeper.withSession(server.connectString) { zk in
                try await zk.create("/a")
                for round in 0..<50 {
                    let watched = try await zk.getDataAndWatch("/a")
                    try await zk.setData("/a", [UInt8(round)])
                    let wasRemoved = try await zk.checkWatches("/a", kind: .data)
                    #expect(!wasRemoved)
                    #expect(try await next(of: watched.watch, within: 1)?.kind == .dataChanged)
                }
            }
        }
    }

    @Test func `a watch that is dropped is removed at the server`() async throws {
        try await withTestServer { server in
            try await ZooKeeper.withSession(server.connectString) { zk in
                try await zk.create("/a")
                func twoThenOne() async throws {
                    let kept = try await zk.getDataAndWatch("/a")
                    _ = try await zk.getDataAndWatch("/a")
                    // The other is dropped by now; this one still needs the server's.
                    #expect(try await zk.checkWatches("/a", kind: .data))
                    try await zk.setData("/a", [1])
                    #expect(try await next(of: kept.watch)?.kind == .dataChanged)
                }
                try await twoThenOne()
                func one() async throws {
                    let watched = try await zk.getDataAndWatch("/a")
                    #expect(try await zk.checkWatches("/a", kind: .data))
                    _ = watched
                }
                try await one()
                #expect(try await zk.checkWatches("/a", kind: .data) == false)
                func persistent() async throws {
                    let watch = try await zk.addWatch("/a", mode: .persistentRecursive)
                    try await zk.setData("/a", [2])
                    #expect(try await next(of: watch)?.kind == .dataChanged)
                }
                try await persistent()
                let refused = await failure { () throws(ClientError) in
                    try await zk.removeWatches("/a", kind: .any)
                }
                #expect(refused?.refusal == .noWatcher)
            }
        }
    }

    @Test func `cancelling and removing end the sequences`() async throws {
        try await withTestServer { server in
            try await ZooKeeper.withSession(server.connectString) { zk in
                try await zk.create("/a")
                let watch = try await zk.addWatch("/a")
                let ends = Task { try await next(of: watch) }
                watch.cancel()
                #expect(try await ends.value == nil)
                let other = try await zk.getDataAndWatch("/a")
                try await zk.removeWatches("/a")
                #expect(try await next(of: other.watch) == nil)
                let cancelled = try await zk.getDataAndWatch("/a")
                let waiting = Task { try await next(of: cancelled.watch) }
                waiting.cancel()
                _ = await waiting.result
            }
        }
    }

    @Test func `a slow reader gets the newest of one node and the last of many`() async throws {
        try await withTestServer { server in
            var configuration = ClientConfiguration()
            configuration.watchBuffer = 4
            try await ZooKeeper.withSession(
                server.connectString, configuration: configuration
            ) { zk in
                try await zk.create("/a")
                let node = try await zk.addWatch("/a")
                var last = Zxid.zero
                for value in UInt8(0)..<100 { last = try await zk.setData("/a", [value]).mzxid }
                let merged = try await take(1, of: node)
                #expect(merged[0].kind == .dataChanged)
                #expect(merged[0].zxid == nil || merged[0].zxid == last)

                let tree = try await zk.addWatch("/a", mode: .persistentRecursive)
                for index in 0..<21 { try await zk.create("/a" / "n\(index)") }
                let first = try await take(1, of: tree)
                #expect(first == [WatchEvent(kind: .resync, path: "/a")])
                var newest: WatchEvent?
                while newest?.path != "/a/n20" {
                    newest = try await next(of: tree)
                    #expect(newest?.kind == .created)
                    if newest == nil { break }
                }
            }
        }
    }

    @Test func `what happened between two connections is told`() async throws {
        try await withTestServer { server in
            let proxy = try await Proxy.start(to: server.servers)
            try await ZooKeeper.withSession(proxy.address + "\(server.root)") { zk in
                try await zk.create("/a")
                try await zk.create("/quiet")
                let data = try await zk.getDataAndWatch("/a")
                let quiet = try await zk.getDataAndWatch("/quiet")
                let missing = try await zk.existsAndWatch("/b")
                let children = try await zk.getChildrenAndWatch("/")
                let tree = try await zk.addWatch("/", mode: .persistentRecursive)
                proxy.close()
                await eventually("suspended") { zk.state == .suspended }
                try await ZooKeeper.withSession(server.connectString) { other in
                    try await other.setData("/a", [9])
                    try await other.create("/b")
                }
                proxy.open()
                #expect(try await next(of: data.watch)?.kind == .dataChanged)
                #expect(try await next(of: missing.watch)?.kind == .created)
                #expect(try await next(of: children.watch)?.kind == .childrenChanged)
                // Its reply comes when the watches are set again. What the others were told before,
                // the tree was told as well, and the order to read again makes up for all of it.
                try await zk.sync("/")
                #expect(try await next(of: tree) == WatchEvent(kind: .resync, path: "/"))
                #expect(zk.state == .reconnected(sameSession: true))
                // And they are set again.
                try await zk.setData("/quiet", [1])
                #expect(try await next(of: quiet.watch)?.kind == .dataChanged)
                #expect(try await next(of: tree)?.path == "/quiet")
            }
            await proxy.stop()
        }
    }

    @Test func `more watches than go into one request are all set again`() async throws {
        try await withTestServer { server in
            let proxy = try await Proxy.start(to: server.servers)
            try await ZooKeeper.withSession(proxy.address + "\(server.root)") { zk in
                // 400 kB of paths: four requests.
                let paths = (0..<2000).map { index -> Path in
                    Path("/" + String(repeating: "n", count: 150) + "\(index)")
                }
                for pending in paths.map({ zk.submit(.create($0)) }) { _ = try await pending.value }
                var watches: [Watch] = []
                for pending in paths.map({ zk.submit(.getDataAndWatch($0)) }) {
                    watches.append(try await pending.value.watch)
                }
                proxy.cut()
                await eventually("reconnected") { zk.state == .reconnected(sameSession: true) }
                for pending in paths.map({ zk.submit(.setData($0, [1])) }) {
                    _ = try await pending.value
                }
                for (watch, path) in zip(watches, paths) {
                    #expect(
                        try await next(of: watch)?.path == path, "the watch of \(path) was lost")
                }
            }
            await proxy.stop()
        }
    }

    private func take(_ count: Int, of watch: Watch) async throws -> [WatchEvent] {
        var events: [WatchEvent] = []
        for _ in 0..<count {
            guard let event = try await next(of: watch) else { return events }
            events.append(event)
        }
        return events
    }
}
