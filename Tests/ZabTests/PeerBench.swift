import AviaryWire
import NIOCore

@testable import Zab

/// One member of three voters (1, 2 and 3), led by hand through what others and its disk do.
struct PeerBench: ~Copyable {
    var peer: QuorumPeer
    var effects: [QuorumPeer.Effect] = []
    var time: Int64 = 0

    init(
        _ id: Int64, isObserver: Bool = false, recovered: QuorumPeer.Recovered? = nil,
        _ change: (inout QuorumSettings) -> Void = { _ in }
    ) {
        var settings = QuorumSettings(
            server: ServerID(id),
            verifier: QuorumVerifier(majorityOf: (1...3).map { ServerID($0) }))
        settings.isObserver = isObserver
        settings.tickTime = 100
        settings.configuration = "config"
        change(&settings)
        peer = QuorumPeer(settings, recovered ?? QuorumPeer.Recovered(lastZxid: .zero))
    }

    var voters: Set<ServerID> { Set((1...3).map { ServerID($0) }) }

    /// Takes the step and gives what it orders, but for votes.
    @discardableResult
    mutating func step(_ event: QuorumPeer.Event) -> [QuorumPeer.Effect] {
        effects.removeAll()
        peer.step(event, at: Instant(milliseconds: time), into: &effects)
        effects = effects.flatMap(\.byLearner)
        return effects.filter {
            if case .vote = $0 { return false }
            return true
        }
    }

    mutating func pass(_ milliseconds: Int64) -> [QuorumPeer.Effect] {
        time += milliseconds
        return step(.deadlinePassed)
    }

    /// Until it has elected a leader, with one other voter.
    mutating func elect(_ leader: Int64, with voter: Int64, epoch: Int64 = 9) {
        step(.started)
        let vote = Notification(
            state: .looking, leader: ServerID(leader), zxid: Zxid(epoch: epoch),
            electionEpoch: 1, peerEpoch: epoch, configuration: nil)
        step(.vote(vote, from: ServerID(voter)))
        time += 200
        step(.deadlinePassed)
    }

    mutating func fromLeader(_ message: LeaderMessage, link: UInt64 = 1) -> [QuorumPeer.Effect] {
        step(.receivedFromLeader([message], LinkID(link)))
    }

    mutating func fromLearner(_ message: LearnerMessage, link: UInt64) -> [QuorumPeer.Effect] {
        step(.receivedFromLearner([message], LinkID(link)))
    }

    /// A learner that comes, with an accepted epoch of zero.
    mutating func meet(_ server: Int64, link: UInt64, isObserver: Bool = false)
        -> [QuorumPeer.Effect]
    {
        step(.learnerConnected(LinkID(link)))
        let info = LearnerInfo(server: ServerID(server), configurationVersion: .zero)
        return fromLearner(
            isObserver
                ? .observerInfo(info, accepted: .zero) : .followerInfo(info, accepted: .zero),
            link: link)
    }
}

func zxid(_ epoch: Int64, _ counter: Int64) -> Zxid { Zxid(epoch << 32 | counter) }

func proposal(_ zxid: Zxid) -> Proposal {
    Proposal(zxid: zxid, bytes: ByteBuffer(integer: zxid.rawValue))
}

extension LeaderMessage {
    static func proposal(_ proposal: Proposal) -> LeaderMessage {
        .proposal(proposal.zxid, proposal.bytes)
    }
}

extension QuorumPeer.Effect {
    /// What goes to several learners as what goes to each.
    var byLearner: [QuorumPeer.Effect] {
        guard case .sendToLearners(let message, let links) = self else { return [self] }
        return links.map { .sendToLearner(message, $0) }
    }
}
