import AviaryWire

/// Source: ZAB paper, phase 2; LearnerHandler.run and Leader.waitForNewLeaderAck, ZooKeeper 3.9.5.
extension Leader {
    /// Sends a learner all of our history that it lacks, and makes it one that hears what is
    /// proposed: in one step, so that nothing falls between.
    func plan(for index: Int, _ durable: borrowing DurableState, log: [Proposal]?) -> SyncPlan {
        var side = SyncPlan.Leader(last: lastCommitted, history: durable.history)
        side.log = log
        side.readsLog = settings.readsLog
        side.prefersSnapshots = settings.prefersSnapshots
        let learner = handlers[index].lastZxid
        // One that is older than the learner's log would not replace it; see `SyncPlan`.
        if settings.forceSnapshotSync && lastCommitted > learner { return .snapshot }
        return SyncPlan.plan(learner: learner, leader: side)
    }

    mutating func synchronize(
        _ index: Int, at now: Instant, _ durable: borrowing DurableState, log: [Proposal]? = nil,
        into effects: inout [QuorumPeer.Effect]
    ) {
        guard handlers[index].phase == .accepted else { return }
        let link = handlers[index].link
        let plan = plan(for: index, durable, log: log)
        guard mayBegin(plan, with: index) else {
            disconnect(index, into: &effects)
            return
        }
        handlers[index].takesSnapshot = plan == .snapshot
        switch plan {
        case .diff(let zxid, let missing):
            send(.diff(zxid), to: index, into: &effects)
            sendHistory(missing, to: index, into: &effects)
        case .truncate(let zxid, let missing):
            send(.trunc(zxid), to: index, into: &effects)
            sendHistory(missing, to: index, into: &effects)
        case .snapshot:
            effects.append(.sendSnapshot(lastCommitted, link))
        case .readLog(let start, let end):
            handlers[index].isReadingLog = true
            effects.append(.readLog(from: start, through: end, link))
            return
        }
        handlers[index].phase = .synchronizing
        if !handlers[index].isObserver {
            for proposal in durable.history.proposals(after: lastCommitted, upTo: lastProposed) {
                forward(proposal, to: index, at: now, into: &effects)
            }
        }
        send(
            .newLeader(epochZxid, configuration: settings.configuration), to: index,
            into: &effects)
    }

    /// Voters always may: the ensemble needs them. An observer comes again later.
    ///
    /// Source: LearnerSyncThrottler, ZooKeeper 3.9.5.
    private func mayBegin(_ plan: SyncPlan, with index: Int) -> Bool {
        guard handlers[index].isObserver else { return true }
        let takesSnapshot = plan == .snapshot
        let busy = handlers.count {
            $0.phase == .synchronizing && $0.takesSnapshot == takesSnapshot
        }
        return busy < (takesSnapshot ? settings.maximumSnapSyncs : settings.maximumDiffSyncs)
    }

    /// Observers too get their history as proposals with commits.
    private func sendHistory(
        _ proposals: [Proposal], to index: Int, into effects: inout [QuorumPeer.Effect]
    ) {
        for proposal in proposals {
            send(.proposal(proposal.zxid, proposal.bytes), to: index, into: &effects)
            send(.commit(proposal.zxid), to: index, into: &effects)
        }
    }

    /// The log has been read for a learner, as it was asked for; nil if it could not be.
    mutating func logRead(
        _ log: [Proposal]?, for link: LinkID, at now: Instant, _ durable: borrowing DurableState,
        into effects: inout [QuorumPeer.Effect]
    ) {
        guard let index = index(of: link), handlers[index].isReadingLog else { return }
        handlers[index].isReadingLog = false
        synchronize(index, at: now, durable, log: log ?? [], into: &effects)
    }

    /// The first packet after the history must say that it is safe.
    mutating func synchronized(
        _ index: Int, _ message: LearnerMessage, at now: Instant, _ durable: inout DurableState,
        into effects: inout [QuorumPeer.Effect]
    ) {
        guard message == .ack(epochZxid) else {
            disconnect(index, into: &effects)
            return
        }
        handlers[index].phase = .synchronized
        advance(&durable, at: now, into: &effects)
    }

    /// A quorum has our history, so all of it is committed.
    mutating func establish(
        _ durable: borrowing DurableState, into effects: inout [QuorumPeer.Effect]
    ) {
        stage = .broadcasting
        stageDeadline = nil
        lastProposed = epochZxid
        lastCommitted = epochZxid
        effects.append(.startEpoch(epochZxid))
        effects.append(.changed(.leading))
        activate(into: &effects)
    }

    /// Lets those serve that are as far as the quorum.
    mutating func activate(into effects: inout [QuorumPeer.Effect]) {
        for index in handlers.indices where handlers[index].phase == .synchronized {
            handlers[index].phase = .active
            send(.upToDate, to: index, into: &effects)
        }
    }
}
