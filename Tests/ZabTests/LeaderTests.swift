import AviaryWire
import NIOCore
import Testing

@testable import Zab

struct LeaderTests {
    private let one = LinkID(10)
    private let info = LeaderMessage.leaderInfo(zxid(2, 0), protocolVersion: 0x1_0000)
    private let newLeader = LeaderMessage.newLeader(zxid(2, 0), configuration: "config")

    /// Server 3, elected, with a log up to 1:2.
    private func elected(_ change: (inout QuorumSettings) -> Void = { _ in }) -> PeerBench {
        var recovered = QuorumPeer.Recovered(lastZxid: zxid(1, 2))
        recovered.acceptedEpoch = 1
        recovered.currentEpoch = 1
        recovered.history = [proposal(zxid(1, 1)), proposal(zxid(1, 2))]
        var bench = PeerBench(3, recovered: recovered, change)
        bench.step(.started)
        let vote = Notification(
            state: .looking, leader: ServerID(3), zxid: zxid(1, 2), electionEpoch: 1,
            peerEpoch: 1, configuration: nil)
        bench.step(.vote(vote, from: ServerID(1)))
        bench.time += 200
        bench.step(.deadlinePassed)
        return bench
    }

    /// The same, with the epoch agreed and its history sent to server 1 on link 10.
    private func synchronizing(_ change: (inout QuorumSettings) -> Void = { _ in }) -> PeerBench {
        var bench = elected(change)
        _ = bench.meet(1, link: 10)
        bench.step(.epochsSaved)
        _ = bench.fromLearner(.ackEpoch(lastZxid: zxid(1, 2), currentEpoch: 1), link: 10)
        bench.step(.epochsSaved)
        return bench
    }

    private func leading(_ change: (inout QuorumSettings) -> Void = { _ in }) -> PeerBench {
        var bench = synchronizing(change)
        _ = bench.fromLearner(.ack(zxid(2, 0)), link: 10)
        return bench
    }

    private func wish(_ leader: Int64, round: Int64 = 1) -> Notification {
        Notification(
            state: .looking, leader: ServerID(leader), zxid: zxid(1, 2), electionEpoch: round,
            peerEpoch: 1, configuration: nil)
    }

    /// Server 1 has heard a better vote, of a server that cannot be heard here.
    @Test func `a leader whose voters have turned to another does not wait for initLimit`() {
        var bench = elected()
        bench.step(.vote(wish(2), from: ServerID(2)))
        #expect(bench.peer.lastResignation == nil)
        #expect(bench.step(.vote(wish(2), from: ServerID(1))).contains(.disconnectLearners))
        #expect(bench.peer.lastResignation == .noQuorum)
    }

    @Test func `a voter that has turned back, or is here already, counts`() {
        var bench = elected()
        bench.step(.vote(wish(2), from: ServerID(2)))
        bench.step(.vote(wish(3), from: ServerID(2)))
        bench.step(.vote(wish(2), from: ServerID(1)))
        #expect(bench.peer.lastResignation == nil)
        _ = bench.meet(1, link: 10)
        bench.step(.vote(wish(2), from: ServerID(2)))
        #expect(bench.peer.lastResignation == nil)
    }

    @Test func `a wish of an earlier election does not end a leadership`() {
        var bench = elected()
        for voter: Int64 in [1, 2] {
            bench.step(.vote(wish(2, round: 0), from: ServerID(voter)))
        }
        #expect(bench.peer.lastResignation == nil)
    }

    @Test func `an epoch is found, agreed upon and entered, each step safe before the next`() {
        var bench = elected()
        #expect(bench.effects == [.listen])
        #expect(bench.meet(1, link: 10) == [.saveEpochs(accepted: 2, current: 1)])
        #expect(bench.step(.epochsSaved) == [.sendToLearner(info, one)])
        #expect(
            bench.fromLearner(.ackEpoch(lastZxid: zxid(1, 1), currentEpoch: 1), link: 10)
                == [.saveEpochs(accepted: 2, current: 2)])
        #expect(
            bench.step(.epochsSaved) == [
                .sendToLearner(.diff(zxid(1, 2)), one),
                .sendToLearner(.proposal(proposal(zxid(1, 2))), one),
                .sendToLearner(.commit(zxid(1, 2)), one), .sendToLearner(newLeader, one),
            ])
        #expect(bench.peer.role == .looking)
        #expect(
            bench.fromLearner(.ack(zxid(2, 0)), link: 10) == [
                .startEpoch(zxid(2, 0)), .changed(.leading), .sendToLearner(.upToDate, one),
            ])
        #expect(bench.peer.role == .leading)
    }

    @Test func `the epoch is higher than any that a learner has accepted`() {
        var bench = elected()
        bench.step(.learnerConnected(LinkID(9)))
        let observer = LearnerInfo(server: ServerID(9), configurationVersion: .zero)
        #expect(bench.fromLearner(.observerInfo(observer, accepted: zxid(6, 0)), link: 9) == [])
        #expect(bench.meet(1, link: 10) == [.saveEpochs(accepted: 7, current: 1)])
    }

    /// A server that was about to lead a later epoch, and failed, would else stay out for ever.
    @Test func `a leader steps down for a learner that has accepted a later epoch`() {
        var bench = leading()
        bench.step(.learnerConnected(LinkID(11)))
        let info = LearnerInfo(server: ServerID(2), configurationVersion: .zero)
        #expect(
            bench.fromLearner(.followerInfo(info, accepted: zxid(3, 0)), link: 11)
                == [.disconnectLearners, .changed(.looking)])
        #expect(bench.peer.lastResignation == .epochPassed)
    }

    @Test func `a server ahead of the leader is turned away while it could still lead`() {
        for ahead in [(zxid(1, 3), 1), (zxid(1, 1), 2)] as [(Zxid, Int32)] {
            var bench = elected()
            _ = bench.meet(1, link: 10)
            bench.step(.epochsSaved)
            #expect(
                bench.fromLearner(.ackEpoch(lastZxid: ahead.0, currentEpoch: ahead.1), link: 10)
                    == [.disconnectLearner(one)])
        }
    }

    @Test func `H.45: an epoch that was accepted from another does not count`() {
        var bench = elected()
        _ = bench.meet(1, link: 10)
        bench.step(.epochsSaved)
        #expect(
            bench.fromLearner(.ackEpoch(lastZxid: zxid(1, 2), currentEpoch: -1), link: 10) == [])
    }

    @Test func `H.36: an observer does not count, and is brought up to date all the same`() {
        var bench = elected()
        #expect(bench.meet(9, link: 19, isObserver: true) == [])
        _ = bench.meet(1, link: 10)
        bench.step(.epochsSaved)
        #expect(
            bench.fromLearner(.ackEpoch(lastZxid: zxid(1, 2), currentEpoch: 1), link: 19) == [])
        _ = bench.fromLearner(.ackEpoch(lastZxid: zxid(1, 2), currentEpoch: 1), link: 10)
        bench.step(.epochsSaved)
        #expect(bench.fromLearner(.ack(zxid(2, 0)), link: 19) == [])
        let effects = bench.fromLearner(.ack(zxid(2, 0)), link: 10)
        #expect(effects.contains(.sendToLearner(.upToDate, LinkID(19))))
    }

    @Test func `H.26: who says anything else than what is waited for is turned away`() {
        var bench = elected()
        bench.step(.learnerConnected(one))
        #expect(bench.fromLearner(.ack(.zero), link: 10) == [.disconnectLearner(one)])
        var other = synchronizing()
        #expect(
            other.fromLearner(.ping(.zero, touched: []), link: 10) == [.disconnectLearner(one)])
    }

    @Test func `H.43: who has a newer configuration does not follow`() {
        var bench = elected()
        bench.step(.learnerConnected(one))
        let info = LearnerInfo(server: ServerID(1), configurationVersion: Zxid(1))
        #expect(
            bench.fromLearner(.followerInfo(info, accepted: .zero), link: 10)
                == [.disconnectLearner(one)])
    }

    @Test func `H.4: a proposal is committed when a quorum has it, this server always included`() {
        var bench = leading()
        let next = proposal(zxid(2, 1))
        #expect(
            bench.step(.propose(next)) == [.append(next), .sendToLearner(.proposal(next), one)])
        #expect(bench.fromLearner(.ack(next.zxid), link: 10) == [])
        #expect(
            bench.step(.persisted(next.zxid))
                == [.sendToLearner(.commit(next.zxid), one), .commit(upTo: next.zxid)])
        let more = proposal(zxid(2, 2))
        bench.step(.propose(more))
        #expect(bench.step(.persisted(more.zxid)) == [])
        #expect(
            bench.fromLearner(.ack(more.zxid), link: 10)
                == [.sendToLearner(.commit(more.zxid), one), .commit(upTo: more.zxid)])
    }

    /// Guards H.7 and H.27: nothing falls between the history and what is proposed meanwhile.
    @Test func `H.7, H.27: a learner that comes late gets what is committed and what is not`() {
        var bench = leading()
        let (first, second) = (proposal(zxid(2, 1)), proposal(zxid(2, 2)))
        bench.step(.propose(first))
        bench.step(.persisted(first.zxid))
        _ = bench.fromLearner(.ack(first.zxid), link: 10)
        bench.step(.propose(second))
        let late = LinkID(11)
        #expect(bench.meet(2, link: 11) == [.sendToLearner(info, late)])
        #expect(
            bench.fromLearner(.ackEpoch(lastZxid: zxid(1, 2), currentEpoch: 1), link: 11) == [
                .sendToLearner(.diff(first.zxid), late),
                .sendToLearner(.proposal(first), late),
                .sendToLearner(.commit(first.zxid), late),
                .sendToLearner(.proposal(second), late), .sendToLearner(newLeader, late),
            ])
        let third = proposal(zxid(2, 3))
        #expect(bench.step(.propose(third)).contains(.sendToLearner(.proposal(third), late)))
        #expect(
            bench.fromLearner(.ack(zxid(2, 0)), link: 11) == [.sendToLearner(.upToDate, late)])
    }

    /// What server 9, an observer, is brought up to date with on a link.
    private func synchronize(
        _ bench: inout PeerBench, link: UInt64, from zxid: Zxid
    ) -> [QuorumPeer.Effect] {
        _ = bench.meet(Int64(link), link: link, isObserver: true)
        return bench.fromLearner(.ackEpoch(lastZxid: zxid, currentEpoch: 1), link: link)
    }

    @Test func `forceSnapshotSync sends a snapshot to who lacks anything, and to nobody else`() {
        var bench = leading { $0.forceSnapshotSync = true }
        #expect(
            synchronize(&bench, link: 19, from: zxid(1, 1)).first
                == .sendSnapshot(zxid(2, 0), LinkID(19)))
        #expect(
            synchronize(&bench, link: 20, from: zxid(2, 0)).first
                == .sendToLearner(.diff(zxid(2, 0)), LinkID(20)))
    }

    @Test func `observers beyond what may be brought up to date at a time come again`() {
        var bench = leading {
            $0.forceSnapshotSync = true
            $0.maximumSnapSyncs = 1
            $0.maximumDiffSyncs = 1
        }
        #expect(
            synchronize(&bench, link: 19, from: zxid(1, 1)).first
                == .sendSnapshot(zxid(2, 0), LinkID(19)))
        let twentieth = synchronize(&bench, link: 20, from: zxid(1, 1))
        #expect(twentieth == [.disconnectLearner(LinkID(20))])
        #expect(
            synchronize(&bench, link: 21, from: zxid(2, 0)).first
                == .sendToLearner(.diff(zxid(2, 0)), LinkID(21)))
        _ = bench.fromLearner(.ack(zxid(2, 0)), link: 19)
        #expect(
            synchronize(&bench, link: 22, from: zxid(1, 1)).first
                == .sendSnapshot(zxid(2, 0), LinkID(22)))
    }

    @Test func `an observer is informed of what is committed, and of nothing else`() {
        var bench = leading()
        _ = bench.meet(9, link: 19, isObserver: true)
        _ = bench.fromLearner(.ackEpoch(lastZxid: zxid(1, 2), currentEpoch: 1), link: 19)
        _ = bench.fromLearner(.ack(zxid(2, 0)), link: 19)
        let next = proposal(zxid(2, 1))
        #expect(
            bench.step(.propose(next)) == [.append(next), .sendToLearner(.proposal(next), one)])
        bench.step(.persisted(next.zxid))
        let effects = bench.fromLearner(.ack(next.zxid), link: 10)
        #expect(
            effects.contains(.sendToLearner(.inform(next.zxid, next.bytes), LinkID(19))))
    }

    /// A learner that has come anew may have dropped what it had acknowledged.
    @Test func `an acknowledgement does not outlive its connection`() {
        var bench = leading()
        let next = proposal(zxid(2, 1))
        bench.step(.propose(next))
        _ = bench.fromLearner(.ack(next.zxid), link: 10)
        bench.step(.learnerLost(one))
        #expect(bench.step(.persisted(next.zxid)) == [])
    }

    @Test func `H.31: a sync is answered after the commit of what was proposed before it`() {
        var bench = leading()
        #expect(bench.step(.answerSync(one)) == [.sendToLearner(.sync, one)])
        let next = proposal(zxid(2, 1))
        bench.step(.propose(next))
        #expect(bench.step(.answerSync(one)) == [])
        bench.step(.persisted(next.zxid))
        #expect(
            bench.fromLearner(.ack(next.zxid), link: 10) == [
                .sendToLearner(.commit(next.zxid), one), .sendToLearner(.sync, one),
                .commit(upTo: next.zxid),
            ])
    }

    @Test func `a sync is answered before the commit of what was proposed after it`() {
        var bench = leading()
        let first = proposal(zxid(2, 1))
        let second = proposal(zxid(2, 2))
        bench.step(.propose(first))
        bench.step(.answerSync(one))
        bench.step(.propose(second))
        bench.step(.persisted(second.zxid))
        #expect(
            bench.fromLearner(.ack(second.zxid), link: 10) == [
                .sendToLearner(.commit(first.zxid), one), .sendToLearner(.sync, one),
                .sendToLearner(.commit(second.zxid), one), .commit(upTo: second.zxid),
            ])
    }

    @Test func `what a learner asks for is handed to the core`() {
        var bench = leading()
        let message = LearnerMessage.revalidate(SessionID(5), timeoutMilliseconds: 100)
        #expect(
            bench.fromLearner(message, link: 10)
                == [.receivedFromLearner(message, ServerID(1), one)])
        let answer = LeaderMessage.revalidated(SessionID(5), isValid: true)
        #expect(bench.step(.answer(answer, one)) == [.sendToLearner(answer, one)])
    }

    /// Guards ZOOKEEPER-1277.
    @Test func `H.21: the last number of an epoch is not used`() {
        var bench = leading()
        let last = Proposal(zxid: zxid(2, 0xffff_ffff), bytes: ByteBuffer())
        #expect(bench.step(.propose(last)) == [.disconnectLearners, .changed(.looking)])
        #expect(bench.peer.lastResignation == .zxidsUsedUp)
    }

    @Test func `a leader without a quorum steps down`() {
        var bench = leading()
        bench.step(.learnerLost(one))
        let effects = bench.pass(50) + bench.pass(50)
        #expect(effects == [.disconnectLearners, .changed(.looking)])
        #expect(bench.peer.lastResignation == .noQuorum)
        var lonely = elected()
        #expect(lonely.pass(1000) == [.disconnectLearners])
    }

    @Test func `H.59: a learner that is silent or owes an answer is dropped`() {
        var bench = leading()
        bench.step(.propose(proposal(zxid(2, 1))))
        bench.step(.persisted(zxid(2, 1)))
        var effects: [QuorumPeer.Effect] = []
        for _ in 0..<11 {
            effects += bench.pass(50)
            _ = bench.fromLearner(.ping(.zero, touched: []), link: 10)
        }
        #expect(effects.contains(.disconnectLearner(one)))
        var silent = leading()
        effects = []
        for _ in 0..<21 { effects += silent.pass(50) }
        #expect(effects.contains(.disconnectLearner(one)))
    }

    @Test func `a learner far behind gets a snapshot, and then what is not committed`() {
        var bench = leading { $0.historyLimit = 0 }
        let next = proposal(zxid(2, 1))
        bench.step(.propose(next))
        _ = bench.meet(2, link: 11)
        let late = LinkID(11)
        #expect(
            bench.fromLearner(.ackEpoch(lastZxid: .zero, currentEpoch: 0), link: 11) == [
                .sendSnapshot(zxid(2, 0), late), .sendToLearner(.proposal(next), late),
                .sendToLearner(newLeader, late),
            ])
    }

    @Test func `the log is read for a learner that lags, and what came meanwhile follows`() {
        var bench = leading {
            $0.historyLimit = 0
            $0.readsLog = true
        }
        let next = proposal(zxid(2, 1))
        bench.step(.propose(next))
        bench.step(.persisted(next.zxid))
        _ = bench.fromLearner(.ack(next.zxid), link: 10)
        _ = bench.meet(2, link: 11)
        let late = LinkID(11)
        #expect(
            bench.fromLearner(.ackEpoch(lastZxid: zxid(1, 1), currentEpoch: 1), link: 11)
                == [.readLog(from: zxid(1, 1), through: next.zxid, late)])
        let log = [proposal(zxid(1, 1)), proposal(zxid(1, 2)), next]
        let effects = bench.step(.logRead(log, late))
        #expect(effects.first == .sendToLearner(.diff(next.zxid), late))
        #expect(effects.last == .sendToLearner(newLeader, late))
        #expect(effects.count == 6)
    }
}
