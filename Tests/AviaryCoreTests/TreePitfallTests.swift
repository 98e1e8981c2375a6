import AviaryWire
import Testing
import Zab

@testable import AviaryCore

/// Applying and applying again, by the numbers of the pitfalls in `docs/conformance/pitfalls.md`.
struct TreePitfallTests {
    private let session = SessionID(7)

    private func header(_ counter: Int64, _ code: OpCode) -> TxnHeader {
        TxnHeader(session: session, cxid: 1, zxid: zxid(1, counter), time: 1, type: code)
    }

    private func create(_ path: Path, cversion: Int32, isEphemeral: Bool = false) -> Txn {
        .create(
            CreateTxn(
                path: path, data: nil, acl: ACL.openToAll, isEphemeral: isEphemeral,
                parentCVersion: cversion))
    }

    /// A tree with `/p` and the session's ephemeral `/p/e`.
    private func tree() -> DataTree {
        var tree = DataTree(hashSeed: 3, extendedTypes: false)
        tree.take(header(1, .createSession), .createSession(timeoutMilliseconds: 9))
        tree.take(header(2, .create), create("/p", cversion: 1))
        tree.take(header(3, .create), create("/p/e", cversion: 1, isEphemeral: true))
        return tree
    }

    /// ZOOKEEPER-3127: who takes a snapshot must find all of a transaction in it, or nothing.
    @Test func `H.17: a multi is in the tree, and in its zxid, as a whole`() {
        var tree = tree()
        let before = tree.snapshot
        let parts = ["/p/a", "/p/b"].map { (path: Path) in
            Txn.Part(type: .create, txn: create(path, cversion: path == "/p/a" ? 2 : 3))
        }
        tree.take(header(4, .multi), .multi(parts))
        let after = tree.snapshot
        #expect(before.zxid == zxid(1, 3) && after.zxid == zxid(1, 4))
        #expect(after.nodeCount == before.nodeCount + 2)
    }

    /// ZOOKEEPER-3145: in a fuzzy snapshot the nodes may be gone, and the session there, or the other
    /// way round.
    @Test(arguments: [true, false])
    func `H.18: a session's end may be applied to what it has partly changed`(listed: Bool) throws {
        let end = Txn.closeSession(ephemerals: ["/p/e"])
        var whole = tree()
        whole.take(header(4, .closeSession), end)
        let expected = whole.digest
        whole.take(header(4, .closeSession), end)
        #expect(whole.digest == expected)
        var partly = tree()
        if listed {
            partly.take(header(3, .delete), .delete("/p/e"))
        } else {
            partly.take(header(4, .closeSession), .closeSession(ephemerals: []))
        }
        partly.take(header(4, .closeSession), end)
        #expect(partly.digest == expected)
        #expect(partly.sessions.isEmpty && partly.ephemeralPaths(of: session).isEmpty)
        let found = partly.find("/p")
        let parent = try #require(found)
        #expect(partly.stat(of: parent).pzxid == zxid(1, 4))
    }

    @Test func `H.18: the end of a session without ephemerals has a list as well`() {
        let harness = CoreHarness()
        let client = harness.client()
        client.send(.closeSession)
        harness.persist()
        #expect(harness.appended.last?.txn == .closeSession(ephemerals: []))
    }

    /// ZOOKEEPER-3249.
    @Test func `H.19: what is applied again takes no version back`() throws {
        var tree = tree()
        tree.take(header(4, .create), create("/p/a", cversion: 2))
        tree.take(header(5, .delete), .delete("/p/a"))
        let found = tree.find("/p")
        let parent = try #require(found)
        let stat = tree.persistedStat(of: parent)
        #expect(stat.pzxid == zxid(1, 5))
        tree.take(header(3, .create), create("/p/e", cversion: 1, isEphemeral: true))
        tree.take(header(4, .delete), .delete("/p/b"))
        #expect(tree.persistedStat(of: parent) == stat)
    }

    @Test func `H.34: a session's number says which server made it, and is never 0 or the least`() {
        var now = Now(monotonicMilliseconds: 1_000_000, wallMilliseconds: 0)
        for (server, top) in [(1, 1), (2, 2), (254, 254), (300, 44)] as [(Int64, Int64)] {
            var tracker = SessionTracker(server: ServerID(server), tickMilliseconds: 1, at: now)
            let (first, second) = (tracker.makeID(), tracker.makeID())
            #expect(first.rawValue >> 56 & 0xff == top)
            #expect(second.rawValue == first.rawValue + 1)
        }
        now.monotonicMilliseconds = 0
        for server in [0, 128] as [Int64] {
            var tracker = SessionTracker(server: ServerID(server), tickMilliseconds: 1, at: now)
            let id = tracker.makeID().rawValue
            #expect(id != 0 && id != .min)
        }
    }
}

extension DataTree {
    fileprivate mutating func take(_ header: TxnHeader, _ txn: Txn) {
        _ = apply(header, txn)
    }
}
