package import AviaryWire

/// How a learner is brought to where its leader is.
///
/// Source: LearnerHandler.syncFollower and queueCommittedProposals, ZooKeeper 3.9.5.
package enum SyncPlan: Hashable, Sendable {
    /// The learner's history is a beginning of ours: it gets what follows.
    case diff(Zxid, [Proposal])
    /// The learner drops what it has beyond a zxid, and gets what follows there.
    case truncate(after: Zxid, [Proposal])
    /// The learner drops all it has.
    case snapshot
    /// Made anew when the log has been read from the entry at or before the one zxid through the
    /// other.
    case readLog(from: Zxid, through: Zxid)

    /// What is known of the leader's side.
    package struct Leader: Sendable {
        /// The zxid that a snapshot would have now: the last committed one, which is a new epoch
        /// with a counter of zero from when a quorum follows until the first transaction.
        package var last: Zxid
        package var history: ProposalHistory
        /// What the log held, in answer to `readLog`. Empty if it could not be read.
        package var log: [Proposal]?
        package var readsLog = false
        package var prefersSnapshots = true

        package init(last: Zxid, history: ProposalHistory) {
            self.last = last
            self.history = history
        }
    }

    /// - Parameter learner: the last zxid of the learner's log.
    package static func plan(learner: Zxid, leader: Leader) -> SyncPlan {
        let window = leader.history.proposals(after: leader.history.base, upTo: leader.last)
        let newest = window.last?.zxid ?? leader.history.base
        if learner == leader.last { return .diff(learner, []) }
        if learner == .none { return .snapshot }
        if learner > newest && learner.beginsEpoch {
            // It has served in an epoch of which nothing was proposed: what came before that was
            // decided, and we have it.
            return .diff(newest, [])
        }
        if learner > newest {
            return truncation(of: learner, after: newest, then: [], leader)
        }
        if leader.history.base <= learner && learner <= newest {
            return walk(window, from: leader.history.base, learner, leader)
        }
        guard learner < leader.history.base, leader.readsLog else { return .snapshot }
        guard let log = leader.log else {
            return .readLog(from: learner, through: leader.history.base)
        }
        // A log that begins too late or ends too early leaves a gap (ZOOKEEPER-2418).
        guard let first = log.first, first.zxid <= learner,
            log.last?.zxid == leader.history.base
        else { return .snapshot }
        return walk(Array(log.dropFirst()) + window, from: first.zxid, learner, leader)
    }

    /// Looks for the learner's last zxid among ours.
    ///
    /// - Parameter base: what comes right before the first of the list.
    private static func walk(
        _ list: [Proposal], from base: Zxid, _ learner: Zxid, _ leader: Leader
    ) -> SyncPlan {
        let start = list.firstIndex { $0.zxid > learner } ?? list.count
        let previous = start == 0 ? base : list[start - 1].zxid
        let rest = Array(list[start...])
        let newest = list.last?.zxid ?? base
        if previous == learner || learner.beginsEpoch { return .diff(newest, rest) }
        // Never across epochs: what the learner has of an old one may go further back than it seems
        // (ZOOKEEPER-1154).
        guard let first = rest.first, first.zxid.epoch == learner.epoch else { return .snapshot }
        return truncation(of: learner, after: previous, then: rest, leader)
    }

    /// A learner may hold a snapshot with what it is to truncate, and believe that later. To be
    /// given another snapshot helps, but only if that is newer than all its log: else it would read
    /// the rest of that log on top of it when it starts again.
    private static func truncation(
        of learner: Zxid, after zxid: Zxid, then rest: [Proposal], _ leader: Leader
    ) -> SyncPlan {
        if leader.prefersSnapshots && leader.last > learner { return .snapshot }
        return .truncate(after: zxid, rest)
    }
}

extension Zxid {
    /// No transaction has this zxid: it stands for all that came before its epoch.
    var beginsEpoch: Bool { counter == 0 }

    package init(epoch: Int64) {
        self.init(epoch << 32)
    }
}
