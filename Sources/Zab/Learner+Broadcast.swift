import AviaryWire
import DequeModule

/// Source: Follower.processPacket, Observer.processPacket and SendAckRequestProcessor, 3.9.5.
extension Learner {
    mutating func hear(
        _ message: LeaderMessage, _ durable: inout DurableState,
        into effects: inout [QuorumPeer.Effect]
    ) {
        switch message {
        case .proposal(let zxid, let bytes):
            if settings.isObserver { return }
            append(Proposal(zxid: zxid, bytes: bytes), &durable, into: &effects)
        // Observers ignore commits; one that has no proposal is ignored by ZooKeeper as well.
        case .commit(let zxid, let count):
            if settings.isObserver || pending.isEmpty { return }
            noteCommits(zxid, count: count)
            applyCommitted(&durable, into: &effects)
        case .commitAndActivate(let zxid, _):
            if settings.isObserver || pending.isEmpty { return }
            noteCommits(zxid)
            applyCommitted(&durable, into: &effects)
        case .inform(let zxid, let bytes), .informAndActivate(let zxid, _, let bytes):
            append(Proposal(zxid: zxid, bytes: bytes), &durable, into: &effects)
            if resignation == nil { noteCommits(zxid) }
            applyCommitted(&durable, into: &effects)
        case .ping(let zxid): effects.append(.answerPing(zxid, link))
        case .revalidated: effects.append(.receivedFromLeader(message))
        case .sync:
            late.append((committed, message))
            applyCommitted(&durable, into: &effects)
        case .upToDate, .unknown: break
        case .leaderInfo, .diff, .trunc, .snap, .newLeader: resign(.protocolBroken)
        }
    }

    /// More of the log would outlive a crash.
    mutating func persistedMore(
        _ durable: inout DurableState, into effects: inout [QuorumPeer.Effect]
    ) {
        switch stage {
        case .persisting(let end):
            guard durable.persisted >= end else { return }
            stage = .savingCurrent
            if durable.currentEpoch < epoch {
                durable.enter(epoch, with: end, into: &effects)
            } else {
                stage = .synchronized
                send(.ack(Zxid(epoch: epoch)), into: &effects)
            }
        case .active:
            acknowledge(durable, into: &effects)
            applyCommitted(&durable, into: &effects)
        default: break
        }
    }

    /// Acknowledges each proposal that is safe, and not before this server serves: until then the
    /// leader takes every packet but one for a mistake.
    mutating func acknowledge(
        _ durable: borrowing DurableState, into effects: inout [QuorumPeer.Effect]
    ) {
        while let first = unacknowledged.first, first <= durable.persisted {
            var count = 0
            while let zxid = unacknowledged.first, zxid <= durable.persisted,
                zxid.comes(count, after: first)
            {
                unacknowledged.removeFirst()
                count += 1
            }
            if !settings.isObserver { send(.ack(first, count: count), into: &effects) }
        }
    }

    /// What is committed is applied once it is in the own log for good (ZOOKEEPER-4882). A sync is
    /// answered when everything that was committed before it can be read, and before what was
    /// committed after it is applied: a client is answered in the order of its requests.
    mutating func applyCommitted(
        _ durable: inout DurableState, into effects: inout [QuorumPeer.Effect]
    ) {
        let end = min(committed, durable.persisted)
        while let first = late.first, first.after <= max(end, durable.applied) {
            apply(upTo: first.after, &durable, into: &effects)
            late.removeFirst()
            effects.append(.receivedFromLeader(first.message))
        }
        apply(upTo: end, &durable, into: &effects)
    }

    private func apply(
        upTo end: Zxid, _ durable: inout DurableState, into effects: inout [QuorumPeer.Effect]
    ) {
        if end > durable.applied { durable.commit(upTo: end, into: &effects) }
    }
}
