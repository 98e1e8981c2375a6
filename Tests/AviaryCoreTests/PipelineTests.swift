import AviaryWire
import NIOCore
import Testing

@testable import AviaryCore

struct PipelineTests {
    @Test func `nothing is answered before it is persisted`() {
        let harness = CoreHarness()
        let client = harness.client()
        harness.persistsAtOnce = false
        client.send(.create) { $0.writeCreate("/a", "1") }
        #expect(client.replies().isEmpty)
        #expect(harness.core.tree.find("/a") == nil)
        harness.persist()
        #expect(client.replies().map(\.error) == [0])
        #expect(harness.core.tree.find("/a") != nil)
    }

    @Test func `replies come in the order of the requests, reads behind own writes`() {
        let harness = CoreHarness()
        let client = harness.client()
        harness.persistsAtOnce = false
        var bytes = ByteBuffer()
        for buffer in [
            client.frame(.getData, xid: 1) { $0.writeRead("/a", watch: false) },
            client.frame(.create, xid: 2) { $0.writeCreate("/a", "x") },
            client.frame(.getData, xid: 3) { $0.writeRead("/a", watch: false) },
            client.frame(.setData, xid: 4) { $0.writeSet("/a", "y") },
            client.frame(.delete, xid: 5),
            client.frame(.getData, xid: 6) { $0.writeRead("/a", watch: false) },
            client.frame(.sync, xid: 7) { $0.writeText("/a") },
            client.frame(.ping, xid: -2),
        ] {
            bytes.writeImmutableBuffer(buffer)
        }
        client.send(bytes)
        #expect(client.replies().map(\.xid) == [1])
        harness.persist()
        let replies = client.replies()
        #expect(replies.map(\.xid) == [2, 3, 4, 5, 6, 7, -2])
        #expect(replies.map(\.error) == [0, 0, 0, -5, 0, 0, 0])
        #expect(replies[1].text == "x")
        #expect(replies[4].text == "y")
    }

    @Test func `another session's reads do not wait`() {
        let harness = CoreHarness()
        let writer = harness.client()
        let reader = harness.client()
        harness.persistsAtOnce = false
        writer.send(.create) { $0.writeCreate("/a", "1") }
        #expect(reader.exists("/a")?.error == -101)
        harness.persist()
        #expect(reader.exists("/a")?.error == 0)
    }

    @Test func `requests pipelined behind the handshake wait for the session`() {
        let harness = CoreHarness()
        harness.persistsAtOnce = false
        let client = harness.connect()
        client?.shake()
        client?.send(.create) { $0.writeCreate("/a", "1") }
        client?.send(.exists) { $0.writeRead("/a", watch: false) }
        harness.persist()
        #expect(client?.connectResponse()?.session != SessionID.none)
        #expect(harness.core.tree.find("/a") != nil)
    }

    @Test func `a failed write takes a zxid and says so`() {
        let harness = CoreHarness()
        let client = harness.client()
        let first = client.create("/a")
        let second = client.create("/a")
        #expect(second?.error == -110)
        #expect(second?.zxid == first?.zxid.next)
        #expect(client.get("/a")?.zxid == second?.zxid)
    }

    @Test func `the events of a change come before any reply that shows it`() {
        let harness = CoreHarness()
        let client = harness.client()
        let other = harness.client()
        _ = client.create("/a", "1")
        _ = client.get("/a", watch: true)
        _ = other.get("/a", watch: true)
        harness.persistsAtOnce = false
        client.send(.setData) { $0.writeSet("/a", "2") }
        client.send(.getData) { $0.writeRead("/a", watch: false) }
        harness.persist()
        let replies = client.replies()
        #expect(replies.map(\.xid) == [-1, 4, 5].map { $0 == -1 ? -1 : replies[Int($0) - 3].xid })
        #expect(replies.first?.event?.type == .nodeDataChanged)
        other.send(.getData) { $0.writeRead("/a", watch: false) }
        let seen = other.replies()
        #expect(seen.first?.event?.path == "/a")
        #expect(seen.last?.text == "2")
    }

    @Test func `a multi is all or nothing and counters go back`() {
        let harness = CoreHarness()
        let client = harness.client()
        let failed = client.ask(.multi) { body in
            for (type, write) in [
                (OpCode.create, { (b: inout ByteBuffer) in b.writeCreate("/m") }),
                (.create, { $0.writeCreate("/m/c") }),
                (.delete, { $0.writeVersion("/m") }),
                (.create, { $0.writeCreate("/n") }),
            ] {
                MultiHeader(type: type.rawValue, done: false, error: -1).write(to: &body)
                write(&body)
            }
            MultiHeader.end.write(to: &body)
        }
        #expect(failed?.error == 0)
        #expect(harness.core.tree.find("/m") == nil)
        let sequential = client.create("/s-", "", flags: 2)
        #expect(sequential?.text == "/s-0000000000")
        #expect(harness.core.statistics.digestMismatches == 0)
    }

    @Test func `an unknown operation is answered and ends the connection`() {
        let harness = CoreHarness()
        let client = harness.client()
        client.send(.check) { $0.writeVersion("/a") }
        #expect(client.replies().map(\.error) == [-6])
        #expect(client.isClosed)
    }

    @Test func `a frame over the limit ends its own connection only`() {
        let harness = CoreHarness { $0.maximumFrameLength = 1000 }
        let client = harness.client()
        let other = harness.client()
        client.send(ByteBuffer(integer: Int32(1001)))
        _ = client.replies()
        #expect(client.isClosed)
        #expect(other.exists("/")?.error == 0)
    }

    @Test func `a large tree is not written again for a few changes`() {
        var policy = SnapshotPolicy(
            settings: {
                var settings = ServerSettings()
                settings.snapCount = 10
                return settings
            }(), seed: 1)
        let due = (1...1000).filter { _ in policy.isDue(afterAppending: 100, nodes: 300) }
        #expect(due == [301, 602, 903])
    }

    @Test func `a snapshot is ordered while writing goes on, and one at a time`() {
        let harness = CoreHarness { $0.snapCount = 10 }
        let client = harness.client()
        _ = client.create("/a", "0")
        for number in 1...100 { _ = client.set("/a", "\(number)") }
        #expect(harness.snapshots.count == 1)
        guard let frozen = harness.snapshots.first else { return }
        var data: [UInt8]?
        frozen.forEachNode { path, node in if path == Array("/a".utf8) { data = node.data } }
        #expect(data != nil && data != Array("100".utf8))
        harness.step(.snapshotEnded)
        for number in 1...100 { _ = client.set("/a", "\(number)") }
        #expect(harness.snapshots.count == 2)
    }
}
