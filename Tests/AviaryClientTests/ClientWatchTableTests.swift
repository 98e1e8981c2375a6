import AviaryClient
import AviaryWire
import NIOCore
import Testing

/// What a session does about watches.
struct SessionWatchTests {
    @Test func `a watch counts from its reply, not from its request`() throws {
        var bench = try SessionBench()
        bench.connect()
        bench.watch(1, .data, "/a", xid: 1)
        _ = bench.submit(.getData("/a", watch: true), 2, watch: new(2, .data))
        // This is of the first.
        #expect(bench.notify(.nodeDataChanged, "/a") == [.event(1, event(.dataChanged, "/a"))])
        _ = bench.reply(2)
        #expect(bench.notify(.nodeDeleted, "/a") == [.event(2, event(.deleted, "/a"))])
        #expect(bench.notify(.nodeDeleted, "/a") == [])
    }

    @Test func `an exists watch is for creation where there is no node`() throws {
        var bench = try SessionBench()
        bench.connect()
        _ = bench.submit(.exists("/a", watch: true), 1, watch: new(1, .exists))
        _ = bench.reply(1, error: ZooKeeperError.noNode.rawValue)
        _ = bench.sentFrames()
        let lists = try bench.rearming()
        #expect(lists.map(\.exist) == [["/a"]])
        #expect(lists.map(\.data) == [[]])
    }

    @Test func `the server keeps a watch that somebody still needs`() throws {
        var bench = try SessionBench()
        bench.connect()
        bench.watch(1, .data, "/a", xid: 1)
        bench.watch(2, .exists, "/a", xid: 2)
        _ = bench.submit(.getData("/a", watch: true), 3, watch: new(3, .data))
        _ = bench.sentFrames()
        bench.session.unwatch(WatchID(1), at: bench.now)
        bench.session.unwatch(WatchID(2), at: bench.now)
        #expect(bench.sentHeaders() == [], "the third is on its way")
        _ = bench.reply(3)
        bench.session.unwatch(WatchID(3), at: bench.now)
        let removal = try #require(bench.sentFrames().first)
        let body = Array(removal[8...])
        var reader = JuteReader(body.raw)
        #expect(
            try WatchRequest(from: &reader)
                == WatchRequest(path: "/a", type: WatchKind.data.rawValue))
    }

    @Test func `a watch whose reader gave up before the reply is removed`() throws {
        var bench = try SessionBench()
        bench.connect()
        let number = bench.submit(.getData("/a", watch: true), 1, watch: new(1, .data))
        bench.session.cancel(number)
        _ = bench.sentFrames()
        _ = bench.reply(1)
        #expect(bench.sentHeaders().map(\.type) == [OpCode.removeWatches.rawValue])
    }

    @Test func `recursive watches see their tree by components, and no child lists`() throws {
        var bench = try SessionBench()
        bench.connect()
        bench.watch(1, .recursive, "/a", xid: 1)
        bench.watch(2, .recursive, "/", xid: 2)
        bench.watch(3, .persistent, "/a/b", xid: 3)
        #expect(
            bench.notify(.nodeCreated, "/a/b") == [
                .event(3, event(.created, "/a/b")), .event(1, event(.created, "/a/b")),
                .event(2, event(.created, "/a/b")),
            ])
        #expect(bench.notify(.nodeDeleted, "/ab") == [.event(2, event(.deleted, "/ab"))])
        #expect(
            bench.notify(.nodeChildrenChanged, "/a/b") == [
                .event(3, event(.childrenChanged, "/a/b"))
            ])
    }

    @Test func `watches are set again in bounded pieces, before what waits`() throws {
        var bench = try SessionBench { $0.rearmingPieceBytes = 26 }
        bench.connect()
        for number in 1...4 {
            bench.watch(number, .data, Path("/data\(number)"), xid: Int32(number))
        }
        bench.watch(5, .persistent, "/p", xid: 5)
        bench.watch(6, .recursive, "/r", xid: 6)
        _ = bench.reply(-2)
        bench.session.connectionLost(bench.attempt, at: bench.now)
        _ = bench.submit(.getData("/a", watch: false), 77)
        _ = bench.meetServer()
        _ = bench.answerHandshake()
        let frames = bench.sentFrames()
        let types = try frames.map { frame in
            var reader = JuteReader(frame.raw)
            return OpCode(rawValue: try RequestHeader(from: &reader).type)
        }
        #expect(types == [.setWatches, .setWatches2, .setWatches2, .getData])
        let first = try setWatches(frames[0])
        #expect(first.data == ["/data1", "/data2"])
        #expect(first.relativeZxid == Zxid(1))
        let second = try setWatches(frames[1])
        #expect(second.data == ["/data3", "/data4"])
        #expect(second.persistent == .init(plain: ["/p"], recursive: []))
        // Only when the server has it, is there nothing more to miss.
        #expect(bench.reply(7) == [])
        #expect(bench.reply(8) == [.event(5, event(.resync, "/p"))])
        #expect(bench.reply(9) == [.event(6, event(.resync, "/r"))])
    }

    @Test func `removing all watches of a path ends those that were there`() throws {
        var bench = try SessionBench()
        bench.connect()
        bench.watch(1, .data, "/a", xid: 1)
        bench.watch(2, .children, "/a", xid: 2)
        bench.watch(3, .persistent, "/b", xid: 3)
        let request = WatchRequest(path: "/a", type: WatchKind.any.rawValue)
        _ = bench.submit(.removeWatches(request), 9)
        let effects = bench.reply(4)
        #expect(effects.prefix(2) == [.endWatch(1, nil), .endWatch(2, nil)])
        #expect(effects.count == 3)
    }

    private func setWatches(_ frame: [UInt8]) throws -> SetWatchesRequest {
        var reader = JuteReader(frame.raw)
        let header = try RequestHeader(from: &reader)
        return header.type == OpCode.setWatches2.rawValue
            ? try SetWatchesRequest(withPersistentFrom: &reader)
            : try SetWatchesRequest(from: &reader)
    }
}

private func new(_ number: Int, _ registration: WatchRegistration) -> NewWatch<Int> {
    NewWatch(id: WatchID(UInt64(number)), watcher: number, registration: registration)
}

private func event(_ kind: WatchEvent.Kind, _ path: Path) -> WatchEvent {
    WatchEvent(kind: kind, path: path)
}

extension SessionBench {
    fileprivate mutating func watch(
        _ number: Int, _ registration: WatchRegistration, _ path: Path, xid: Int32
    ) {
        let operation: Operation =
            switch registration {
            case .exists: .exists(path, watch: true)
            case .data: .getData(path, watch: true)
            case .children: .getChildren2(path, watch: true)
            case .persistent: .addWatch(WatchRequest(path: path, type: 0))
            case .recursive: .addWatch(WatchRequest(path: path, type: 1))
            }
        _ = submit(operation, number, watch: new(number, registration))
        _ = sentFrames()
        _ = reply(xid)
    }

    /// What is sent to the next server about watches.
    fileprivate mutating func rearming() throws -> [SetWatchesRequest] {
        session.connectionLost(attempt, at: now)
        _ = meetServer()
        _ = answerHandshake()
        return try sentFrames().map { frame in
            var reader = JuteReader(frame.raw)
            _ = try RequestHeader(from: &reader)
            return try SetWatchesRequest(from: &reader)
        }
    }
}

/// Connect strings and the chroot's arithmetic.
struct ConnectStringTests {
    @Test(arguments: [
        ("a", ["a:2181"]), ("a:1,b:2", ["a:1", "b:2"]), (" a:1 , b ", ["a:1", "b:2181"]),
        ("[::1]:5,[fe80::2]", ["[::1]:5", "[fe80::2]:2181"]), ("a:,b:3", ["a:2181", "b:3"]),
        ("::1:2181", ["[::1]:2181"]), ("a:1,,b:2", ["a:1", "b:2"]),
    ])
    func `servers are read`(_ text: String, _ hosts: [String]) throws {
        #expect(try ConnectString(text).hosts.map(\.description) == hosts)
        #expect(try ConnectString(text + "/x/y").chroot == "/x/y")
        #expect(try ConnectString(text + "/").chroot == nil)
    }

    @Test(arguments: [
        "", "/a", "a:0", "a:x", "a:70000", "[::1", "[::1]2181", ":5", "a/b//c", "a/b/",
    ])
    func `what cannot be read is refused`(_ text: String) {
        #expect(throws: ClientError.self) { try ConnectString(text) }
    }

    @Test func `only what is below the chroot loses it`() {
        #expect(Path("/app/x").stripped(of: "/app") == "/x")
        #expect(Path("/app").stripped(of: "/app") == "/")
        #expect(Path("/apple").stripped(of: "/app") == "/apple")
        #expect(Path("/zookeeper/config").stripped(of: "/app") == "/zookeeper/config")
        #expect(Path("/").prefixed(by: "/app") == "/app")
        #expect(Path("/x").prefixed(by: "/app") == "/app/x")
        #expect(Path("/x").prefixed(by: nil) == "/x")
    }
}
