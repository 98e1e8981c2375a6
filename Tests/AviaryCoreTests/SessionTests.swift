import AviaryWire
import NIOCore
import Testing

@testable import AviaryCore

struct SessionTests {
    @Test(arguments: [(1, 4000), (10_000, 10_000), (-5, 4000), (1_000_000, 40_000)])
    func `a timeout is brought within the limits`(asked: Int, given: Int) {
        let harness = CoreHarness()
        let client = harness.connect()
        client?.shake(timeout: Int32(asked))
        harness.persist()
        #expect(client?.connectResponse()?.timeoutMilliseconds == Int32(given))
    }

    @Test func `a silent session ends within a tick of its timeout, with its ephemerals`() {
        let harness = CoreHarness()
        let watcher = harness.client(timeout: 40_000)
        let client = harness.client(timeout: 4000)
        _ = client.create("/e", "", flags: 1)
        _ = watcher.exists("/e", watch: true)
        harness.advance(milliseconds: 3999)
        #expect(harness.core.tree.find("/e") != nil)
        harness.advance(milliseconds: 2001)
        #expect(harness.core.tree.find("/e") == nil)
        #expect(watcher.replies().first?.event?.type == .nodeDeleted)
        _ = client.replies()
        #expect(client.isClosed)
        #expect(harness.core.statistics.digestMismatches == 0)
    }

    @Test func `any request keeps a session alive`() {
        let harness = CoreHarness()
        let client = harness.client(timeout: 4000)
        for _ in 0..<10 {
            harness.advance(milliseconds: 3000)
            _ = client.ask(.ping)
        }
        #expect(!client.isClosed)
        #expect(harness.core.sessionCount == 1)
    }

    @Test func `a session goes on over another connection, and the first is closed`() {
        let harness = CoreHarness()
        let first = harness.connect()
        first?.shake()
        harness.persist()
        guard let id = first?.connectResponse()?.session else {
            Issue.record("no session")
            return
        }
        let second = harness.connect()
        second?.shake(session: id, password: id.password)
        #expect(second?.connectResponse()?.session == id)
        _ = first?.replies()
        #expect(first?.isClosed == true)
        first?.disconnect()
        #expect(second?.create("/a", "", flags: 1)?.error == 0)
    }

    @Test func `a wrong password does not touch whoever has the session`() {
        let harness = CoreHarness()
        let victim = harness.connect()
        victim?.shake()
        harness.persist()
        let id = victim?.connectResponse()?.session ?? .none
        let attacker = harness.connect()
        attacker?.shake(session: id, password: [UInt8](repeating: 1, count: 16))
        let answer = attacker?.connectResponse()
        #expect(answer?.session == SessionID.none)
        #expect(answer?.timeoutMilliseconds == 0)
        #expect(attacker?.isClosed == true)
        _ = victim?.replies()
        #expect(victim?.isClosed == false)
    }

    @Test func `a client that has seen more than the server is turned away without a word`() {
        let harness = CoreHarness()
        let client = harness.connect()
        client?.shake(lastZxid: Zxid(99))
        #expect(client?.connectResponse() == nil)
        #expect(client?.isClosed == true)
    }

    @Test func `closing a session answers, deletes its ephemerals and ends the connection`() {
        let harness = CoreHarness()
        let client = harness.client()
        _ = client.create("/e", "", flags: 1)
        harness.persistsAtOnce = false
        client.send(.create) { $0.writeCreate("/f", "", flags: 1) }
        client.send(.closeSession)
        client.send(.create) { $0.writeCreate("/late", "") }
        harness.persist()
        let replies = client.replies()
        #expect(replies.map(\.error).prefix(2) == [0, 0])
        #expect(client.isClosed)
        for path: Path in ["/e", "/f", "/late"] { #expect(harness.core.tree.find(path) == nil) }
        #expect(harness.core.statistics.digestMismatches == 0)
        guard case .closeSession(let paths)? = harness.appended.last?.txn else {
            Issue.record("the last entry is no closeSession")
            return
        }
        #expect(paths == ["/e", "/f"])
    }

    @Test func `a connection that asks for no session is closed`() {
        let harness = CoreHarness()
        let client = harness.connect()
        harness.advance(milliseconds: 9_999)
        _ = client?.replies()
        #expect(client?.isClosed == false)
        harness.advance(milliseconds: 1)
        _ = client?.replies()
        #expect(client?.isClosed == true)
    }

    @Test func `an address has only so many connections`() {
        let harness = CoreHarness { $0.maxClientCnxns = 2 }
        let clients = (0..<3).map { _ in harness.connect() }
        #expect(clients.map { $0 == nil } == [false, false, true])
        #expect(harness.connect(host: "127.0.0.2") != nil)
        clients[0]?.disconnect()
        #expect(harness.connect() != nil)
    }

    @Test func `sessions found in the data live on with their full timeout`() {
        var tree = DataTree(hashSeed: 1, extendedTypes: true)
        let id = SessionID(0x0100_0000_0000_0007)
        tree.load(session: id, timeoutMilliseconds: 4000)
        let harness = CoreHarness(tree: tree)
        let client = harness.connect()
        client?.shake(session: id, password: id.password)
        #expect(client?.connectResponse()?.session == id)
        harness.advance(milliseconds: 20_000)
        #expect(harness.core.tree.sessions.isEmpty)
    }

    @Test func `while the disk is stalled no session expires, and then each has its full timeout`()
    {
        let harness = CoreHarness()
        let client = harness.client(timeout: 4000)
        harness.step(.storageStalled)
        harness.advance(milliseconds: 60_000)
        harness.step(.storageResumed)
        #expect(harness.core.sessionCount == 1)
        harness.advance(milliseconds: 3900)
        #expect(harness.core.sessionCount == 1)
        harness.advance(milliseconds: 2200)
        #expect(harness.core.sessionCount == 0)
        _ = client
    }
}
