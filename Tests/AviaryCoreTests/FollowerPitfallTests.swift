import AviaryWire
import NIOCore
import Testing
import Zab

@testable import AviaryCore

/// What a follower does for its clients and with its tree, by the numbers of the pitfalls in
/// `docs/conformance/pitfalls.md`.
struct FollowerPitfallTests {
    /// A client of a follower, whose session is the transaction with this zxid.
    private func client(
        of harness: CoreHarness, zxid: Zxid, timeout: Int32 = 10_000
    ) throws -> TestClient {
        let client = try #require(harness.connect())
        client.shake(timeout: timeout)
        guard case .request(let request)? = harness.saidToLeader().last else {
            Issue.record("a session is asked for at the leader")
            return client
        }
        #expect(request.type == OpCode.createSession.rawValue && request.cxid == 0)
        harness.decide(
            .createSession(timeoutMilliseconds: timeout), .createSession,
            session: request.session, cxid: 0, zxid: zxid)
        #expect(client.connectResponse() != nil)
        return client
    }

    private func create(_ path: Path) -> Txn {
        .create(
            CreateTxn(
                path: path, data: nil, acl: ACL.openToAll, isEphemeral: false, parentCVersion: 1))
    }

    /// A tree of a leader that has one node and this zxid.
    private func tree(_ path: Path, _ zxid: Zxid) -> DataTree {
        var tree = DataTree(hashSeed: 42, extendedTypes: true)
        let header = TxnHeader(session: .none, cxid: 0, zxid: zxid, time: 1, type: .create)
        tree.apply(header, create(path))
        return tree
    }

    private func votes(_ harness: CoreHarness) -> [Notification] {
        harness.peers.compactMap { if case .vote(let vote, _) = $0 { vote } else { nil } }
    }

    /// ZOOKEEPER-5094 and 3642: what a leader's tree is to be, the disk decides.
    @Test func `H.2, H.3: a snapshot that is interrupted leaves the tree that the disk has`() throws
    {
        let harness = CoreHarness.follower()
        harness.decide(create("/old"), .create, session: .none, cxid: 0, zxid: zxid(1, 1))
        harness.step(.quorum(.leaderLost(CoreHarness.leaderLink)))
        harness.elect(3, with: 3, round: 2, epoch: 2)
        let link = LinkID(2)
        harness.step(.quorum(.leaderConnected(link)))
        for message in [
            .leaderInfo(zxid(2, 0), protocolVersion: LearnerInfo.currentProtocol),
            .snap(zxid(2, 5)),
        ] as [LeaderMessage] { harness.step(.quorum(.receivedFromLeader([message], link))) }
        harness.core.receive(
            tree: tree("/new", zxid(2, 5)), of: zxid(2, 5), over: link, at: harness.now,
            into: &harness.effects)
        harness.carry(&harness.effects)
        #expect(harness.installing != nil)
        #expect(harness.core.tree.find("/old") != nil && harness.core.tree.find("/new") == nil)
        harness.peers.removeAll()
        harness.step(.quorum(.leaderLost(link)))
        #expect(votes(harness).isEmpty)
        harness.installed()
        #expect(harness.core.tree.find("/old") == nil && harness.core.tree.find("/new") != nil)
        #expect(votes(harness).first?.zxid == zxid(2, 5))
    }

    @Test func `H.3: a tree that comes too late is not taken`() {
        let harness = CoreHarness.follower()
        harness.decide(create("/old"), .create, session: .none, cxid: 0, zxid: zxid(1, 1))
        harness.step(.quorum(.leaderLost(CoreHarness.leaderLink)))
        harness.core.receive(
            tree: tree("/new", zxid(2, 5)), of: zxid(2, 5), over: CoreHarness.leaderLink,
            at: harness.now, into: &harness.effects)
        harness.carry(&harness.effects)
        #expect(harness.installing == nil)
        #expect(harness.core.tree.find("/old") != nil)
    }

    /// ZOOKEEPER-4882.
    @Test func `H.4: what the own disk does not have is not applied, though others have it`() {
        let harness = CoreHarness.follower()
        harness.persistsAtOnce = false
        harness.decide(create("/a"), .create, session: .none, cxid: 0, zxid: zxid(1, 1))
        #expect(harness.core.tree.find("/a") == nil)
        harness.peers.removeAll()
        harness.persist()
        #expect(harness.core.tree.find("/a") != nil)
        #expect(harness.saidToLeader() == [.ack(zxid(1, 1))])
    }

    /// ZOOKEEPER-2845, and the dirty snapshot of a server that begins to lead.
    @Test
    func `H.1, H.20: who leads applies what is in its log, and keeps that to itself till then`()
        throws
    {
        let harness = CoreHarness.follower()
        let bytes = harness.entry(
            create("/a"), .create, session: .none, cxid: 0, zxid: zxid(1, 1))
        harness.fromLeader(.proposal(zxid(1, 1), bytes))
        harness.step(.quorum(.leaderLost(CoreHarness.leaderLink)))
        #expect(harness.core.tree.find("/a") == nil)
        let vote = Notification(
            state: .looking, leader: ServerID(1), zxid: zxid(1, 1), electionEpoch: 2, peerEpoch: 1,
            configuration: nil)
        harness.step(.quorum(.vote(vote, from: ServerID(2))))
        harness.advance(milliseconds: 200)
        let link = LinkID(20)
        harness.step(.quorum(.learnerConnected(link)))
        let info = LearnerInfo(server: ServerID(2), configurationVersion: .zero)
        for message in [
            .followerInfo(info, accepted: zxid(1, 0)),
            .ackEpoch(lastZxid: zxid(1, 1), currentEpoch: 1),
        ] as [LearnerMessage] { harness.fromLearner(message, over: link) }
        #expect(harness.core.tree.find("/a") != nil)
        harness.core.orderSnapshot(into: &harness.effects)
        harness.carry(&harness.effects)
        #expect(harness.snapshots.isEmpty)
        harness.fromLearner(.ack(zxid(2, 0)), over: link)
        #expect(harness.core.role == .leading)
        harness.core.orderSnapshot(into: &harness.effects)
        harness.carry(&harness.effects)
        #expect(harness.snapshots.map(\.zxid) == [zxid(2, 0)])
    }

    /// ZOOKEEPER-3526.
    @Test func `H.8: a server that only reads makes no transaction and no zxid`() throws {
        let harness = CoreHarness.member(1) { $0.readOnlyMode = true }
        harness.advance(milliseconds: 5000)
        let isReadOnly = harness.core.isReadOnly
        #expect(isReadOnly)
        let client = try #require(harness.connect())
        client.shake(readOnly: true)
        #expect(client.connectResponse() != nil)
        #expect(client.create("/a")?.error == ZooKeeperError.notReadOnly.rawValue)
        #expect(client.get("/zookeeper")?.error == 0)
        #expect(harness.appended.isEmpty)
        #expect(harness.core.lastProposed == .zero)
        #expect(votes(harness).allSatisfy { $0.zxid == .zero })
        #expect(!votes(harness).isEmpty)
    }

    @Test func `H.9: a client's opcode 13 goes no further`() throws {
        let harness = CoreHarness.follower()
        let client = try client(of: harness, zxid: zxid(1, 1))
        harness.peers.removeAll()
        let reply = client.ask(.check) { $0.writeVersion("/") }
        #expect(reply?.error == ZooKeeperError.unimplemented.rawValue)
        #expect(harness.saidToLeader() == [])
    }

    @Test func `H.9: a transaction of type 13 that an Apache leader made changes nothing`() {
        let harness = CoreHarness.follower()
        let digest = harness.core.tree.digest
        harness.decide(
            .check(path: "/", version: 1), .check, session: SessionID(5), cxid: 1,
            zxid: zxid(1, 1))
        #expect(harness.core.tree.digest == digest)
        #expect(harness.core.tree.lastProcessedZxid == zxid(1, 1))
        #expect(harness.notices.allSatisfy { if case .roleChanged = $0 { true } else { false } })
    }

    @Test func `H.30: a commit answers whoever asked, by session and cxid, in their order`() throws
    {
        let harness = CoreHarness.follower()
        let (one, two) = (
            try client(of: harness, zxid: zxid(1, 1)), try client(of: harness, zxid: zxid(1, 2))
        )
        harness.peers.removeAll()
        let first = one.send(.create) { $0.writeCreate("/one") }
        let second = two.send(.create) { $0.writeCreate("/two") }
        guard case .request(let asked)? = harness.saidToLeader().first else {
            Issue.record("a write goes to the leader")
            return
        }
        #expect(asked.session == one.session && asked.cxid == first)
        // Another server's client, with a cxid of ours.
        harness.decide(
            create("/other"), .create, session: SessionID(77), cxid: first, zxid: zxid(1, 3))
        #expect(one.replies().isEmpty && two.replies().isEmpty)
        harness.decide(create("/one"), .create, session: one.session, cxid: first, zxid: zxid(1, 4))
        #expect(one.replies().map(\.zxid) == [zxid(1, 4)] && two.replies().isEmpty)
        harness.decide(
            .error(ZooKeeperError.noAuth.rawValue), .error, session: two.session, cxid: second,
            zxid: zxid(1, 5))
        #expect(two.replies().map(\.error) == [ZooKeeperError.noAuth.rawValue])
    }

    @Test func `H.35: a ping is answered with every session that was heard since the last`() throws
    {
        let harness = CoreHarness.follower()
        let client = try client(of: harness, zxid: zxid(1, 1))
        let touch = SessionTouch(client.session, timeoutMilliseconds: 10_000)
        let zxid = zxid(1, 1)
        harness.peers.removeAll()
        harness.fromLeader(.ping(zxid))
        harness.fromLeader(.ping(zxid))
        client.send(.ping)
        harness.fromLeader(.ping(zxid))
        #expect(
            harness.saidToLeader() == [
                .ping(zxid, touched: [touch]), .ping(zxid, touched: []),
                .ping(zxid, touched: [touch]),
            ])
    }

    @Test func `H.55: who follows deletes no container, and takes no delete for its own`() throws {
        let harness = CoreHarness.follower()
        let client = try client(of: harness, zxid: zxid(1, 1), timeout: 40_000)
        let container = CreateTxn(
            path: "/c", data: nil, acl: ACL.openToAll, isEphemeral: false, parentCVersion: 1)
        harness.decide(
            .create(container), .createContainer, session: .none, cxid: 0, zxid: zxid(1, 2))
        harness.decide(create("/c/a"), .create, session: .none, cxid: 0, zxid: zxid(1, 3))
        harness.decide(.delete("/c/a"), .delete, session: .none, cxid: 0, zxid: zxid(1, 4))
        harness.peers.removeAll()
        for _ in 0..<150 {
            harness.advance(milliseconds: 500)
            harness.step(.deadlinePassed)
            harness.fromLeader(.ping(zxid(1, 4)))
        }
        #expect(harness.core.tree.find("/c") != nil)
        for said in harness.saidToLeader() {
            if case .request = said { Issue.record("a follower asks for nothing by itself") }
        }
        client.send(.delete) { $0.writeVersion("/c") }
        harness.decide(.delete("/c"), .deleteContainer, session: .none, cxid: 0, zxid: zxid(1, 5))
        #expect(client.replies().isEmpty)
        #expect(harness.core.tree.find("/c") == nil)
    }
}
