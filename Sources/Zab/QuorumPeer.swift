package import AviaryWire

/// One member's part in the protocol. It knows no tree and no world: it is told events and orders
/// effects, which are in `QuorumPeer+Effects.swift`.
///
/// Source: QuorumPeer.run, ZooKeeper 3.9.5.
package struct QuorumPeer: ~Copyable, Sendable {
    /// What the member is doing; each case holds what matters only in it.
    fileprivate enum Phase: ~Copyable, Sendable {
        /// Left when the peer starts.
        case idle
        /// Left when the election is decided. Why the last leadership or following ended is in
        /// `lastResignation`.
        case looking
        /// Left when there is no quorum.
        case leading(Leader)
        /// Left when the leader is lost.
        case learning(Learner)
        /// Left for `looking` when the disk has done what it was told.
        case leaving
    }

    private let settings: QuorumSettings
    /// An ensemble of one that knows no epochs and never elects: what is called standalone.
    private let isAlone: Bool
    private var durable: DurableState
    private var election: FastLeaderElection
    private var electionEffects: [FastLeaderElection.Effect] = []
    private var lastLink = LinkID(0)
    fileprivate var phase = Phase.idle
    package private(set) var role = Role.looking
    /// Why this server does not lead or follow any more.
    package private(set) var lastResignation: Resignation?

    package init(_ settings: QuorumSettings, _ recovered: Recovered) {
        self.settings = settings
        isAlone = false
        durable = DurableState(recovered, historyLimit: settings.historyLimit)
        election = FastLeaderElection(settings)
    }

    /// A standalone server, if the verifier has no other voter.
    package init(server: ServerID, verifier: QuorumVerifier, lastZxid: Zxid) {
        precondition(verifier.voters.contains(server), "a peer that leads is a voter")
        var settings = QuorumSettings(server: server, verifier: verifier)
        settings.historyLimit = 0
        self.settings = settings
        isAlone = verifier.isQuorum([server])
        durable = DurableState(Recovered(lastZxid: lastZxid), historyLimit: 0)
        election = FastLeaderElection(settings)
    }

    /// When `deadlinePassed` is due. An earlier one may not matter any more.
    package var deadline: Instant? {
        if isAlone { return nil }
        guard let first = election.deadline else { return phase.deadline }
        guard let second = phase.deadline else { return first }
        return min(first, second)
    }

    package mutating func step(
        _ event: Event, at now: Instant, into effects: inout [Effect]
    ) {
        switch event {
        case .started: start(at: now, into: &effects)
        case .deadlinePassed: deadlinePassed(at: now, into: &effects)
        case .vote(let notification, let sender):
            elect(.received(notification, from: sender), at: now, into: &effects)
        case .voterLost(let server): elect(.lost(server), at: now, into: &effects)
        case .voterFound(let server): elect(.found(server), at: now, into: &effects)
        case .persisted(let zxid): durable.hasPersisted(zxid)
        case .epochsSaved: durable.haveSavedEpochs()
        case .truncated(let zxid): durable.hasTruncated(after: zxid)
        case .snapshotInstalled(let zxid): durable.hasInstalled(zxid)
        default: break
        }
        phase.step(event, at: now, &durable, into: &effects)
        settle(at: now, into: &effects)
    }

    package var voterCount: Int { settings.verifier.voters.count }

    /// Nil unless this server leads.
    package var learnerCounts: LearnerCounts? { phase.learnerCounts }

    private mutating func start(at now: Instant, into effects: inout [Effect]) {
        guard phase.part == .idle else { return }
        if isAlone {
            phase = .leading(Leader(alone: settings, lastZxid: durable.persisted))
            role = .leading
            effects.append(.changed(.leading))
        } else {
            look(at: now, into: &effects)
        }
    }

    private mutating func deadlinePassed(at now: Instant, into effects: inout [Effect]) {
        elect(.deadlinePassed, at: now, into: &effects)
    }

    // MARK: Phases

    private mutating func look(at now: Instant, into effects: inout [Effect]) {
        phase = .looking
        election.start(
            lastZxid: durable.persisted, currentEpoch: durable.currentEpoch, at: now,
            into: &electionEffects)
        carryOut(at: now, into: &effects)
    }

    private mutating func elect(
        _ event: FastLeaderElection.Event, at now: Instant, into effects: inout [Effect]
    ) {
        if phase.part == .idle { return }
        election.step(event, at: now, into: &electionEffects)
        carryOut(at: now, into: &effects)
    }

    private mutating func carryOut(at now: Instant, into effects: inout [Effect]) {
        var ordered: [FastLeaderElection.Effect] = []
        swap(&ordered, &electionEffects)
        for effect in ordered {
            switch effect {
            case .send(let notification, let server):
                // While the disk catches up, this server looks without a vote to show.
                if phase.part == .leaving { continue }
                effects.append(.vote(notification, to: server))
            case .decided(let vote): take(vote, at: now, into: &effects)
            }
        }
    }

    private mutating func take(_ vote: Vote, at now: Instant, into effects: inout [Effect]) {
        if vote.leader == settings.server {
            var leader = Leader(elected: settings, in: election.round, durable, at: now)
            leader.advance(&durable, at: now, into: &effects)
            phase = .leading(leader)
            effects.append(.listen)
        } else {
            phase = .learning(
                Learner(of: vote.leader, settings, lastLink: lastLink, at: now, into: &effects))
        }
    }

    /// Sees what the step has made of the phase: a role to announce, or a part that is over.
    private mutating func settle(at now: Instant, into effects: inout [Effect]) {
        let report = phase.report
        if let link = report.link { lastLink = link }
        if role == .looking, let serving = report.serving {
            role = serving
            election.confirm(epoch: report.epoch)
        }
        if let reason = report.resignation {
            if let link = report.link { effects.append(.disconnectLeader(link)) }
            leave(reason, at: now, into: &effects)
        } else if phase.part == .leaving, durable.isQuiet {
            look(at: now, into: &effects)
        }
    }

    private mutating func leave(
        _ reason: Resignation, at now: Instant, into effects: inout [Effect]
    ) {
        lastResignation = reason
        if phase.part == .leading { effects.append(.disconnectLearners) }
        if role != .looking {
            role = .looking
            effects.append(.changed(.looking))
        }
        phase = .leaving
        if durable.isQuiet { look(at: now, into: &effects) }
    }
}

extension QuorumPeer.Phase {
    fileprivate enum Part: Hashable {
        case idle
        case looking
        case leading
        case learning
        case leaving
    }

    fileprivate var part: Part {
        switch self {
        case .idle: .idle
        case .looking: .looking
        case .leading: .leading
        case .learning: .learning
        case .leaving: .leaving
        }
    }

    /// What is to be seen of a part from outside.
    fileprivate struct Report {
        var serving: QuorumPeer.Role?
        var epoch: Int64 = 0
        /// To the leader.
        var link: LinkID?
        var resignation: QuorumPeer.Resignation?
    }

    fileprivate var report: Report {
        switch self {
        case .idle: Report()
        case .looking: Report()
        case .leaving: Report()
        case .leading(let leader):
            Report(
                serving: leader.isBroadcasting ? .leading : nil, epoch: leader.epoch,
                resignation: leader.resignation)
        case .learning(let learner):
            Report(
                serving: learner.role, epoch: learner.epoch, link: learner.link,
                resignation: learner.resignation)
        }
    }

    fileprivate var learnerCounts: QuorumPeer.LearnerCounts? {
        switch self {
        case .idle: nil
        case .looking: nil
        case .learning: nil
        case .leaving: nil
        case .leading(let leader): leader.learnerCounts
        }
    }

    fileprivate var deadline: Instant? {
        switch self {
        case .idle: nil
        case .looking: nil
        case .leaving: nil
        case .leading(let leader): leader.deadline
        case .learning(let learner): learner.deadline
        }
    }

    /// Tells the one part that is played what has happened. What is meant for another is late.
    fileprivate mutating func step(
        _ event: QuorumPeer.Event, at now: Instant, _ durable: inout DurableState,
        into effects: inout [QuorumPeer.Effect]
    ) {
        switch consume self {
        case .idle: self = .idle
        case .looking:
            if case .propose = event { preconditionFailure("only a leader proposes") }
            if case .learnerConnected(let link) = event {
                effects.append(.disconnectLearner(link))
            }
            self = .looking
        case .leaving:
            if case .learnerConnected(let link) = event {
                effects.append(.disconnectLearner(link))
            }
            self = .leaving
        case .leading(var leader):
            leader.step(event, at: now, &durable, into: &effects)
            self = .leading(leader)
        case .learning(var learner):
            learner.step(event, at: now, &durable, into: &effects)
            self = .learning(learner)
        }
    }
}

extension Leader {
    fileprivate mutating func step(
        _ event: QuorumPeer.Event, at now: Instant, _ durable: inout DurableState,
        into effects: inout [QuorumPeer.Effect]
    ) {
        switch event {
        case .propose(let proposal): propose(proposal, at: now, &durable, into: &effects)
        case .persisted: if isBroadcasting { commit(&durable, into: &effects) }
        case .epochsSaved: epochsSaved(at: now, &durable, into: &effects)
        case .learnerConnected(let link): connected(link, at: now)
        case .learnerLost(let link): lost(link)
        case .learnerProgressed(let link): progressed(link, at: now)
        case .receivedFromLearner(let message, let link):
            receive(message, from: link, at: now, &durable, into: &effects)
        case .logRead(let log, let link):
            logRead(log, for: link, at: now, durable, into: &effects)
        case .answerSync(let link): sync(for: link, into: &effects)
        case .answer(let message, let link): answer(message, to: link, into: &effects)
        case .deadlinePassed: deadlinePassed(at: now, durable, into: &effects)
        case .vote(let vote, let sender): heard(vote, from: sender)
        case .started, .voterLost, .voterFound, .truncated, .snapshotReceived,
            .snapshotInstalled,
            .leaderConnected, .leaderLost, .leaderProgressed, .receivedFromLeader, .forward:
            break
        }
    }
}

extension Learner {
    fileprivate mutating func step(
        _ event: QuorumPeer.Event, at now: Instant, _ durable: inout DurableState,
        into effects: inout [QuorumPeer.Effect]
    ) {
        switch event {
        case .persisted: persistedMore(&durable, into: &effects)
        case .epochsSaved: epochsSaved(at: now, &durable, into: &effects)
        case .truncated, .snapshotInstalled: replaced(at: now, &durable, into: &effects)
        case .snapshotReceived(let zxid, let link):
            if link == self.link { snapshotReceived(zxid, &durable, into: &effects) }
        case .leaderConnected(let link):
            if link == self.link { connected(at: now, durable, into: &effects) }
        case .leaderLost(let link):
            if link == self.link { lost(at: now) }
        case .leaderProgressed(let link):
            if link == self.link { heard(at: now) }
        case .receivedFromLeader(let message, let link):
            if link == self.link { receive(message, at: now, &durable, into: &effects) }
        case .forward(let message): if isActive { send(message, into: &effects) }
        case .learnerConnected(let link): effects.append(.disconnectLearner(link))
        case .deadlinePassed: deadlinePassed(at: now, into: &effects)
        case .propose: preconditionFailure("only a leader proposes")
        case .started, .vote, .voterLost, .voterFound, .learnerLost, .learnerProgressed,
            .receivedFromLearner, .logRead, .answerSync, .answer:
            break
        }
    }
}
