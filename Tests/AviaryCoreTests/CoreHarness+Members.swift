import AviaryWire
import NIOCore
import Zab

@testable import AviaryCore

/// A core as one member of three voters (1, 2 and 3), of which 3 leads.
extension CoreHarness {
    static let followerLink = LinkID(10)
    static let leaderLink = LinkID(1)

    static func member(
        _ id: Int64, lastZxid: Zxid = .zero, endOfEpoch: UInt32 = .max,
        _ change: (inout ServerSettings) -> Void = { _ in }
    ) -> CoreHarness {
        var quorum = QuorumSettings(
            server: ServerID(id),
            verifier: QuorumVerifier(majorityOf: (1...3).map { ServerID($0) }))
        quorum.tickTime = 2000
        quorum.endOfEpoch = endOfEpoch
        quorum.configuration = "server.1=a:1:2:participant\nversion=0"
        return CoreHarness(
            {
                $0.server = ServerID(id)
                change(&$0)
            }, membership: .member(quorum, QuorumPeer.Recovered(lastZxid: lastZxid)))
    }

    /// Server 3, which leads epoch 1 and is followed by server 1.
    static func leader(
        endOfEpoch: UInt32 = .max, _ change: (inout ServerSettings) -> Void = { _ in }
    ) -> CoreHarness {
        let harness = member(3, endOfEpoch: endOfEpoch, change)
        harness.elect(3, with: 1)
        harness.meet(1, over: followerLink)
        harness.follower = followerLink
        harness.peers.removeAll()
        return harness
    }

    /// Server 1, which follows server 3 in epoch 1.
    static func follower(_ change: (inout ServerSettings) -> Void = { _ in }) -> CoreHarness {
        let harness = member(1, change)
        harness.elect(3, with: 3)
        harness.step(.quorum(.leaderConnected(leaderLink)))
        for message in [
            .leaderInfo(zxid(1, 0), protocolVersion: LearnerInfo.currentProtocol), .diff(.zero),
            .newLeader(zxid(1, 0), configuration: nil), .upToDate,
        ] as [LeaderMessage] { harness.fromLeader(message) }
        harness.peers.removeAll()
        return harness
    }

    func elect(_ leader: Int64, with voter: Int64, round: Int64 = 1, epoch: Int64 = 0) {
        let vote = Notification(
            state: .looking, leader: ServerID(leader), zxid: .zero, electionEpoch: round,
            peerEpoch: epoch, configuration: nil)
        step(.quorum(.vote(vote, from: ServerID(voter))))
        advance(milliseconds: 200)
    }

    /// Another follower comes and is brought up to date.
    func meet(_ server: Int64, over link: LinkID) {
        step(.quorum(.learnerConnected(link)))
        let info = LearnerInfo(server: ServerID(server), configurationVersion: .zero)
        for message in [
            .followerInfo(info, accepted: .zero), .ackEpoch(lastZxid: .zero, currentEpoch: 0),
            .ack(zxid(1, 0)),
        ] as [LearnerMessage] { fromLearner(message, over: link) }
    }

    func fromLearner(_ message: LearnerMessage, over link: LinkID = followerLink) {
        step(.quorum(.receivedFromLearner([message], link)))
        if persistsAtOnce { persist() }
    }

    func fromLeader(_ message: LeaderMessage) {
        step(.quorum(.receivedFromLeader([message], Self.leaderLink)))
        if persistsAtOnce { persist() }
    }

    /// A transaction of the leader, and its commit.
    func decide(
        _ txn: Txn, _ code: OpCode, session: SessionID, cxid: Int32, zxid: Zxid
    ) {
        fromLeader(.proposal(zxid, entry(txn, code, session: session, cxid: cxid, zxid: zxid)))
        fromLeader(.commit(zxid))
    }

    func entry(
        _ txn: Txn, _ code: OpCode, session: SessionID, cxid: Int32, zxid: Zxid
    ) -> ByteBuffer {
        let header = TxnHeader(
            session: session, cxid: cxid, zxid: zxid, time: now.wallMilliseconds, type: code)
        var bytes = ByteBuffer()
        LogEntry(header: header, txn: txn, digest: nil).write(to: &bytes)
        return bytes
    }

    /// What was said to learners since the last time, without pings.
    func saidToLearners(over link: LinkID = followerLink) -> [LeaderMessage] {
        defer { peers.removeAll() }
        return peers.compactMap { order in
            switch order {
            case .sendToLearner(.ping, _): nil
            case .sendToLearner(let message, link): message
            case .sendSnapshot(let zxid, _, link): .snap(zxid)
            default: nil
            }
        }
    }

    /// What was said to the leader since the last time.
    func saidToLeader() -> [LearnerMessage] {
        defer { peers.removeAll() }
        return peers.compactMap { order in
            if case .sendToLeader(let message, _) = order { message } else { nil }
        }
    }
}

func zxid(_ epoch: Int64, _ counter: Int64) -> Zxid { Zxid(epoch << 32 | counter) }

extension ForwardedRequest {
    /// As a client at another server asked for it.
    init(
        _ code: OpCode, session: SessionID, cxid: Int32,
        _ body: (inout ByteBuffer) -> Void = { _ in }
    ) {
        var buffer = ByteBuffer()
        body(&buffer)
        self.init(
            session: session, cxid: cxid, type: code.rawValue, body: buffer.readableBytesSpan,
            identities: [Identity(scheme: "ip", id: "127.0.0.1")])
    }
}

extension StepEffects.Peer {
    /// What goes to several learners as what goes to each.
    var byLearner: [StepEffects.Peer] {
        guard case .sendToLearners(let message, let links) = self else { return [self] }
        return links.map { .sendToLearner(message, $0) }
    }
}
