import AviaryWire
import DequeModule

/// A server that a quorum has elected: finds an epoch, brings its learners to one history, and then
/// broadcasts.
///
/// Source: ZAB paper, phases 1 to 3; Leader and LearnerHandler, ZooKeeper 3.9.5.
struct Leader: Sendable {
    /// What is waited for before anything is proposed.
    enum Stage: Comparable, Sendable {
        /// A quorum's accepted epochs.
        case gathering
        /// The new epoch on the own disk, as accepted.
        case savingAccepted
        /// A quorum that has accepted it.
        case inviting
        /// The new epoch on the own disk, as current.
        case savingCurrent
        /// A quorum that has the leader's history.
        case synchronizing
        /// Not left.
        case broadcasting
    }

    let settings: QuorumSettings
    var stage: Stage
    /// By the time of their coming.
    var handlers: [LearnerHandler] = []
    var followers = Audience(ofObservers: false)
    var observers = Audience(ofObservers: true)
    /// The epoch to be, and at last the epoch.
    var epoch: Int64
    /// Where log and epoch stood when this server was elected.
    let initialZxid: Zxid
    let initialEpoch: Int64
    /// A new epoch with a counter of zero counts as proposed and committed.
    var lastProposed: Zxid
    var lastCommitted: Zxid
    /// Syncs that wait for a commit.
    var pendingSyncs: Deque<(zxid: Zxid, link: LinkID)> = []
    /// When the stage must be over.
    var stageDeadline: Instant?
    var nextPing: Instant?
    /// In which election this server was elected.
    private let round: Int64
    /// Voters that wish for another leader since.
    private var disloyal: [ServerID] = []
    /// The oldest proposal that the own disk is known to owe, and since when.
    private var ownOwed: (zxid: Zxid, since: Instant)?
    /// Why this server does not lead any more.
    private(set) var resignation: QuorumPeer.Resignation?

    /// A server that is an ensemble by itself: its epoch does not change.
    init(alone settings: QuorumSettings, lastZxid: Zxid) {
        self.settings = settings
        stage = .broadcasting
        round = 0
        epoch = Int64(lastZxid.epoch)
        initialZxid = lastZxid
        initialEpoch = epoch
        lastProposed = lastZxid
        lastCommitted = lastZxid
    }

    init(
        elected settings: QuorumSettings, in round: Int64, _ durable: borrowing DurableState,
        at now: Instant
    ) {
        self.settings = settings
        self.round = round
        stage = .gathering
        epoch = durable.acceptedEpoch + 1
        initialZxid = durable.persisted
        initialEpoch = durable.currentEpoch
        lastProposed = durable.persisted
        lastCommitted = durable.persisted
        stageDeadline = now.adding(milliseconds: settings.initTime)
        nextPing = now.adding(milliseconds: settings.pingInterval)
    }

    var isBroadcasting: Bool { stage == .broadcasting }

    /// This epoch before its first transaction.
    var epochZxid: Zxid { Zxid(epoch: epoch) }

    var deadline: Instant? {
        guard let nextPing else { return nil }
        return min(nextPing, stageDeadline ?? nextPing)
    }

    mutating func resign(_ reason: QuorumPeer.Resignation) {
        if resignation == nil { resignation = reason }
    }

    // MARK: Links

    mutating func connected(_ link: LinkID, at now: Instant) {
        precondition(index(of: link) == nil, "a link connects once")
        let deadline = now.adding(milliseconds: settings.initTime)
        handlers.append(LearnerHandler(link: link, deadline: deadline))
    }

    mutating func lost(_ link: LinkID) {
        if let index = index(of: link) { handlers.remove(at: index) }
    }

    /// Until a learner has all of a tree, it cannot say anything.
    mutating func progressed(_ link: LinkID, at now: Instant) {
        guard let index = index(of: link), handlers[index].phase == .synchronizing else { return }
        handlers[index].deadline = now.adding(milliseconds: settings.initTime)
    }

    func index(of link: LinkID) -> Int? {
        handlers.firstIndex { $0.link == link }
    }

    mutating func disconnect(_ index: Int, into effects: inout [QuorumPeer.Effect]) {
        effects.append(.disconnectLearner(handlers[index].link))
        handlers.remove(at: index)
    }

    func send(
        _ message: LeaderMessage, to index: Int, into effects: inout [QuorumPeer.Effect]
    ) {
        effects.append(.sendToLearner(message, handlers[index].link))
    }

    /// Those that are sent what is proposed and committed. Asked for with each proposal, and nearly
    /// always the same, so the list is kept.
    struct Audience: Sendable {
        private let isOfObservers: Bool
        private(set) var links: [LinkID] = []

        init(ofObservers isOfObservers: Bool) {
            self.isOfObservers = isOfObservers
        }

        mutating func update(from handlers: [LearnerHandler]) {
            var count = 0
            for handler in handlers where isMember(handler) {
                guard count < links.count, links[count] == handler.link else {
                    links = handlers.filter { isMember($0) }.map(\.link)
                    return
                }
                count += 1
            }
            if count < links.count { links.removeLast(links.count - count) }
        }

        private func isMember(_ handler: LearnerHandler) -> Bool {
            handler.isForwarded && handler.isObserver == isOfObservers
        }
    }

    // MARK: Time

    mutating func deadlinePassed(
        at now: Instant, _ durable: borrowing DurableState, into effects: inout [QuorumPeer.Effect]
    ) {
        if let stageDeadline, stageDeadline <= now {
            resign(.noQuorum)
            return
        }
        guard let nextPing, nextPing <= now else { return }
        self.nextPing = now.adding(milliseconds: settings.pingInterval)
        if isOwnDiskStalled(durable, at: now) {
            resign(.diskStalled)
            return
        }
        dropSilent(at: now, into: &effects)
        if stage == .broadcasting {
            let present = servers { $0.isForwarded }
            guard settings.verifier.isQuorum(present) else {
                resign(.noQuorum)
                return
            }
        }
        for index in handlers.indices where handlers[index].isForwarded {
            send(.ping(lastProposed), to: index, into: &effects)
        }
    }

    /// A leader commits nothing that its own log lacks, so with a disk that hangs it must not stay.
    private mutating func isOwnDiskStalled(
        _ durable: borrowing DurableState, at now: Instant
    ) -> Bool {
        guard stage == .broadcasting, durable.persisted < durable.appended else {
            ownOwed = nil
            return false
        }
        if let owed = ownOwed, owed.zxid > durable.persisted {
            return owed.since.adding(milliseconds: settings.syncTime) <= now
        }
        ownOwed = (durable.appended, now)
        return false
    }

    /// Source: LearnerHandler.ping and SyncLimitCheck.check, ZooKeeper 3.9.5.
    private mutating func dropSilent(
        at now: Instant, into effects: inout [QuorumPeer.Effect]
    ) {
        let owedSince = now.adding(milliseconds: -settings.syncTime)
        for index in handlers.indices.reversed() {
            let owes = handlers[index].owed.map { $0.since <= owedSince } ?? false
            if owes || handlers[index].deadline <= now { disconnect(index, into: &effects) }
        }
    }

    var learnerCounts: QuorumPeer.LearnerCounts {
        var counts = QuorumPeer.LearnerCounts()
        counts.all = handlers.count
        counts.pendingSyncs = pendingSyncs.count
        for handler in handlers where handler.isForwarded {
            let isVoter = settings.verifier.voters.contains(handler.server)
            if handler.isObserver {
                counts.syncedObservers += 1
            } else {
                counts.syncedFollowers += 1
                if !isVoter { counts.syncedNonVotingFollowers += 1 }
            }
        }
        return counts
    }

    // MARK: Quorums

    /// A voter has said whom it wishes for. Those that were heard when this server was elected may
    /// have heard a better vote since, from one that this server did not hear; without a quorum to
    /// come there is nothing to wait for.
    ///
    /// Source: Leader's quitting on a disloyal voter, ZooKeeper 3.9.5, which waits for
    /// `leader.maxTimeToWaitForEpoch` first, and by default for `initLimit`.
    mutating func heard(_ vote: Notification, from server: ServerID) {
        guard stage < .broadcasting, vote.electionEpoch >= round,
            settings.verifier.voters.contains(server)
        else { return }
        disloyal.removeAll { $0 == server }
        if vote.leader == settings.server { return }
        disloyal.append(server)
        let present = servers { $0.phase >= .introduced }
        let hoped = settings.verifier.voters.filter {
            present.contains($0) || !disloyal.contains($0)
        }
        if !settings.verifier.isQuorum(hoped) { resign(.noQuorum) }
    }

    /// This server and the voters among its learners that meet a condition.
    func servers(_ condition: (LearnerHandler) -> Bool) -> [ServerID] {
        var list = [settings.server]
        for handler in handlers where !handler.isObserver && condition(handler) {
            list.append(handler.server)
        }
        return list
    }
}
