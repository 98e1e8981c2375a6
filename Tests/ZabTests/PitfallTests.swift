import AviaryWire
import NIOCore
import Testing

@testable import Zab

/// By the numbers of the pitfalls in `docs/conformance/pitfalls.md`, where no other test has them.
struct PitfallTests {
    /// Server 3, which leads epoch 2 with server 1 on link 10.
    private func leading() -> PeerBench {
        var recovered = QuorumPeer.Recovered(lastZxid: zxid(1, 2))
        recovered.acceptedEpoch = 1
        recovered.currentEpoch = 1
        recovered.history = [proposal(zxid(1, 1)), proposal(zxid(1, 2))]
        var bench = PeerBench(3, recovered: recovered)
        bench.step(.started)
        let vote = Notification(
            state: .looking, leader: ServerID(3), zxid: zxid(1, 2), electionEpoch: 1,
            peerEpoch: 1, configuration: nil)
        bench.step(.vote(vote, from: ServerID(1)))
        _ = bench.pass(200)
        _ = bench.meet(1, link: 10)
        bench.step(.epochsSaved)
        _ = bench.fromLearner(.ackEpoch(lastZxid: zxid(1, 2), currentEpoch: 1), link: 10)
        bench.step(.epochsSaved)
        _ = bench.fromLearner(.ack(zxid(2, 0)), link: 10)
        return bench
    }

    /// Server 1, which follows server 3 in epoch 2.
    private func following() -> PeerBench {
        var bench = PeerBench(1)
        bench.elect(3, with: 3, epoch: 1)
        let link = LinkID(1)
        bench.step(.leaderConnected(link))
        _ = bench.fromLeader(.leaderInfo(zxid(2, 0), protocolVersion: 0x1_0000))
        bench.step(.epochsSaved)
        _ = bench.fromLeader(.diff(.zero))
        _ = bench.fromLeader(.newLeader(zxid(2, 0), configuration: nil))
        bench.step(.epochsSaved)
        _ = bench.fromLeader(.upToDate)
        return bench
    }

    /// ZOOKEEPER-4925: every transaction that is applied can be given to a learner, whatever way it
    /// came.
    @Test func `H.10: what came as history and what came live are one history without a hole`() {
        var bench = PeerBench(1)
        bench.elect(3, with: 3, epoch: 1)
        let link = LinkID(1)
        bench.step(.leaderConnected(link))
        _ = bench.fromLeader(.leaderInfo(zxid(2, 0), protocolVersion: 0x1_0000))
        bench.step(.epochsSaved)
        _ = bench.fromLeader(.diff(zxid(1, 2)))
        let all = [(1, 1), (1, 2), (2, 1), (2, 2), (2, 3)].map { proposal(zxid($0, $1)) }
        for old in all[..<2] {
            _ = bench.fromLeader(.proposal(old))
            _ = bench.fromLeader(.commit(old.zxid))
        }
        // Proposed before NEWLEADER, and committed after it.
        _ = bench.fromLeader(.proposal(all[2]))
        _ = bench.fromLeader(.newLeader(zxid(2, 0), configuration: nil))
        bench.step(.persisted(all[2].zxid))
        bench.step(.epochsSaved)
        _ = bench.fromLeader(.commit(all[2].zxid))
        _ = bench.fromLeader(.proposal(all[3]))
        _ = bench.fromLeader(.upToDate)
        _ = bench.fromLeader(.proposal(all[4]))
        bench.step(.persisted(all[4].zxid))
        for live in all[3...] { _ = bench.fromLeader(.commit(live.zxid)) }
        bench.step(.leaderLost(link))
        // It leads now, and one comes that has nothing of all that.
        let vote = Notification(
            state: .looking, leader: ServerID(1), zxid: zxid(2, 3), electionEpoch: 2,
            peerEpoch: 2, configuration: nil)
        bench.step(.vote(vote, from: ServerID(2)))
        _ = bench.pass(200)
        _ = bench.meet(2, link: 20)
        bench.step(.epochsSaved)
        _ = bench.fromLearner(.ackEpoch(lastZxid: zxid(1, 1), currentEpoch: 1), link: 20)
        bench.step(.epochsSaved)
        let given = bench.effects.compactMap { effect -> Proposal? in
            guard case .sendToLearner(.proposal(let zxid, let bytes), _) = effect else {
                return nil
            }
            return Proposal(zxid: zxid, bytes: bytes)
        }
        #expect(given == Array(all[1...]))
    }

    @Test func `H.49: a learner without a database does not count for the epoch, and gets all`() {
        var bench = PeerBench(3)
        bench.elect(3, with: 1, epoch: 0)
        _ = bench.meet(1, link: 10)
        bench.step(.epochsSaved)
        #expect(bench.fromLearner(.ackEpoch(lastZxid: .none, currentEpoch: 0), link: 10) == [])
        var other = leading()
        _ = other.meet(2, link: 11)
        let effects = other.fromLearner(.ackEpoch(lastZxid: .none, currentEpoch: 0), link: 11)
        #expect(effects.first == .sendSnapshot(zxid(2, 0), LinkID(11)))
    }

    /// A joiner, or one that was removed.
    @Test func `H.60: a follower that is no voter is served and does not count`() {
        var bench = leading()
        _ = bench.meet(9, link: 19)
        _ = bench.fromLearner(.ackEpoch(lastZxid: zxid(1, 2), currentEpoch: 1), link: 19)
        let stranger = LinkID(19)
        #expect(
            bench.fromLearner(.ack(zxid(2, 0)), link: 19) == [.sendToLearner(.upToDate, stranger)])
        let next = proposal(zxid(2, 1))
        #expect(bench.step(.propose(next)).contains(.sendToLearner(.proposal(next), stranger)))
        bench.step(.persisted(next.zxid))
        #expect(bench.fromLearner(.ack(next.zxid), link: 19) == [])
        let effects = bench.fromLearner(.ack(next.zxid), link: 10)
        #expect(effects.contains(.sendToLearner(.commit(next.zxid), stranger)))
        let sync = bench.step(.answerSync(stranger))
        #expect(sync == [.sendToLearner(.sync, stranger)])
        // Nor does it make a quorum for the leader to stay.
        bench.step(.learnerLost(LinkID(10)))
        let later = bench.pass(50) + bench.pass(50)
        #expect(later.contains(.changed(.looking)))
    }

    /// Apache's servers do so after each reconfiguration.
    @Test func `H.61: who leads or follows does not mind that election connections break`() {
        var leader = leading()
        var follower = following()
        for server in 1...3 as ClosedRange<Int64> {
            #expect(leader.step(.voterLost(ServerID(server))) == [])
            #expect(follower.step(.voterLost(ServerID(server))) == [])
            #expect(leader.step(.voterFound(ServerID(server))) == [])
            #expect(follower.step(.voterFound(ServerID(server))) == [])
        }
        #expect(leader.peer.role == .leading)
        #expect(follower.peer.role == .following(ServerID(3)))
    }
}
