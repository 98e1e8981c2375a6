import AviaryWire
import DequeModule

/// A server that follows or observes: takes over its leader's history, and then what it broadcasts.
///
/// Source: ZAB paper, phases 1 to 3; Learner, Follower and Observer, ZooKeeper 3.9.5.
struct Learner: Sendable {
    /// What is waited for.
    enum Stage: Hashable, Sendable {
        /// The connection, or the time to try again.
        case connecting
        /// The leader's new epoch.
        case introduced
        /// That epoch on the own disk, as accepted.
        case savingAccepted
        /// Word of how the history comes.
        case accepted
        /// The log cut off, as the leader asked.
        case truncating
        /// The leader's snapshot.
        case receivingSnapshot
        /// The same on the own disk, as all that there is.
        case installingSnapshot
        /// The end of the history.
        case synchronizing
        /// All of the history on the own disk.
        case persisting(Zxid)
        /// The epoch on the own disk, as current: after the history, never before it
        /// (ZOOKEEPER-4643, 4646).
        case savingCurrent
        /// A quorum that has come as far.
        case synchronized
        /// Not left.
        case active
    }

    let settings: QuorumSettings
    let leader: ServerID
    var stage = Stage.connecting
    private(set) var link: LinkID
    private var attempts = 0
    private var retryAt: Instant?
    /// For the leader to say something.
    private(set) var silenceDeadline: Instant
    private let connectDeadline: Instant
    /// The leader's epoch, when it is known.
    var epoch: Int64 = 0
    /// The log cannot be cut as the leader asks, so that it has to send a snapshot instead.
    var needsSnapshot = false
    /// What came while the log is replaced.
    var held: Deque<LeaderMessage> = []
    /// Proposed, and not known to be committed.
    var pending: Deque<Zxid> = []
    /// Proposed, and to be acknowledged: also what others have committed without this server.
    var unacknowledged: Deque<Zxid> = []
    /// Known to be committed.
    var committed = Zxid.zero
    /// What the leader said about everything that is committed so far, which is not applied yet.
    var late: Deque<(after: Zxid, message: LeaderMessage)> = []
    var pulse = LeaderPulse()
    private(set) var resignation: QuorumPeer.Resignation?

    init(
        of leader: ServerID, _ settings: QuorumSettings, lastLink: LinkID, at now: Instant,
        into effects: inout [QuorumPeer.Effect]
    ) {
        self.settings = settings
        self.leader = leader
        link = lastLink
        let ticks = settings.connectToLearnerMasterLimit
        connectDeadline = now.adding(
            milliseconds: ticks > 0 ? ticks * settings.tickTime : settings.initTime)
        silenceDeadline = connectDeadline
        connect(into: &effects)
    }

    var isActive: Bool { stage == .active }

    /// Nil until it serves.
    var role: QuorumPeer.Role? {
        guard isActive else { return nil }
        return settings.isObserver ? .observing(leader) : .following(leader)
    }

    var deadline: Instant { retryAt ?? silenceDeadline }

    mutating func resign(_ reason: QuorumPeer.Resignation) {
        if resignation == nil { resignation = reason }
    }

    func send(_ message: LearnerMessage, into effects: inout [QuorumPeer.Effect]) {
        effects.append(.sendToLeader(message, link))
    }

    // MARK: Connection

    private mutating func connect(into effects: inout [QuorumPeer.Effect]) {
        attempts += 1
        retryAt = nil
        link = LinkID(link.rawValue + 1)
        effects.append(.connect(to: master, link))
    }

    /// Whom to connect to. Of observer masters another one each time, and each observer begins with
    /// its own; which of them leads, and so takes no observers there, is not known before.
    private var master: ServerID {
        guard settings.isObserver && settings.usesObserverMasters else { return leader }
        let voters = settings.verifier.voters
        let turn = UInt64(bitPattern: settings.server.rawValue) &+ link.rawValue
        return voters[Int(turn % UInt64(voters.count))]
    }

    mutating func connected(
        at now: Instant, _ durable: borrowing DurableState,
        into effects: inout [QuorumPeer.Effect]
    ) {
        guard stage == .connecting, retryAt == nil else { return }
        stage = .introduced
        let info = LearnerInfo(
            server: settings.server, configurationVersion: settings.configurationVersion)
        let accepted = Zxid(epoch: durable.acceptedEpoch)
        send(
            settings.isObserver
                ? .observerInfo(info, accepted: accepted) : .followerInfo(info, accepted: accepted),
            into: &effects)
        heard(at: now)
    }

    /// A leader that does not listen yet is tried again. Source: Learner.connectToLeader, 3.9.5.
    mutating func lost(at now: Instant) {
        let mayRetry = attempts < settings.leaderConnectAttempts && connectDeadline > now
        guard stage == .connecting, mayRetry else {
            resign(.leaderLost)
            return
        }
        retryAt = now.adding(milliseconds: settings.leaderConnectDelay)
    }

    /// Introduces itself anew to the same leader, as one without a log.
    mutating func askForSnapshot(into effects: inout [QuorumPeer.Effect]) {
        guard !needsSnapshot else {
            resign(.historyRefused)
            return
        }
        needsSnapshot = true
        effects.append(.disconnectLeader(link))
        stage = .connecting
        connect(into: &effects)
    }

    mutating func deadlinePassed(at now: Instant, into effects: inout [QuorumPeer.Effect]) {
        if let retryAt, retryAt <= now {
            connect(into: &effects)
        } else if silenceDeadline <= now {
            resign(.leaderSilent)
        }
    }

    func isPatient(_ stage: Stage) -> Bool {
        switch stage {
        case .synchronized, .active: false
        default: true
        }
    }

    mutating func heard(at now: Instant) {
        var limit = isPatient(stage) ? settings.initTime : settings.syncTime
        if stage == .active, let suspicion = pulse.longestSilence { limit = min(limit, suspicion) }
        silenceDeadline = now.adding(milliseconds: limit)
    }
}
