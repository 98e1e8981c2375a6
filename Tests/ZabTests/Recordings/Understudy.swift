import AviaryWire
import NIOCore
import Recordings

@testable import Zab

/// Our machine in the place of one server of a recording. It hears what that server heard, when it
/// heard it, and what it says is kept.
///
/// Its disk is done at once. What a server's clients and its tree cause is taken from the recording:
/// requests when they were forwarded, proposals when they were first sent.
struct Understudy: ~Copyable {
    private var peer: QuorumPeer
    private let server: ServerID
    private(set) var time: Int64 = 0
    private var effects: [QuorumPeer.Effect] = []
    /// What the disk has done and the peer has not heard of.
    private var done: [QuorumPeer.Event] = []
    private var leaderLink: LinkID?
    private var lastProposed = Zxid.zero
    /// By the recording's connections; a learner's one to its leader is among them.
    private(set) var said: [Int: [Said]] = [:]
    private(set) var votes: [ServerID: [Notification]] = [:]
    private(set) var hasLeft = false
    /// The recorded connection to the leader.
    private var leaderConnection: Int?

    enum Said: Hashable {
        case asLeader(LeaderMessage)
        case asLearner(LearnerMessage)
    }

    init(_ settings: QuorumSettings, _ recovered: QuorumPeer.Recovered) {
        server = settings.server
        peer = QuorumPeer(settings, recovered)
    }

    // MARK: Before the recording

    /// Is elected with another's vote, and has led an epoch up to a transaction.
    mutating func lead(with other: ServerID, _ vote: Vote, epoch: Int64, _ proposals: [Proposal]) {
        step(.started)
        step(.vote(looking(vote), from: other))
        pass(to: time + 200)
        let link = LinkID(1_000_000)
        step(.learnerConnected(link))
        let info = LearnerInfo(server: other, configurationVersion: .zero)
        let accepted = Zxid(epoch: vote.peerEpoch)
        step(.receivedFromLearner([.followerInfo(info, accepted: accepted)], link))
        let current = Int32(vote.peerEpoch)
        step(.receivedFromLearner([.ackEpoch(lastZxid: vote.zxid, currentEpoch: current)], link))
        step(.receivedFromLearner([.ack(Zxid(epoch: epoch))], link))
        for proposal in proposals {
            propose(proposal)
            step(.receivedFromLearner([.ack(proposal.zxid)], link))
        }
    }

    /// Has elected another, and follows it.
    mutating func follow(_ vote: Vote, epoch: Int64) {
        step(.started)
        step(.vote(looking(vote), from: vote.leader))
        pass(to: time + 200)
        guard let link = leaderLink else { return }
        step(.leaderConnected(link))
        for message in [
            .leaderInfo(Zxid(epoch: epoch), protocolVersion: LearnerInfo.currentProtocol),
            .diff(vote.zxid), .newLeader(Zxid(epoch: epoch), configuration: nil), .upToDate,
        ] as [LeaderMessage] { step(.receivedFromLeader([message], link)) }
    }

    private func looking(_ vote: Vote) -> Notification {
        Notification(
            state: .looking, leader: vote.leader, zxid: vote.zxid, electionEpoch: 1,
            peerEpoch: vote.peerEpoch, configuration: nil)
    }

    // MARK: The recording

    mutating func start() { step(.started) }

    mutating func open(_ connection: Recording.Connection, at time: Int64) {
        if connection.isElection { return }
        pass(to: time)
        if connection.acceptor == server {
            step(.learnerConnected(LinkID(UInt64(connection.id))))
        } else if connection.initiator == server, let leaderLink {
            leaderConnection = connection.id
            step(.leaderConnected(leaderLink))
        }
    }

    mutating func hear(_ message: Recording.Message) {
        pass(to: message.time)
        let link = LinkID(UInt64(message.connection))
        switch message.content {
        case .vote(let vote): step(.vote(vote, from: message.sender))
        case .fromLeader(let said):
            if case .snap(let zxid) = said { announced = zxid }
            if let leaderLink { step(.receivedFromLeader([said], leaderLink)) }
        case .fromLearner(let said): step(.receivedFromLearner([said], link))
        case .tree:
            if let leaderLink { step(.snapshotReceived(announced, leaderLink)) }
        case .greeting: break
        }
    }

    /// What `SNAP` said.
    private var announced = Zxid.zero

    /// The server of the recording said this: does what its clients made it do.
    mutating func act(_ message: Recording.Message) {
        pass(to: message.time)
        switch message.content {
        case .fromLearner(.request), .fromLearner(.revalidate):
            guard case .fromLearner(let said) = message.content else { return }
            step(.forward(said))
        case .fromLeader(.proposal(let zxid, let bytes)) where zxid > lastProposed:
            propose(Proposal(zxid: zxid, bytes: bytes))
        case .fromLeader(.revalidated(let session, let isValid)):
            let answer = LeaderMessage.revalidated(session, isValid: isValid)
            step(.answer(answer, LinkID(UInt64(message.connection))))
        default: break
        }
    }

    private mutating func propose(_ proposal: Proposal) {
        guard peer.role == .leading else { return }
        lastProposed = proposal.zxid
        step(.propose(proposal))
    }

    mutating func pass(to end: Int64) {
        while let due = peer.deadline, due.milliseconds <= end {
            time = max(time, due.milliseconds)
            step(.deadlinePassed)
        }
        time = max(time, end)
    }

    // MARK: Effects

    private mutating func step(_ event: QuorumPeer.Event) {
        done.append(event)
        while !done.isEmpty {
            let next = done.removeFirst()
            effects.removeAll()
            peer.step(next, at: Instant(milliseconds: time), into: &effects)
            for effect in effects.flatMap(\.byLearner) { carryOut(effect) }
        }
    }

    private mutating func carryOut(_ effect: QuorumPeer.Effect) {
        switch effect {
        case .append(let proposal): done.append(.persisted(proposal.zxid))
        case .saveEpochs: done.append(.epochsSaved)
        case .truncate(let zxid): done.append(.truncated(after: zxid))
        case .installSnapshot(let zxid): done.append(.snapshotInstalled(zxid))
        case .vote(let vote, let receiver): votes[receiver, default: []].append(vote)
        case .sendToLearner(let message, let link): say(.asLeader(message), on: link)
        case .sendSnapshot(let zxid, let link): say(.asLeader(.snap(zxid)), on: link)
        case .sendToLeader(let message, _): sayToLeader(message)
        case .answerPing(let zxid, _): sayToLeader(.ping(zxid, touched: []))
        case .connect(_, let link): leaderLink = link
        case .receivedFromLearner(.request(let request), _, let link):
            if request.type == OpCode.sync.rawValue { done.append(.answerSync(link)) }
        case .disconnectLearner, .disconnectLearners, .disconnectLeader: hasLeft = true
        case .readLog, .receivedFromLearner, .receivedFromLeader, .commit, .adopt, .startEpoch,
            .changed, .listen, .sendToLearners:
            break
        }
    }

    private mutating func say(_ said: Said, on link: LinkID) {
        self.said[Int(link.rawValue), default: []].append(said)
    }

    private mutating func sayToLeader(_ message: LearnerMessage) {
        if let leaderConnection { said[leaderConnection, default: []].append(.asLearner(message)) }
    }
}
