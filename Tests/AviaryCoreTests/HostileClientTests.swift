import AviaryWire
import NIOCore
import Testing

@testable import AviaryCore

/// What one client can make a server do is bounded; each of these once ended or froze one.
@Suite struct HostileClientTests {
    private func multi(_ count: Int, _ operation: (inout ByteBuffer, Int) -> Void) -> ByteBuffer {
        var body = ByteBuffer()
        for number in 0..<count { operation(&body, number) }
        MultiHeader.end.write(to: &body)
        return body
    }

    @Test func `a multiRead that would answer more than an outbox holds is refused`() throws {
        let harness = CoreHarness({ $0.maximumOutboxBytes = 1 << 20 })
        let client = harness.client()
        _ = client.create("/big", String(repeating: "x", count: 100_000))
        let body = multi(100) { body, _ in
            MultiHeader(type: OpCode.getData.rawValue, done: false, error: -1).write(to: &body)
            body.writeRead("/big", watch: false)
        }
        let reply = try #require(client.ask(.multiRead) { $0.writeImmutableBuffer(body) })
        #expect(reply.error == ZooKeeperError.marshallingError.rawValue)
        #expect(reply.body.count < 100)
        #expect(client.get("/")?.error == 0)
    }

    @Test func `a multi whose ACLs grow past what a log entry may hold is refused as a whole`()
        throws
    {
        let harness = CoreHarness({ $0.maximumTransactionBytes = 100_000 })
        let client = harness.client()
        _ = client.ask(.auth) {
            $0.writeInteger(Int32(0))
            $0.writeText("digest")
            $0.writeText(String(repeating: "u", count: 10_000))
        }
        let body = multi(20) { body, number in
            MultiHeader(type: OpCode.create.rawValue, done: false, error: -1).write(to: &body)
            body.writeCreate("/n\(number)", acl: [ACL(.all, "auth", "")])
        }
        let reply = try #require(client.ask(.multi) { $0.writeImmutableBuffer(body) })
        #expect(reply.error == 0)
        #expect(client.exists("/n0")?.error == ZooKeeperError.noNode.rawValue)
        let logged = try #require(harness.appended.last)
        #expect(logged.txn.byteCount(type: logged.header.type) < 100_000)
    }

    @Test func `a path that is not UTF-8 is no node's`() {
        let client = CoreHarness().client()
        let path: [UInt8] = [0x2f, 0x61, 0xff]
        let created = client.ask(.create) { body in
            body.writeJute(path)
            body.writeText("")
            ACL.writeList(ACL.openToAll, to: &body)
            body.writeInteger(Int32(0))
        }
        #expect(created?.error == ZooKeeperError.badArguments.rawValue)
        let set = client.ask(.setData) { body in
            body.writeJute(path)
            body.writeText("")
            body.writeInteger(Int32(-1))
        }
        #expect(set?.error == ZooKeeperError.badArguments.rawValue)
        let deleted = client.ask(.delete) { body in
            body.writeJute(path)
            body.writeInteger(Int32(-1))
        }
        #expect(deleted?.error == ZooKeeperError.noNode.rawValue)
    }

    @Test func `a multi of very many creates is answered in the forms that were asked for`()
        throws
    {
        let client = CoreHarness().client()
        let count = 10_000
        func code(_ number: Int) -> OpCode { number % 3 == 0 ? .create : .create2 }
        let body = multi(count) { body, number in
            MultiHeader(type: code(number).rawValue, done: false, error: -1).write(to: &body)
            body.writeCreate("/n\(number)")
        }
        let reply = try #require(client.ask(.multi) { $0.writeImmutableBuffer(body) })
        var reader = JuteReader(reply.body.raw)
        for number in 0..<count {
            let header = try MultiHeader(from: &reader)
            let path = try reader.readString()
            if header.type == OpCode.create2.rawValue { try reader.skip(Stat.byteCount) }
            if header.type != code(number).rawValue || path?.description != "/n\(number)" {
                Issue.record("\(number): \(header)")
                return
            }
        }
        #expect(try MultiHeader(from: &reader) == .end)
    }

    @Test func `an ACL of more entries than the limit is invalid`() {
        let client = CoreHarness({ $0.maximumACLEntries = 3 }).client()
        func create(_ path: String, entries: Int) -> Int32? {
            let acl = (0..<entries).map { ACL(.read, "digest", ByteString("u:\($0)")) }
            return client.ask(.create) { $0.writeCreate(path, acl: acl) }?.error
        }
        #expect(create("/three", entries: 3) == 0)
        #expect(create("/four", entries: 4) == ZooKeeperError.invalidACL.rawValue)
    }

    @Test func `costly requests give others their turn`() {
        let harness = CoreHarness({ $0.maximumTurnWork = 100 })
        let client = harness.client()
        for number in 0..<40 { _ = client.create("/n\(number)") }
        var bytes = ByteBuffer()
        for _ in 0..<50 {
            bytes.writeImmutableBuffer(
                client.frame(.getAllChildrenNumber, xid: 1) { $0.writeText("/") })
        }
        let outbox = harness.firstTurn(of: bytes, on: client)
        #expect(outbox.next == .takeMore)
        let replyBytes = 4 + 16 + 4
        #expect(outbox.bytes.readableBytes < 20 * replyBytes)
    }

    @Test func `a crowd's slots are given back, and who comes after is not taken for one of it`() {
        let harness = CoreHarness()
        let early = harness.client()
        let crowd = (0..<5000).compactMap { _ in harness.connect() }
        for client in crowd { client.disconnect() }
        let late = harness.client()
        #expect(early.get("/")?.error == 0)
        #expect(late.get("/")?.error == 0)
        for client in crowd { client.disconnect() }
        #expect(late.get("/")?.error == 0)
        #expect(harness.core.connectionCount == 2)
    }

    @Test func `recursive watches at several depths fire once a connection`() {
        let harness = CoreHarness()
        let (watcher, writer) = (harness.client(), harness.client())
        for path in ["/", "/a", "/a/b", "/a/b/c"] {
            _ = watcher.ask(.addWatch) {
                $0.writeText(path)
                $0.writeInteger(Int32(1))
            }
        }
        for path in ["/a", "/a/b", "/a/b/c", "/x"] { _ = writer.create(path) }
        let events = watcher.replies().compactMap(\.event).map(\.path)
        #expect(events == ["/a", "/a/b", "/a/b/c", "/x"])
    }

    @Test func `a flood of nodes leaves no room behind, and the tree is whole`() {
        let harness = CoreHarness()
        let client = harness.client()
        _ = client.create("/kept")
        for number in 0..<20_000 { _ = client.create("/n\(number)") }
        for number in 0..<20_000 { _ = client.delete("/n\(number)") }
        harness.core.checkInvariants()
        for number in 0..<300 { _ = client.create("/again\(number)", "\(number)") }
        harness.core.checkInvariants()
        #expect(client.get("/again299")?.text == "299")
        #expect(client.exists("/kept")?.error == 0)
    }

    @Test func `a flood of watches leaves nothing behind, and watching goes on`() {
        let harness = CoreHarness()
        let (flood, watcher) = (harness.client(), harness.client())
        for number in 0..<5000 { _ = flood.exists("/n\(number)", watch: true) }
        flood.disconnect()
        #expect(harness.core.watches.count == 0)
        _ = watcher.exists("/n1", watch: true)
        _ = watcher.create("/n1")
        #expect(harness.core.watches.count == 0)
    }
}

extension CoreHarness {
    /// What one socket read brings about before anything else has its turn.
    fileprivate func firstTurn(of bytes: ByteBuffer, on client: TestClient) -> ServerCore.Outbox {
        var input = bytes
        var effects = StepEffects()
        core.receive(&input, on: client.id, at: now, into: &effects)
        return core.takeOutbox(of: client.id, at: now)
    }
}
