package import AviaryWire

/// One member's part in the protocol. It knows no tree and no world: it is told events and orders
/// effects, which are in `QuorumPeer+Effects.swift`.
///
/// Source: QuorumPeer.run, ZooKeeper 3.9.5.
package struct QuorumPeer: ~Copyable, Sendable {
    /// What the member is doing.
    fileprivate enum Part: Hashable, Sendable {
        /// Left when the peer starts.
        case idle
        /// Left when the election is decided. Why the last leadership or following ended is in
        /// `lastResignation`.
        case looking
        /// Left when there is no quorum.
        case leading
        /// Left when the leader is lost.
        case learning
        /// Left for `looking` when the disk has done what it was told.
        case leaving
    }

    /// A part with what matters only in it. Not an enum, out of which and back into which a leader
    /// would be moved with each event.
    fileprivate struct Phase: ~Copyable, Sendable {
        private(set) var part: Part
        /// Nil unless it leads.
        private(set) var leader: Leader?
        /// Nil unless it learns.
        private(set) var learner: Learner?
    }

    private let settings: QuorumSettings
    /// An ensemble of one that knows no epochs and never elects: what is called standalone.
    private let isAlone: Bool
    private var durable: DurableState
    private var election: FastLeaderElection
    private var electionEffects: [FastLeaderElection.Effect] = []
    private var lastLink = LinkID(0)
    fileprivate var phase = Phase(.idle)
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
            phase = Phase(leading: Leader(alone: settings, lastZxid: durable.persisted))
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
        phase = Phase(.looking)
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
            phase = Phase(leading: leader)
            effects.append(.listen)
        } else {
            phase = Phase(
                learning: Learner(
                    of: vote.leader, settings, lastLink: lastLink, at: now, into: &effects))
        }
    }

    /// Sees what the step has made of the phase: a role to announce, or a part that is over.
    private mutating func settle(at now: Instant, into effects: inout [Effect]) {
        if let link = phase.learner?.link { lastLink = link }
        if role == .looking, let serving = phase.serving {
            role = serving
            election.confirm(epoch: phase.epoch)
        }
        if let reason = phase.resignation {
            if let link = phase.learner?.link { effects.append(.disconnectLeader(link)) }
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
        phase = Phase(.leaving)
        if durable.isQuiet { look(at: now, into: &effects) }
    }
}

extension QuorumPeer.Phase {
    fileprivate init(_ part: QuorumPeer.Part) {
        precondition(part != .leading && part != .learning, "these parts have a state")
        self.part = part
    }

    fileprivate init(leading leader: Leader) {
        part = .leading
        self.leader = leader
    }

    fileprivate init(learning learner: Learner) {
        part = .learning
        self.learner = learner
    }

    /// What the member serves as.
    fileprivate var serving: QuorumPeer.Role? {
        if leader?.isBroadcasting == true { return .leading }
        return learner?.role ?? nil
    }

    fileprivate var epoch: Int64 { leader?.epoch ?? learner?.epoch ?? 0 }

    fileprivate var resignation: QuorumPeer.Resignation? {
        leader?.resignation ?? learner?.resignation ?? nil
    }

    fileprivate var learnerCounts: QuorumPeer.LearnerCounts? { leader?.learnerCounts }

    fileprivate var deadline: Instant? { leader?.deadline ?? learner?.deadline ?? nil }

    /// Tells the one part that is played what has happened. What is meant for another is late.
    fileprivate mutating func step(
        _ event: QuorumPeer.Event, at now: Instant, _ durable: inout DurableState,
        into effects: inout [QuorumPeer.Effect]
    ) {
        switch part {
        case .idle: break
        case .looking, .leaving:
            if case .propose = event, part == .looking {
                preconditionFailure("only a leader proposes")
            }
            if case .learnerConnected(let link) = event {
                effects.append(.disconnectLearner(link))
            }
        case .leading: leader?.step(event, at: now, &durable, into: &effects)
        case .learning: learner?.step(event, at: now, &durable, into: &effects)
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
        case .receivedFromLearner(let messages, let link):
            receive(messages, from: link, at: now, &durable, into: &effects)
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
        case .receivedFromLeader(let messages, let link):
            receive(messages, over: link, at: now, &durable, into: &effects)
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
