package import AviaryWire
package import Zab

/// What a step asks of the world: three lanes, each in order. One value is reused.
package struct StepEffects: ~Copyable, Sendable {
    package enum Disk: Sendable {
        case append(Proposal)
        /// The next entry opens a new file.
        case rollLog
        case writeSnapshot(TreeSnapshot)
        /// Answered by `QuorumPeer.Event.epochsSaved`.
        case saveEpochs(accepted: Int64, current: Int64)
        /// Drop what is in the log after a zxid, and every snapshot of a later one; answered by
        /// `truncated`, with the tree read anew. If it fails, the process must not go on.
        case truncate(after: Zxid)
        /// Make this all there is: no entry of the old log may be read on top of it. Answered by
        /// `QuorumPeer.Event.snapshotInstalled`.
        case installSnapshot(TreeSnapshot)
    }

    /// What goes to the other servers, in order on each link. See `QuorumPeer.Effect`.
    package enum Peer: Sendable {
        /// On the election port. Only the newest one for a server matters.
        case vote(Notification, to: ServerID)
        /// Learners are welcome from now on.
        case listen
        case sendToLearner(LeaderMessage, LinkID)
        case sendToLearners(LeaderMessage, [LinkID])
        /// `snap` with this zxid, and then the tree.
        case sendSnapshot(Zxid, TreeSnapshot, LinkID)
        /// Answered by `QuorumPeer.Event.logRead`.
        case readLog(from: Zxid, through: Zxid, LinkID)
        case disconnectLearner(LinkID)
        /// All of them, and those that come until the next `listen`.
        case disconnectLearners
        case connect(to: ServerID, LinkID)
        case sendToLeader(LearnerMessage, LinkID)
        case disconnectLeader(LinkID)
    }

    package enum Notice: Hashable, Sendable {
        /// The tree is not what the transaction's author had after it.
        case digestMismatch(Zxid)
        /// A write passed a limit, whether or not it was refused for it.
        case quotaExceeded(QuotaExcess)
        case roleChanged(QuorumPeer.Role)
        case readOnlyBegun
        /// The leader has sent a transaction of which this server can make nothing. It must not go on.
        case unreadableTransaction(Zxid, WireError)
    }

    package var disk: [Disk] = []
    package var peers: [Peer] = []
    /// Connections with something in their outbox, or to be closed. Each is named once until its
    /// outbox is taken.
    package var clients: [ConnectionID] = []
    /// What an operator should know.
    package var notices: [Notice] = []

    package init() {}
}
