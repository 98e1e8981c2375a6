package import AviaryWire

extension QuorumPeer {
    /// What the disk held when the process started.
    package struct Recovered: Sendable {
        /// The end of the log, of which all would outlive a crash.
        package var lastZxid: Zxid
        package var acceptedEpoch: Int64 = 0
        package var currentEpoch: Int64 = 0
        /// The zxid of the oldest snapshot that the log can be cut back to.
        package var floor = Zxid.zero
        /// The last entries of the log without a gap, up to `lastZxid`; may be empty.
        package var history: [Proposal] = []

        package init(lastZxid: Zxid) {
            self.lastZxid = lastZxid
        }
    }

    package enum Role: Hashable, Sendable {
        /// Neither leads nor follows: serves nobody.
        case looking
        case leading
        case following(ServerID)
        case observing(ServerID)
    }

    /// The learners of a leader. Synced are those that hear each proposal.
    package struct LearnerCounts: Sendable {
        package var all = 0
        package var syncedFollowers = 0
        package var syncedNonVotingFollowers = 0
        package var syncedObservers = 0
        package var pendingSyncs = 0
    }

    /// Why a server does not lead or follow any more.
    package enum Resignation: Hashable, Sendable {
        case noQuorum
        case zxidsUsedUp
        case diskStalled
        /// The other side is of an epoch that this one does not follow.
        case epochPassed
        case leaderLost
        case leaderSilent
        case protocolBroken
        /// The leader asks for a truncation that cannot be done, and sends no snapshot instead.
        case historyRefused
    }

    package enum Event: Sendable {
        /// The log has been read, up to the zxid the peer was made with.
        case started
        case deadlinePassed

        // The election port.
        case vote(Notification, from: ServerID)
        /// The connection to another's election port broke, or came about.
        case voterLost(ServerID)
        case voterFound(ServerID)

        // The own disk.
        /// All entries up to here will outlive a crash.
        case persisted(Zxid)
        case epochsSaved
        /// Nothing after this zxid is in the log, or in the tree.
        case truncated(after: Zxid)
        /// The snapshot that was received is all there is, on disk and as the tree.
        case snapshotInstalled(Zxid)

        // The quorum port, to a leader.
        case learnerConnected(LinkID)
        case learnerLost(LinkID)
        /// It has taken a part of the tree that it is sent.
        case learnerProgressed(LinkID)
        /// In order, and without an acknowledgement behind anything else: what is acknowledged is
        /// committed within the step, what is asked for is done after it.
        case receivedFromLearner([LearnerMessage], LinkID)
        /// What `readLog` asked for: from the last entry at or before the one zxid, through the
        /// other. Nil if the log does not reach back so far, or is too long to be worth it.
        case logRead([Proposal]?, LinkID)

        // The quorum port, to a learner.
        case leaderConnected(LinkID)
        case leaderLost(LinkID)
        /// A part of its tree has come.
        case leaderProgressed(LinkID)
        /// In order.
        case receivedFromLeader([LeaderMessage], LinkID)
        /// The stream after `snap` has come whole, signature and all. Its zxid is that of `snap`.
        case snapshotReceived(Zxid, LinkID)

        // The core.
        /// Only a leader is told to propose.
        case propose(Proposal)
        /// A learner has asked for a sync, and everything that was asked before it is proposed.
        case answerSync(LinkID)
        /// The answer to a `revalidate`.
        case answer(LeaderMessage, LinkID)
        /// A request, a `revalidate` or a `ping` for the leader. Lost unless this server follows.
        case forward(LearnerMessage)
    }

    package enum Effect: Hashable, Sendable {
        // Disk, in order.
        case append(Proposal)
        /// Both epoch files; answered by `epochsSaved`.
        case saveEpochs(accepted: Int64, current: Int64)
        /// Drop what is in the log after a zxid, every snapshot of a later one, and the tree if it
        /// holds more; answered by `truncated`. If it fails, the process must not go on.
        case truncate(after: Zxid)
        /// Make the snapshot that was received all there is: no entry of the old log may be read
        /// on top of it. Answered by `snapshotInstalled`.
        case installSnapshot(Zxid)

        // Tree.
        /// Apply what was appended, up to here.
        case commit(upTo: Zxid)
        /// The same, though it is not known to be committed; no snapshot may be written before this
        /// server leads (the dirty snapshot of ZooKeeper's Leader.lead).
        case adopt(upTo: Zxid)
        /// All that came before this epoch is applied; its transactions are numbered after this.
        case startEpoch(Zxid)
        case changed(Role)

        // The election port.
        case vote(Notification, to: ServerID)

        // The quorum port, of a leader. What is sent on one link keeps its order.
        /// Learners are welcome from now on.
        case listen
        case sendToLearner(LeaderMessage, LinkID)
        /// The same to several.
        case sendToLearners(LeaderMessage, [LinkID])
        /// Send `snap` with this zxid and the tree as it is now.
        case sendSnapshot(Zxid, LinkID)
        case readLog(from: Zxid, through: Zxid, LinkID)
        case disconnectLearner(LinkID)
        /// All of them, and those that come until the next `listen`.
        case disconnectLearners

        // The quorum port, of a learner. Links are numbered by the peer.
        case connect(to: ServerID, LinkID)
        case sendToLeader(LearnerMessage, LinkID)
        case disconnectLeader(LinkID)
        /// Send `ping` with this zxid and the sessions that were active since the last one.
        case answerPing(Zxid, LinkID)

        // The core.
        /// A request, a `revalidate` or a `ping`.
        case receivedFromLearner(LearnerMessage, ServerID, LinkID)
        /// A `revalidated` or a `sync`.
        case receivedFromLeader(LeaderMessage)
    }
}
