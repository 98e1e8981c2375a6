import AviaryWire
import NIOCore
import Testing

@testable import Zab

struct LearnerTests {
    private let link = LinkID(1)

    /// Server 1, which has found server 3 to lead, with a log up to 1:2.
    private func learner(
        isObserver: Bool = false, floor: Zxid = .zero,
        _ change: (inout QuorumSettings) -> Void = { _ in }
    ) -> PeerBench {
        var recovered = QuorumPeer.Recovered(lastZxid: zxid(1, 2))
        recovered.acceptedEpoch = 1
        recovered.currentEpoch = 1
        recovered.floor = floor
        var bench = PeerBench(
            isObserver ? 9 : 1, isObserver: isObserver, recovered: recovered, change)
        bench.step(.started)
        for voter in [2, 3] as [Int64] {
            let vote = Notification(
                state: .looking, leader: ServerID(3), zxid: zxid(1, 3), electionEpoch: 1,
                peerEpoch: 1, configuration: nil)
            bench.step(.vote(vote, from: ServerID(voter)))
        }
        // Who has no vote waits for those who have.
        if isObserver { _ = bench.pass(200) }
        return bench
    }

    /// The same, which waits for word of how its history comes.
    private func accepted(isObserver: Bool = false, floor: Zxid = .zero) -> PeerBench {
        var bench = learner(isObserver: isObserver, floor: floor)
        bench.step(.leaderConnected(link))
        _ = bench.fromLeader(.leaderInfo(zxid(2, 0), protocolVersion: 0x1_0000))
        bench.step(.epochsSaved)
        return bench
    }

    /// The same, which serves, with a log up to 1:2.
    private func serving(isObserver: Bool = false) -> PeerBench {
        var bench = accepted(isObserver: isObserver)
        _ = bench.fromLeader(.diff(zxid(1, 2)))
        _ = bench.fromLeader(.newLeader(zxid(2, 0), configuration: "config"))
        bench.step(.epochsSaved)
        _ = bench.fromLeader(.upToDate)
        return bench
    }

    @Test func `after a message that ends a link the rest of what was read is ignored`() {
        var bench = serving()
        // The third would be the next one, if the second were not there.
        let proposals = [1, 3, 2].map { proposal(zxid(2, $0)) }
        let effects = bench.step(.receivedFromLeader(proposals.map { .proposal($0) }, link))
        #expect(bench.peer.lastResignation == .protocolBroken)
        #expect(
            effects == [.append(proposals[0]), .disconnectLeader(link), .changed(.looking)])
    }

    @Test func `an observer of observer masters tries one voter after the other`() {
        var bench = learner(isObserver: true) { $0.usesObserverMasters = true }
        var tried: [ServerID] = []
        for number: UInt64 in 1...3 {
            for case .connect(let server, LinkID(number)) in bench.effects { tried.append(server) }
            bench.step(.leaderLost(LinkID(number)))
            _ = bench.pass(100)
        }
        #expect(Set(tried) == bench.voters)
    }

    @Test func `connectToLearnerMasterLimit ends the attempts`() {
        var bench = learner { $0.connectToLearnerMasterLimit = 1 }
        bench.step(.leaderLost(link))
        #expect(bench.pass(100) == [.connect(to: ServerID(3), LinkID(2))])
        bench.step(.leaderLost(LinkID(2)))
        #expect(bench.peer.lastResignation == .leaderLost)
    }

    /// Guards ZOOKEEPER-4643 and 4646 too: each promise is on disk before it is made.
    @Test func `H.5, H.6, ZOOKEEPER-3911, ZOOKEEPER-4785: history, then epoch, then the promise`() {
        var bench = learner()
        #expect(bench.effects == [.connect(to: ServerID(3), link)])
        let info = LearnerInfo(server: ServerID(1), configurationVersion: .zero)
        #expect(
            bench.step(.leaderConnected(link))
                == [.sendToLeader(.followerInfo(info, accepted: zxid(1, 0)), link)])
        #expect(
            bench.fromLeader(.leaderInfo(zxid(2, 0), protocolVersion: 0x1_0000))
                == [.saveEpochs(accepted: 2, current: 1)])
        #expect(
            bench.step(.epochsSaved)
                == [.sendToLeader(.ackEpoch(lastZxid: zxid(1, 2), currentEpoch: 1), link)])
        #expect(bench.fromLeader(.diff(zxid(1, 3))) == [])
        let third = proposal(zxid(1, 3))
        let fourth = proposal(zxid(1, 4))
        #expect(bench.fromLeader(.proposal(third)) == [.append(third)])
        #expect(bench.fromLeader(.commit(third.zxid)) == [])
        #expect(bench.fromLeader(.proposal(fourth)) == [.append(fourth)])
        #expect(bench.fromLeader(.newLeader(zxid(2, 0), configuration: "config")) == [])
        #expect(bench.step(.persisted(third.zxid)) == [])
        #expect(bench.step(.persisted(fourth.zxid)) == [.saveEpochs(accepted: 2, current: 2)])
        #expect(bench.step(.epochsSaved) == [.sendToLeader(.ack(zxid(2, 0)), link)])
        #expect(bench.peer.role == .looking)
        #expect(
            bench.fromLeader(.upToDate) == [
                .sendToLeader(.ack(zxid(2, 0)), link), .sendToLeader(.ack(fourth.zxid), link),
                .commit(upTo: third.zxid), .changed(.following(ServerID(3))),
            ])
        #expect(bench.fromLeader(.commit(fourth.zxid)) == [.commit(upTo: fourth.zxid)])
    }

    @Test func `H.45: an epoch that was accepted before is not accepted once more`() {
        var bench = learner()
        bench.step(.leaderConnected(link))
        #expect(
            bench.fromLeader(.leaderInfo(zxid(1, 0), protocolVersion: 0x1_0000))
                == [.sendToLeader(.ackEpoch(lastZxid: zxid(1, 2), currentEpoch: -1), link)])
    }

    @Test func `H.44: a leader of the past is refused`() {
        var bench = learner()
        bench.step(.leaderConnected(link))
        let effects = bench.fromLeader(.leaderInfo(zxid(0, 0), protocolVersion: 0x1_0000))
        #expect(effects == [.disconnectLeader(link)])
        #expect(bench.peer.lastResignation == .epochPassed)
    }

    @Test func `H.26, H.46: nothing is said before the leader lets this server serve`() {
        var bench = accepted()
        #expect(bench.fromLeader(.ping(zxid(1, 3))) == [])
        _ = bench.fromLeader(.diff(zxid(1, 2)))
        #expect(bench.fromLeader(.ping(zxid(1, 3))) == [])
        #expect(bench.step(.forward(.ping(.zero, touched: []))) == [])
    }

    @Test func `H.58: a proposal is acknowledged when it is safe`() {
        var bench = serving()
        for counter in 1...3 as ClosedRange<Int64> {
            let next = proposal(zxid(2, counter))
            #expect(bench.fromLeader(.proposal(next)) == [.append(next)])
        }
        #expect(
            bench.step(.persisted(zxid(2, 2)))
                == [.sendToLeader(.ack(zxid(2, 1), count: 2), link)])
    }

    @Test func `H.4, ZOOKEEPER-4882: what others have committed waits for the own log`() {
        var bench = serving()
        _ = bench.fromLeader(.proposal(proposal(zxid(2, 1))))
        #expect(bench.fromLeader(.commit(zxid(2, 1))) == [])
        #expect(
            bench.step(.persisted(zxid(2, 1)))
                == [.sendToLeader(.ack(zxid(2, 1)), link), .commit(upTo: zxid(2, 1))])
    }

    @Test func `H.28: a hole in what is proposed ends the following`() {
        var bench = serving()
        _ = bench.fromLeader(.proposal(proposal(zxid(2, 1))))
        bench.step(.persisted(zxid(2, 1)))
        let effects = bench.fromLeader(.proposal(proposal(zxid(2, 3))))
        #expect(effects == [.disconnectLeader(link), .changed(.looking)])
        #expect(bench.peer.lastResignation == .protocolBroken)
    }

    @Test func `H.27: a commit of something else than the oldest proposal ends the following`() {
        var bench = serving()
        #expect(bench.fromLeader(.commit(zxid(2, 1))) == [])
        _ = bench.fromLeader(.proposal(proposal(zxid(2, 1))))
        _ = bench.fromLeader(.commit(zxid(2, 2)))
        #expect(bench.peer.lastResignation == .protocolBroken)
    }

    @Test func `an observer logs what it is informed of and acknowledges nothing`() {
        var bench = serving(isObserver: true)
        #expect(bench.peer.role == .observing(ServerID(3)))
        let next = proposal(zxid(2, 1))
        #expect(bench.fromLeader(.inform(next.zxid, next.bytes)) == [.append(next)])
        #expect(bench.step(.persisted(next.zxid)) == [.commit(upTo: next.zxid)])
        #expect(bench.fromLeader(.proposal(proposal(zxid(2, 2)))) == [])
    }

    @Test func `what comes while the log is cut waits for that`() {
        var bench = accepted()
        #expect(bench.fromLeader(.trunc(zxid(1, 1))) == [.truncate(after: zxid(1, 1))])
        let next = proposal(zxid(1, 2))
        #expect(bench.fromLeader(.proposal(next)) == [])
        #expect(bench.fromLeader(.commit(next.zxid)) == [])
        #expect(bench.fromLeader(.newLeader(zxid(2, 0), configuration: nil)) == [])
        #expect(bench.step(.truncated(after: zxid(1, 1))) == [.append(next)])
        #expect(bench.step(.persisted(next.zxid)) == [.saveEpochs(accepted: 2, current: 2)])
    }

    /// Guards ZOOKEEPER-3642 and 2872.
    @Test func `H.3, ZOOKEEPER-3642: a snapshot is installed when it has come whole`() {
        var bench = accepted()
        #expect(bench.fromLeader(.snap(zxid(2, 5))) == [])
        #expect(
            bench.step(.snapshotReceived(zxid(2, 5), link)) == [.installSnapshot(zxid(2, 5))])
        #expect(bench.fromLeader(.newLeader(zxid(2, 0), configuration: nil)) == [])
        #expect(
            bench.step(.snapshotInstalled(zxid(2, 5))) == [.saveEpochs(accepted: 2, current: 2)])
        bench.step(.epochsSaved)
        #expect(
            bench.fromLeader(.upToDate) == [
                .sendToLeader(.ack(zxid(2, 0)), link), .startEpoch(zxid(2, 0)),
                .changed(.following(ServerID(3))),
            ])
        let next = proposal(zxid(2, 6))
        #expect(bench.fromLeader(.proposal(next)) == [.append(next)])
    }

    /// Guards ZOOKEEPER-5094: what the disk is at must end before this server votes.
    @Test func `H.2: a server whose leader is lost votes when its disk has done what it was told`()
    {
        var bench = accepted()
        _ = bench.fromLeader(.trunc(zxid(1, 1)))
        bench.step(.leaderLost(link))
        #expect(bench.effects == [.disconnectLeader(link)])
        bench.step(.truncated(after: zxid(1, 1)))
        let vote = Notification(
            state: .looking, leader: ServerID(1), zxid: zxid(1, 1), electionEpoch: 2,
            peerEpoch: 1, configuration: "config")
        #expect(
            bench.effects == [.vote(vote, to: ServerID(2)), .vote(vote, to: ServerID(3))])
    }

    @Test func `H.3: a snapshot of a leader that is lost meanwhile is not installed`() {
        var bench = accepted()
        _ = bench.fromLeader(.snap(zxid(2, 5)))
        bench.step(.leaderLost(link))
        #expect(bench.step(.snapshotReceived(zxid(2, 5), link)) == [])
    }

    /// A snapshot cannot be truncated. Who is asked to comes again as one without a log, and is not
    /// counted for the epoch.
    @Test func `a server that cannot truncate asks for a snapshot`() {
        var bench = accepted(floor: zxid(1, 2))
        let second = LinkID(2)
        #expect(
            bench.fromLeader(.trunc(zxid(1, 1)))
                == [.disconnectLeader(link), .connect(to: ServerID(3), second)])
        bench.step(.leaderConnected(second))
        #expect(
            bench.fromLeader(.leaderInfo(zxid(2, 0), protocolVersion: 0x1_0000), link: 2)
                == [.sendToLeader(.ackEpoch(lastZxid: .none, currentEpoch: -1), second)])
        #expect(bench.fromLeader(.snap(zxid(1, 1)), link: 2) == [])
    }

    @Test func `a leader that does not listen yet is tried again, and not for ever`() {
        var bench = learner()
        for attempt in 2...5 as ClosedRange<UInt64> {
            #expect(bench.step(.leaderLost(LinkID(attempt - 1))) == [])
            #expect(bench.pass(100) == [.connect(to: ServerID(3), LinkID(attempt))])
        }
        #expect(bench.step(.leaderLost(LinkID(5))) == [.disconnectLeader(LinkID(5))])
        #expect(bench.peer.lastResignation == .leaderLost)
    }

    @Test func `a silent leader is left`() {
        var bench = serving()
        #expect(bench.pass(499) == [])
        #expect(bench.fromLeader(.ping(zxid(2, 0))) == [.answerPing(zxid(2, 0), link)])
        #expect(bench.pass(500) == [.disconnectLeader(link), .changed(.looking)])
    }
}
