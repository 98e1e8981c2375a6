/// The keys about how the members of an ensemble find, hear and follow each other.
///
/// `initLimit` and `syncLimit` are with the other keys of time.
package struct QuorumConfiguration: Sendable, Hashable {
    package enum PeerType: String, Sendable, Hashable {
        case participant
        case observer
    }

    // MARK: Members

    /// Whether one voter alone is a standalone server.
    package var standaloneEnabled = true
    /// The file with the members; nil: they are in `zoo.cfg`.
    package var dynamicConfigFile: String?
    /// What the operator believes this server to be; the list of members decides.
    package var peerType: PeerType?
    /// Whether a member may have several addresses.
    package var multiAddressEnabled = false

    // MARK: Elections

    /// How long a connection to an election port may take.
    package var cnxTimeoutMilliseconds = 5000
    /// How long one may stay silent at first; -1: `syncLimit` ticks. After that it may for ever.
    package var quorumCnxnTimeoutMilliseconds = -1
    /// How often the election port is tried before giving up, a second apart; 0: for ever.
    package var electionPortBindRetry = 3
    /// Whether the quorum and election ports are open on all interfaces.
    package var listensOnAllIPs = false
    package var tcpKeepAlive = false
    /// 1 or more.
    package var minNotificationIntervalMilliseconds = 200
    /// Not below the shortest.
    package var maxNotificationIntervalMilliseconds = 60_000
    /// How long a leader may wait for its epoch before a vote of one that followed it makes it give
    /// up; -1: it does not matter.
    package var maxTimeToWaitForEpochMilliseconds = -1
    /// Below it lies a pause of an observer before another election.
    package var observerElectionDelayMilliseconds = 200

    // MARK: Following

    /// The ticks a learner has to connect to its leader; 0: as many as `initLimit`.
    package var connectToLearnerMasterLimit = 0
    /// The pause between two attempts to connect to the leader.
    package var leaderConnectDelayMilliseconds = 100
    /// Below it lies a pause of an observer before it connects.
    package var observerReconnectDelayMilliseconds = 0
    /// Where followers serve observers; 0: nowhere.
    package var observerMasterPort = 0
    /// Whether an observer has a log and snapshots of its own.
    package var syncEnabled = true

    // MARK: Leading

    /// Whether clients can connect to the leader.
    package var leaderServes = true
    /// How many observers may be sent snapshots at a time.
    package var maxConcurrentSnapSyncs = 10
    /// How many observers may be sent transactions that they lack at a time.
    package var maxConcurrentDiffSyncs = 100
    /// Committed transactions kept for learners that lag; 500 or more.
    package var commitLogCount = 500
    /// How large, against a snapshot, the logs may be that a lagging learner is sent; 0: without
    /// limit; below 0: it is sent none. At most 1.
    package var snapshotSizeFactor = Self.defaultSnapshotSizeFactor
    /// Whether a learner is always sent a snapshot.
    package var forceSnapshotSync = false

    // MARK: Sessions and data

    package var localSessionsEnabled = false
    package var localSessionsUpgradingEnabled = false
    /// Whether a member without a leader serves clients that only read.
    package var readOnlyModeEnabled = false
    /// Whether a member without data may vote.
    package var databaseAutocreate = true
    /// Whether a data directory that is not there is made.
    package var dataDirAutocreate = true

    package init() {}

    static let defaultSnapshotSizeFactor = 0.33
}
