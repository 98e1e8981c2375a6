package import AviaryWire

/// Finds a server whom a quorum wants to lead; then answers those that still look for one.
///
/// Source: FastLeaderElection.lookForLeader and WorkerReceiver.run, ZooKeeper 3.9.5. A vote for
/// oneself is counted at once instead of being sent through a queue. Deviations: better votes are not
/// waited for where nobody is left who could cast one; who casts a worse vote in this round is told of
/// this one at once, not when it is repeated; and what is heard does not put off the next sending.
/// There, a server that has missed all votes of the round and asks a little more often than the others
/// keeps them from ever telling it.
package struct FastLeaderElection: Hashable, Sendable {
    package enum Event: Hashable, Sendable {
        case received(Notification, from: ServerID)
        /// There is no connection to a server any more, or there is one.
        case lost(ServerID)
        case found(ServerID)
        case deadlinePassed
    }

    package enum Effect: Hashable, Sendable {
        case send(Notification, to: ServerID)
        case decided(Vote)
    }

    private let settings: QuorumSettings
    /// Kept over all rounds of the process's life, and not beyond it.
    package private(set) var round: Int64 = 0
    package private(set) var state = Notification.State.looking
    /// What this server wants; once the state is not `looking`, what was decided.
    package private(set) var vote = Vote.nobody
    private var initialVote = Vote.nobody
    /// Votes of this round.
    private var tally = VoteTally()
    /// Votes of servers that have a leader already, of whichever round.
    private var established = VoteTally()
    /// When the vote is decided unless a better one comes.
    private var finalizeAt: Instant?
    private var resendAt: Instant?
    private var interval: Int64 = 0
    /// Voters that cannot be heard for now.
    private var unreachable: [ServerID] = []
    /// Servers without a vote that were answered while looking, and when.
    private var answered: [Answer] = []

    private struct Answer: Hashable, Sendable {
        let server: ServerID
        let at: Instant
    }

    package init(_ settings: QuorumSettings) {
        self.settings = settings
    }

    /// When `deadlinePassed` is due.
    package var deadline: Instant? {
        state == .looking ? finalizeAt ?? resendAt : nil
    }

    /// Begins a new round.
    ///
    /// - Parameters:
    ///   - lastZxid: the end of the log, as far as it would outlive a crash.
    package mutating func start(
        lastZxid: Zxid, currentEpoch: Int64, at now: Instant, into effects: inout [Effect]
    ) {
        round += 1
        state = .looking
        initialVote =
            settings.isVoter
            ? Vote(leader: settings.server, zxid: lastZxid, peerEpoch: currentEpoch) : .nobody
        tally.clear()
        established.clear()
        answered.removeAll()
        finalizeAt = nil
        interval = settings.minimumNotificationInterval
        resendAt = now.adding(milliseconds: interval)
        propose(initialVote, into: &effects)
        judge(at: now, into: &effects)
    }

    /// The leader is followed, or leads: from now on all its servers name the same epoch.
    ///
    /// Source: QuorumPeer.updateElectionVote, ZooKeeper 3.9.5.
    package mutating func confirm(epoch: Int64) {
        vote.peerEpoch = epoch
    }

    package mutating func step(
        _ event: Event, at now: Instant, into effects: inout [Effect]
    ) {
        switch event {
        case .received(let notification, let sender):
            unreachable.removeAll { $0 == sender }
            receive(notification, from: sender, at: now, into: &effects)
        case .found(let server): unreachable.removeAll { $0 == server }
        case .lost(let server):
            if !unreachable.contains(server) { unreachable.append(server) }
            if finalizeAt != nil { judge(at: now, into: &effects) }
        case .deadlinePassed:
            guard state == .looking else { return }
            if let finalizeAt {
                if finalizeAt <= now { decide(vote, into: &effects) }
            } else if let resendAt, resendAt <= now {
                broadcast(into: &effects)
                interval = min(interval * 2, settings.maximumNotificationInterval)
                self.resendAt = now.adding(milliseconds: interval)
            }
        }
    }

    private mutating func receive(
        _ heard: Notification, from sender: ServerID, at now: Instant,
        into effects: inout [Effect]
    ) {
        guard settings.verifier.voters.contains(sender) else {
            answerOutsider(sender, at: now, into: &effects)
            return
        }
        guard state == .looking else {
            if heard.state == .looking { effects.append(.send(notification, to: sender)) }
            return
        }
        if heard.state == .looking, heard.electionEpoch < round {
            effects.append(.send(notification, to: sender))
        }
        guard settings.verifier.voters.contains(heard.leader) else { return }
        let cast = CastVote(
            vote: Vote(leader: heard.leader, zxid: heard.zxid, peerEpoch: heard.peerEpoch),
            electionEpoch: heard.electionEpoch, state: heard.state, version: heard.version)
        if settings.isVoter, heard.state == .looking, heard.electionEpoch == round,
            vote.isBetter(than: cast.vote, in: settings.verifier)
        {
            // It began to look after this vote was sent, and has missed it.
            effects.append(.send(notification, to: sender))
        }
        if finalizeAt != nil {
            // Only a better vote makes a decision wait that is as good as made.
            let isBetter = cast.vote.isBetter(than: vote, in: settings.verifier)
            finalizeAt = now.adding(milliseconds: settings.finalizeWait)
            guard isBetter || cast.agrees(with: ownCast) else { return }
        }
        switch heard.state {
        case .looking: count(cast, of: sender, at: now, into: &effects)
        case .observing: break
        case .following, .leading: join(cast, of: sender, into: &effects)
        }
    }

    /// A server that votes on nothing may still ask. While nothing is decided, two that both look
    /// would answer each other for ever, so then it is answered once an interval.
    private mutating func answerOutsider(
        _ sender: ServerID, at now: Instant, into effects: inout [Effect]
    ) {
        if state == .looking {
            let since = now.adding(milliseconds: -settings.minimumNotificationInterval)
            answered.removeAll { $0.at <= since }
            let isAnswered = answered.contains { $0.server == sender }
            guard !isAnswered, answered.count < Self.maximumAnswers else { return }
            answered.append(Answer(server: sender, at: now))
        }
        effects.append(.send(notification, to: sender))
    }

    private static let maximumAnswers = 256

    // MARK: Votes of this round

    private mutating func count(
        _ cast: CastVote, of sender: ServerID, at now: Instant, into effects: inout [Effect]
    ) {
        let hasNoDatabase = initialVote.zxid == .none || cast.vote.zxid == .none
        guard !hasNoDatabase, cast.electionEpoch >= round else { return }
        if cast.electionEpoch > round {
            round = cast.electionEpoch
            tally.clear()
            finalizeAt = nil
            let isBetter = cast.vote.isBetter(than: initialVote, in: settings.verifier)
            propose(isBetter ? cast.vote : initialVote, into: &effects)
        } else if cast.vote.isBetter(than: vote, in: settings.verifier) {
            finalizeAt = nil
            propose(cast.vote, into: &effects)
        }
        tally.record(cast, of: sender)
        judge(at: now, into: &effects)
    }

    private mutating func propose(_ vote: Vote, into effects: inout [Effect]) {
        self.vote = vote
        if settings.isVoter { tally.record(ownCast, of: settings.server) }
        broadcast(into: &effects)
    }

    private mutating func judge(at now: Instant, into effects: inout [Effect]) {
        let agreeing = tally.servers(agreeingWith: ownCast)
        guard settings.verifier.isQuorum(agreeing) else { return }
        let isUnanimous = settings.verifier.voters.allSatisfy {
            agreeing.contains($0) || unreachable.contains($0)
        }
        if isUnanimous {
            decide(vote, into: &effects)
        } else {
            finalizeAt = now.adding(milliseconds: settings.finalizeWait)
        }
    }

    // MARK: Votes of those that have a leader

    /// Source: FastLeaderElection.receivedFollowingNotification, ZooKeeper 3.9.5.
    private mutating func join(
        _ cast: CastVote, of sender: ServerID, into effects: inout [Effect]
    ) {
        if cast.electionEpoch == round {
            var unversioned = cast
            unversioned.version = 0
            tally.record(unversioned, of: sender)
            if isSettled(cast, by: tally) {
                decide(cast.vote, into: &effects)
                return
            }
        }
        established.record(cast, of: sender)
        if isSettled(cast, by: established) {
            round = cast.electionEpoch
            decide(cast.vote, into: &effects)
        }
    }

    /// A quorum names the leader, and the leader itself says that it leads: else a dead one could
    /// be elected over and over by those who have not yet noticed.
    ///
    /// Source: FastLeaderElection.checkLeader, ZooKeeper 3.9.5.
    private func isSettled(_ cast: CastVote, by tally: VoteTally) -> Bool {
        guard settings.verifier.isQuorum(tally.servers(agreeingWith: cast)) else { return false }
        if cast.vote.leader == settings.server { return cast.electionEpoch == round }
        return tally[cast.vote.leader]?.state == .leading
    }

    private mutating func decide(_ vote: Vote, into effects: inout [Effect]) {
        self.vote = vote
        if vote.leader == settings.server {
            state = .leading
        } else {
            state = settings.isObserver ? .observing : .following
        }
        finalizeAt = nil
        resendAt = nil
        effects.append(.decided(vote))
    }

    // MARK: Sending

    private var ownCast: CastVote {
        CastVote(
            vote: vote, electionEpoch: round, state: .looking,
            version: Notification.currentVersion)
    }

    private var notification: Notification {
        Notification(
            state: state, leader: vote.leader, zxid: vote.zxid, electionEpoch: round,
            peerEpoch: vote.peerEpoch, configuration: settings.configuration)
    }

    private func broadcast(into effects: inout [Effect]) {
        for server in settings.verifier.voters where server != settings.server {
            effects.append(.send(notification, to: server))
        }
    }
}
