package import AviaryWire

/// What a member knows of itself and its ensemble. Times are in milliseconds, names ZooKeeper's.
package struct QuorumSettings: Hashable, Sendable {
    package var server: ServerID
    package var verifier: QuorumVerifier
    /// An observer hears what is decided, and decides nothing.
    package var isObserver = false
    /// The last committed configuration, as it travels in votes and to learners.
    package var configuration: ByteString = ""
    package var configurationVersion = Zxid.zero

    package var tickTime: Int64 = 3000
    /// Ticks for discovery and for synchronization, each.
    package var initLimit: Int64 = 10
    /// Ticks that a synchronized peer may be silent, and a proposal without an answer.
    package var syncLimit: Int64 = 5
    /// `fastleader.minNotificationInterval`.
    package var minimumNotificationInterval: Int64 = 200
    /// `fastleader.maxNotificationInterval`.
    package var maximumNotificationInterval: Int64 = 60_000
    /// How long a winner waits for better votes. `FastLeaderElection.finalizeWait`.
    package var finalizeWait: Int64 = 200
    /// `leaderConnectDelayDuringRetryMs`.
    package var leaderConnectDelay: Int64 = 100
    package var leaderConnectAttempts = 5
    /// Ticks for all attempts to connect to the leader; 0: as many as `initLimit`.
    package var connectToLearnerMasterLimit: Int64 = 0
    /// Committed proposals kept for learners that lag. `commitLogCount`.
    package var historyLimit = 500
    /// Whether a learner with a history of its own is sent a snapshot rather than told to
    /// truncate, where that is safe.
    package var prefersSnapshots = true
    /// Whether a learner that lacks anything is sent a snapshot whatever it has.
    package var forceSnapshotSync = false
    /// How many observers may be sent a snapshot at a time. `leader.maxConcurrentSnapSyncs`.
    package var maximumSnapSyncs = 10
    /// How many observers may be sent what they lack at a time. `leader.maxConcurrentDiffSyncs`.
    package var maximumDiffSyncs = 100
    /// An observer hears what is decided from any voter that follows (`observerMasterPort`), in place
    /// of the leader.
    package var usesObserverMasters = false
    /// Whether the driver can read proposals back from the log. See `SyncPlan.readLog`.
    package var readsLog = false
    /// The counter that no transaction of an epoch has. A simulation has one that it can reach.
    package var endOfEpoch = UInt32.max

    package init(server: ServerID, verifier: QuorumVerifier) {
        self.server = server
        self.verifier = verifier
    }

    package var isVoter: Bool { !isObserver && verifier.voters.contains(server) }
    /// Between two pings of a leader: half a tick as in ZooKeeper, or less, so that its learners notice
    /// soon when it is silent.
    var pingInterval: Int64 { min(tickTime / 2, 250) }
    var initTime: Int64 { initLimit * tickTime }
    var syncTime: Int64 { syncLimit * tickTime }
}
