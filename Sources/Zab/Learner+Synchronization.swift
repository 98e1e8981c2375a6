import AviaryWire
import DequeModule

/// Source: Learner.registerWithLeader and syncWithLeader, ZooKeeper 3.9.5. Unlike there, what is
/// proposed goes to the log at once, and to the tree only when this server may serve.
extension Learner {
    /// What one read of the link has brought. After a message that ends the link the rest is of no
    /// interest.
    mutating func receive(
        _ messages: [LeaderMessage], over link: LinkID, at now: Instant,
        _ durable: inout DurableState, into effects: inout [QuorumPeer.Effect]
    ) {
        // Looked at where they are: an iterator would copy each.
        let messages = messages.span
        for index in messages.indices {
            guard link == self.link, resignation == nil else { return }
            receive(messages[index], at: now, &durable, into: &effects)
        }
    }

    private mutating func receive(
        _ message: LeaderMessage, at now: Instant, _ durable: inout DurableState,
        into effects: inout [QuorumPeer.Effect]
    ) {
        if stage == .active, case .ping = message { pulse.beat(at: now) }
        heard(at: now)
        switch stage {
        case .introduced: receiveEpoch(message, &durable, into: &effects)
        case .accepted: receivePlan(message, &durable, into: &effects)
        case .truncating, .receivingSnapshot, .installingSnapshot: held.append(message)
        case .synchronizing, .persisting, .savingCurrent, .synchronized:
            receiveHistory(message, &durable, into: &effects)
        case .active: hear(message, &durable, into: &effects)
        case .connecting, .savingAccepted: resign(.protocolBroken)
        }
    }

    private mutating func receiveEpoch(
        _ message: LeaderMessage, _ durable: inout DurableState,
        into effects: inout [QuorumPeer.Effect]
    ) {
        guard case .leaderInfo(let zxid, _) = message else {
            resign(.protocolBroken)
            return
        }
        epoch = zxid.rawValue >> 32
        if epoch > durable.acceptedEpoch {
            stage = .savingAccepted
            durable.accept(epoch, into: &effects)
        } else if epoch == durable.acceptedEpoch {
            acknowledgeEpoch(-1, durable, into: &effects)
        } else {
            // Only the learner guards against a leader of the past.
            resign(.epochPassed)
        }
    }

    private mutating func acknowledgeEpoch(
        _ currentEpoch: Int64, _ durable: borrowing DurableState,
        into effects: inout [QuorumPeer.Effect]
    ) {
        stage = .accepted
        let lastZxid = needsSnapshot ? Zxid.none : durable.persisted
        send(
            .ackEpoch(
                lastZxid: lastZxid,
                currentEpoch: needsSnapshot ? -1 : Int32(truncatingIfNeeded: currentEpoch)),
            into: &effects)
    }

    mutating func epochsSaved(
        at now: Instant, _ durable: inout DurableState, into effects: inout [QuorumPeer.Effect]
    ) {
        switch stage {
        case .savingAccepted:
            acknowledgeEpoch(durable.currentEpoch, durable, into: &effects)
        case .savingCurrent:
            stage = .synchronized
            send(.ack(Zxid(epoch: epoch)), into: &effects)
            heard(at: now)
        default: preconditionFailure("epochs are saved where they are waited for")
        }
    }

    private mutating func receivePlan(
        _ message: LeaderMessage, _ durable: inout DurableState,
        into effects: inout [QuorumPeer.Effect]
    ) {
        switch message {
        case .diff:
            stage = .synchronizing
            committed = durable.appended
        case .trunc(let zxid):
            guard zxid >= durable.floor else {
                askForSnapshot(into: &effects)
                return
            }
            stage = .truncating
            durable.truncate(after: zxid, into: &effects)
        case .snap: stage = .receivingSnapshot
        case .ping, .unknown: break
        default: resign(.protocolBroken)
        }
    }

    // MARK: A log that is replaced

    mutating func snapshotReceived(
        _ zxid: Zxid, _ durable: inout DurableState, into effects: inout [QuorumPeer.Effect]
    ) {
        guard stage == .receivingSnapshot else { return }
        stage = .installingSnapshot
        durable.install(zxid, into: &effects)
    }

    /// The log ends where the leader wants it to; now for what came in the meantime.
    mutating func replaced(
        at now: Instant, _ durable: inout DurableState, into effects: inout [QuorumPeer.Effect]
    ) {
        precondition(stage == .truncating || stage == .installingSnapshot, "it was replaced")
        stage = .synchronizing
        committed = durable.appended
        while let message = held.popFirst(), resignation == nil {
            receive(message, at: now, &durable, into: &effects)
        }
    }

    // MARK: History

    private mutating func receiveHistory(
        _ message: LeaderMessage, _ durable: inout DurableState,
        into effects: inout [QuorumPeer.Effect]
    ) {
        switch message {
        case .proposal(let zxid, let bytes):
            append(Proposal(zxid: zxid, bytes: bytes), &durable, into: &effects)
        case .commit(let zxid, let count): noteCommits(zxid, count: count)
        case .commitAndActivate(let zxid, _): noteCommits(zxid)
        case .inform(let zxid, let bytes), .informAndActivate(let zxid, _, let bytes):
            append(Proposal(zxid: zxid, bytes: bytes), &durable, into: &effects)
            noteCommits(zxid)
        case .newLeader(let zxid, _):
            guard stage == .synchronizing, zxid == Zxid(epoch: epoch) else {
                resign(.protocolBroken)
                return
            }
            stage = .persisting(durable.appended)
            persistedMore(&durable, into: &effects)
        case .upToDate:
            guard stage == .synchronized else {
                resign(.protocolBroken)
                return
            }
            serve(&durable, into: &effects)
        case .ping, .sync, .revalidated, .unknown: break
        case .leaderInfo, .diff, .trunc, .snap: resign(.protocolBroken)
        }
    }

    mutating func append(
        _ proposal: Proposal, _ durable: inout DurableState,
        into effects: inout [QuorumPeer.Effect]
    ) {
        let last = durable.appended
        let isNext = proposal.zxid.epoch == last.epoch && proposal.zxid == last.next
        let isFirst = proposal.zxid.epoch > last.epoch && proposal.zxid.counter == 1
        guard isNext || isFirst else {
            resign(.protocolBroken)
            return
        }
        durable.append(proposal, into: &effects)
        pending.append(proposal.zxid)
        unacknowledged.append(proposal.zxid)
    }

    /// Commits come in the order of the proposals, none without one.
    mutating func noteCommits(_ first: Zxid, count: Int = 1) {
        for offset in 0..<Int64(count) {
            let zxid = Zxid(first.rawValue + offset)
            guard pending.first == zxid else {
                resign(.protocolBroken)
                return
            }
            pending.removeFirst()
            if !isActive { unacknowledged.removeFirst() }
            committed = zxid
        }
    }

    /// A quorum has the leader's history, so what of it is in this log is committed.
    private mutating func serve(
        _ durable: inout DurableState, into effects: inout [QuorumPeer.Effect]
    ) {
        stage = .active
        send(.ack(Zxid(epoch: epoch)), into: &effects)
        acknowledge(durable, into: &effects)
        applyCommitted(&durable, into: &effects)
        let isWhole = pending.first.map { Int64($0.epoch) >= epoch } ?? true
        if isWhole { effects.append(.startEpoch(Zxid(epoch: epoch))) }
        if let role { effects.append(.changed(role)) }
    }
}
