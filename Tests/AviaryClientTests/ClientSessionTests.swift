import AviaryClient
import AviaryWire
import NIOCore
import Testing

/// The session's machine: what comes in, what goes out.
struct ClientSessionTests {
    @Test func `the first handshake asks for a new session`() throws {
        var bench = try SessionBench()
        bench.session.start(at: bench.now)
        let effects = bench.effects()
        #expect(
            effects == [
                .connect(Host(name: "a", port: 1), attempt: 1, limit: .nanoseconds(3_333_333_333))
            ])
        let request = bench.meetServer()
        #expect(request?.session == SessionID.none)
        #expect(request?.timeoutMilliseconds == 10_000)
        #expect(request?.lastZxidSeen == .zero)
        #expect(bench.answerHandshake() == [.enter(.connected)])
        #expect(bench.session.sessionID == SessionID(0x11))
        #expect(bench.session.negotiatedTimeout == .seconds(9))
    }

    @Test func `a request waits for the handshake and goes out with the next xid`() throws {
        var bench = try SessionBench()
        bench.session.start(at: bench.now)
        _ = bench.effects()
        _ = bench.submit(.getData("/a", watch: false), 7)
        #expect(bench.session.outbox.readableBytes == 0)
        _ = bench.meetServer()
        _ = bench.answerHandshake()
        #expect(bench.sentHeaders() == [RequestHeader(xid: 1, type: OpCode.getData.rawValue)])
        let effects = bench.reply(1, zxid: 5)
        #expect(
            effects == [.reply(7, ReplyHeader(xid: 1, zxid: Zxid(5)), body: 20..<20)])
        #expect(bench.session.lastZxid == Zxid(5))
    }

    @Test func `a reply out of order breaks the connection, and everybody who waits is told`()
        throws
    {
        var bench = try SessionBench()
        bench.connect()
        _ = bench.submit(.getData("/a", watch: false), 7)
        _ = bench.submit(.delete(VersionRequest(path: "/b", version: -1)), 8)
        _ = bench.sentFrames()
        #expect(
            bench.reply(2) == [
                .disconnect(attempt: 1), .enter(.suspended),
                .fail(7, .connectionLost, .notDone, detail: nil),
                .fail(8, .connectionLost, .unknown, detail: nil),
            ])
    }

    @Test func `a silent session is kept by pings at a third of the timeout`() throws {
        var bench = try SessionBench()
        bench.connect()
        #expect(bench.session.deadline == bench.now + .seconds(3))
        #expect(bench.pass(.milliseconds(2999)) == [])
        #expect(bench.sentHeaders() == [])
        #expect(bench.pass(.milliseconds(1)) == [])
        #expect(bench.sentHeaders() == [RequestHeader(xid: -2, type: OpCode.ping.rawValue)])
        #expect(bench.reply(-2) == [])
        #expect(bench.session.lastZxid == .zero)
    }

    @Test func `a server that says nothing for two thirds of the timeout is left`() throws {
        var bench = try SessionBench()
        bench.connect()
        #expect(bench.pass(.seconds(3)) == [])
        #expect(bench.pass(.seconds(3)) == [.disconnect(attempt: 1), .enter(.suspended)])
        _ = bench.pass(.milliseconds(50))
        #expect(bench.host == Host(name: "b", port: 2))
        let request = bench.meetServer()
        #expect(request?.session == SessionID(0x11))
        #expect(request?.password == [UInt8](repeating: 5, count: 16))
        #expect(bench.answerHandshake() == [.enter(.reconnected(sameSession: true))])
    }

    @Test func `what breaks with the connection is known by how far it had come`() throws {
        var bench = try SessionBench()
        bench.connect()
        let write = Operation.setData(SetDataRequest(path: "/a", data: [], version: -1))
        _ = bench.submit(write, 1)
        _ = bench.submit(.getData("/a", watch: false), 2)
        _ = bench.sentFrames()
        _ = bench.submit(write, 3)
        bench.session.connectionLost(1, at: bench.now)
        #expect(
            bench.effects() == [
                .disconnect(attempt: 1), .enter(.suspended),
                .fail(1, .connectionLost, .unknown, detail: nil),
                .fail(2, .connectionLost, .notDone, detail: nil),
                .fail(3, .connectionLost, .notDone, detail: nil),
            ])
        _ = bench.submit(write, 4)
        _ = bench.meetServer()
        _ = bench.answerHandshake()
        // Taken back before the driver took it: never sent.
        bench.session.connectionLost(bench.attempt, at: bench.now)
        #expect(bench.effects().contains(.fail(4, .connectionLost, .notDone, detail: nil)))
    }

    @Test func `a session that the server does not know any more has expired`() throws {
        var bench = try SessionBench()
        bench.connect()
        let watch = NewWatch(id: WatchID(1), watcher: 9, registration: .data)
        _ = bench.submit(.getData("/a", watch: true), 1, watch: watch)
        _ = bench.reply(1)
        bench.session.connectionLost(1, at: bench.now)
        _ = bench.effects()
        _ = bench.submit(.getData("/a", watch: false), 2)
        _ = bench.meetServer()
        let effects = bench.answerHandshake(session: 0, timeout: 0)
        #expect(
            effects == [
                .fail(2, .sessionExpired, .notDone, detail: nil), .disconnect(attempt: 3),
                .endWatch(9, .sessionExpired), .enter(.expired),
            ])
        #expect(bench.session.deadline == nil)
        _ = bench.submit(.getData("/a", watch: false), 3)
        #expect(bench.effects() == [.fail(3, .sessionExpired, .notDone, detail: nil)])
    }

    @Test func `a reply out of order ends the connection`() throws {
        var bench = try SessionBench()
        bench.connect()
        _ = bench.submit(.getData("/a", watch: false), 1)
        _ = bench.submit(.getData("/b", watch: false), 2)
        let effects = bench.reply(2)
        #expect(effects.first == .disconnect(attempt: 1))
        #expect(bench.session.state == .suspended)
    }

    @Test func `a frame that is too long ends the connection before it is there`() throws {
        var bench = try SessionBench { $0.maximumFrameBytes = 100 }
        bench.connect()
        let head: [UInt8] = [0, 0, 1, 0]
        _ = bench.session.receive(head.raw, on: bench.attempt, at: bench.now)
        #expect(bench.session.state == .suspended)
    }

    @Test func `a frame in parts is taken when it is whole, and no part of it twice`() throws {
        var bench = try SessionBench()
        bench.connect()
        _ = bench.submit(.getData("/a", watch: false), 1)
        var frame = ByteBuffer()
        let start = frame.beginFrame()
        ReplyHeader(xid: 1, zxid: Zxid(3)).write(to: &frame)
        frame.endFrame(start)
        let bytes = Array(frame.readableBytesView)
        for count in 0..<bytes.count {
            let part = Array(bytes[..<count])
            #expect(bench.session.receive(part.raw, on: bench.attempt, at: bench.now) == 0)
        }
        #expect(bench.effects() == [])
        #expect(bench.session.receive(bytes.raw, on: bench.attempt, at: bench.now) == 20)
        #expect(bench.effects().count == 1)
    }

    @Test func `pauses grow with the rounds, within their bounds`() throws {
        var bench = try SessionBench("a,b")
        bench.session.start(at: bench.now)
        _ = bench.effects()
        var pauses: [Int64] = []
        for _ in 0..<40 {
            bench.session.connectionLost(bench.attempt, at: bench.now)
            guard let deadline = bench.session.deadline else { break }
            pauses.append((deadline - bench.now).nanoseconds / 1_000_000)
            bench.now = deadline
            _ = bench.pass(.zero)
        }
        #expect(pauses.count == 40)
        #expect(pauses[0] <= 50)
        #expect((50...100).contains(pauses[1]) && (50...100).contains(pauses[2]))
        #expect((100...200).contains(pauses[3]))
        #expect(pauses.suffix(20).allSatisfy { (1000...2000).contains($0) })
        #expect(Set(pauses.suffix(20)).count > 10, "they are drawn by lot")
        #expect(bench.session.state == .connecting)
    }

    @Test func `the end of the session waits for what was asked before`() throws {
        var bench = try SessionBench()
        bench.connect()
        _ = bench.submit(.getData("/a", watch: false), 1)
        bench.session.close(at: bench.now)
        _ = bench.submit(.getData("/a", watch: false), 2)
        #expect(bench.effects() == [.fail(2, .closed, .notDone, detail: nil)])
        #expect(
            bench.sentHeaders().map(\.type) == [
                OpCode.getData.rawValue, OpCode.closeSession.rawValue,
            ])
        #expect(bench.reply(1).count == 1)
        #expect(bench.reply(2) == [.disconnect(attempt: 1), .enter(.closed)])
    }

    @Test func `the end of the session does not wait for ever`() throws {
        var bench = try SessionBench { $0.closingLimit = .seconds(1) }
        bench.connect()
        bench.session.close(at: bench.now)
        #expect(bench.session.deadline == bench.now + .seconds(1))
        #expect(bench.pass(.seconds(1)) == [.disconnect(attempt: 1), .enter(.closed)])
    }

    @Test func `a request that nobody waits for still takes its reply`() throws {
        var bench = try SessionBench()
        bench.connect()
        let first = bench.submit(.getData("/a", watch: false), 1)
        _ = bench.submit(.getData("/b", watch: false), 2)
        bench.session.cancel(first)
        #expect(bench.effects() == [.fail(1, .cancelled, .notDone, detail: nil)])
        bench.session.cancel(first)
        #expect(bench.effects() == [])
        #expect(bench.reply(1) == [])
        #expect(bench.reply(2).count == 1)
    }

    @Test func `deadlines are kept in any order`() throws {
        var bench = try SessionBench()
        bench.connect()
        _ = bench.submit(.getData("/a", watch: false), 1, timeout: .milliseconds(30))
        _ = bench.submit(.getData("/a", watch: false), 2, timeout: .milliseconds(10))
        _ = bench.submit(.getData("/a", watch: false), 3)
        #expect(bench.session.deadline == bench.now + .milliseconds(10))
        #expect(bench.pass(.milliseconds(10)) == [.fail(2, .timedOut, .notDone, detail: nil)])
        #expect(bench.session.deadline == bench.now + .milliseconds(20))
        #expect(bench.pass(.milliseconds(20)) == [.fail(1, .timedOut, .notDone, detail: nil)])
    }

    @Test func `the paths of requests get the chroot, and those of events lose it`() throws {
        var bench = try SessionBench("a:1/app")
        bench.connect()
        let watch = NewWatch(id: WatchID(1), watcher: 9, registration: .data)
        _ = bench.submit(.getData("/", watch: true), 1, watch: watch)
        let frame = try #require(bench.sentFrames().first)
        #expect(Array(frame[8...]) == [0, 0, 0, 4] + Array("/app".utf8) + [1])
        _ = bench.reply(1)
        #expect(
            bench.notify(.nodeDataChanged, "/app", zxid: 8) == [
                .event(9, WatchEvent(kind: .dataChanged, path: "/", zxid: Zxid(8)))
            ])
    }

    @Test func `an auth reply may overtake others, and a refused one ends the session`() throws {
        var bench = try SessionBench()
        bench.connect()
        _ = bench.submit(.getData("/a", watch: false), 1)
        _ = bench.submit(.auth(AuthPacket(scheme: "digest", auth: [1])), 2)
        #expect(bench.sentHeaders().map(\.xid) == [1, -4])
        #expect(bench.reply(-4, zxid: 0).count == 1)
        #expect(bench.reply(1).count == 1)
        bench.session.connectionLost(bench.attempt, at: bench.now)
        _ = bench.meetServer()
        _ = bench.answerHandshake()
        #expect(bench.sentHeaders().map(\.type) == [OpCode.auth.rawValue])
        let effects = bench.reply(-4, error: ZooKeeperError.authFailed.rawValue)
        #expect(effects.last == .enter(.authenticationFailed))
    }

    @Test func `SASL comes before everything else`() throws {
        var bench = try SessionBench {
            $0.sasl = SASLCredential(user: "bob", password: "secret")
        }
        bench.session.start(at: bench.now)
        _ = bench.submit(.getData("/a", watch: false), 1)
        _ = bench.effects()
        _ = bench.meetServer()
        #expect(bench.answerHandshake() == [])
        #expect(bench.sentHeaders().map(\.type) == [OpCode.sasl.rawValue])
        let challenge = #"realm="zk-sasl-md5",nonce="n",charset=utf-8,algorithm=md5-sess"#
        #expect(bench.reply(1, zxid: 0) { $0.writeJute(Array(challenge.utf8)) } == [])
        #expect(bench.sentHeaders().map(\.type) == [OpCode.sasl.rawValue])
        // A server that cannot prove that it knows the password is none of ours.
        let effects = bench.reply(2, zxid: 0) { $0.writeJute(Array("rspauth=00".utf8)) }
        #expect(effects.last == .enter(.authenticationFailed))
        #expect(effects.contains(.fail(1, .authenticationFailed, .notDone, detail: nil)))
    }
}
