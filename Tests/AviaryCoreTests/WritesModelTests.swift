import AviaryWire
import NIOCore
import Testing

@testable import AviaryCore

/// Random pipelined writes of several sessions: what was predicted when they were prepared must be
/// what came of applying them.
struct WritesModelTests {
    @Test(arguments: [11, 12, 13, 14] as [UInt64])
    func `what is predicted is what is applied`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let harness = CoreHarness { $0.maximumSessionTimeoutMilliseconds = 1_000_000 }
        var clients = (0..<3).map { _ in harness.client(timeout: 900_000) }
        harness.persistsAtOnce = false
        for round in 0..<2000 {
            let index = random.below(clients.count)
            send(to: clients[index], &random)
            if random.below(8) == 0 { harness.persist() }
            if round % 300 == 299 {
                clients[index].send(.closeSession)
                harness.persist()
                clients[index].disconnect()
                clients[index] = harness.client(timeout: 900_000)
            }
        }
        harness.persist()
        #expect(harness.core.statistics.digestMismatches == 0)
        #expect(harness.core.tree.digest == harness.core.tree.recomputedDigest)
        #expect(harness.core.outstanding.isEmpty)
        #expect(harness.core.outstanding.hasNoACL)
        for client in clients { #expect(!client.isClosed) }
    }

    /// The log alone gives the same tree again.
    @Test func `replaying the log gives the tree that was served`() {
        var random = SeededRandom(seed: 99)
        let harness = CoreHarness()
        let client = harness.client()
        harness.persistsAtOnce = false
        for _ in 0..<1500 {
            send(to: client, &random)
            if random.below(20) == 0 { harness.persist() }
        }
        harness.persist()
        var tree = DataTree(hashSeed: 5, extendedTypes: true)
        for entry in harness.appended {
            tree.apply(entry.header, entry.txn)
            if let digest = entry.digest { #expect(tree.digest == digest.treeDigest) }
        }
        #expect(tree.digest == harness.core.tree.digest)
        #expect(tree.lastProcessedZxid == harness.core.tree.lastProcessedZxid)
    }

    /// What anyone may do; the last two keep the node's list from being changed again.
    private static let lists = [
        ACL.openToAll, [ACL(.all, "world", "anyone"), ACL(.read, "ip", "10.0.0.1")],
        [ACL([.read, .write, .create, .delete], "world", "anyone")],
        [ACL([.read, .create, .delete], "world", "anyone")],
    ]

    private func send(to client: TestClient, _ random: inout SeededRandom) {
        let top = "/t\(random.below(4))"
        let path = random.below(2) == 0 ? top : top + "/n\(random.below(4))"
        let flags = Int32(random.below(4))
        let acl = Self.lists[random.below(Self.lists.count)]
        switch random.below(7) {
        case 0, 1: client.send(.create) { $0.writeCreate(path, "x", acl: acl, flags: flags) }
        case 2: client.send(.delete) { $0.writeVersion(path) }
        case 3: client.send(.setData) { $0.writeSet(path, "longer") }
        case 4: client.send(.setData) { $0.writeSet("/", "root") }
        case 5:
            client.send(.setACL) { body in
                body.writeText(path)
                ACL.writeList(acl, to: &body)
                body.writeInteger(Int32(-1))
            }
        default:
            client.send(.multi) { body in
                for number in 0..<3 {
                    MultiHeader(type: 1, done: false, error: -1).write(to: &body)
                    body.writeCreate(path + "-m\(number)", "", acl: acl, flags: flags)
                }
                MultiHeader(type: 2, done: false, error: -1).write(to: &body)
                body.writeVersion(path + "-m0")
                MultiHeader.end.write(to: &body)
            }
        }
    }
}
