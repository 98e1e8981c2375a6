import AviaryWire

/// Source: ZAB paper, phase 3; Leader.propose and tryToCommit, ZooKeeper 3.9.5.
extension Leader {
    mutating func propose(
        _ proposal: Proposal, at now: Instant, _ durable: inout DurableState,
        into effects: inout [QuorumPeer.Effect]
    ) {
        precondition(stage == .broadcasting, "only an established leader proposes")
        precondition(proposal.zxid > lastProposed, "proposals are made in the order of their zxids")
        if proposal.zxid.counter >= settings.endOfEpoch {
            // The last number of an epoch is not used, so that none ever overflows
            // (ZOOKEEPER-1277).
            resign(.zxidsUsedUp)
            return
        }
        lastProposed = proposal.zxid
        durable.append(proposal, into: &effects)
        followers.update(from: handlers)
        if followers.links.isEmpty { return }
        effects.append(.sendToLearners(.proposal(proposal.zxid, proposal.bytes), followers.links))
        for index in handlers.indices where !handlers[index].isObserver {
            noteOwed(proposal.zxid, by: index, at: now)
        }
    }

    mutating func forward(
        _ proposal: Proposal, to index: Int, at now: Instant,
        into effects: inout [QuorumPeer.Effect]
    ) {
        send(.proposal(proposal.zxid, proposal.bytes), to: index, into: &effects)
        noteOwed(proposal.zxid, by: index, at: now)
    }

    private mutating func noteOwed(_ zxid: Zxid, by index: Int, at now: Instant) {
        // What is committed before the learner serves, it does not acknowledge.
        if handlers[index].owed == nil, handlers[index].phase == .active {
            handlers[index].owed = (zxid, now)
        }
    }

    mutating func hear(
        _ message: LearnerMessage, from index: Int, at now: Instant,
        _ durable: inout DurableState, into effects: inout [QuorumPeer.Effect]
    ) {
        switch message {
        case .ack(let first, let count):
            let zxid = first.last(of: count)
            // The answer to `upToDate` is about no proposal.
            if zxid.beginsEpoch { return }
            guard zxid <= lastProposed, zxid.epoch == lastProposed.epoch else {
                disconnect(index, into: &effects)
                return
            }
            handlers[index].acknowledged = max(handlers[index].acknowledged, zxid)
            if let owed = handlers[index].owed, owed.zxid <= zxid {
                handlers[index].owed = zxid < lastProposed ? (zxid.next, now) : nil
            }
            // The second half of the voters acknowledges what is committed.
            if zxid > lastCommitted { commit(&durable, into: &effects) }
        case .request, .revalidate, .ping:
            effects.append(
                .receivedFromLearner(message, handlers[index].server, handlers[index].link))
        case .followerInfo, .observerInfo, .ackEpoch: disconnect(index, into: &effects)
        case .unknown: break
        }
    }

    /// Commits what a quorum has in its logs, this server always included: it applies nothing that
    /// its own log could lose (ZOOKEEPER-4882). ZooKeeper does not wait for the leader's log.
    ///
    /// An acknowledgement counts as long as the connection it came on: a learner that has come
    /// anew may have been told to truncate what it had acknowledged.
    mutating func commit(
        _ durable: inout DurableState, into effects: inout [QuorumPeer.Effect]
    ) {
        var progress = [
            LearnerProgress(server: settings.server, acknowledged: durable.persisted)
        ]
        for handler in handlers where handler.phase == .active && !handler.isObserver {
            progress.append(
                LearnerProgress(server: handler.server, acknowledged: handler.acknowledged))
        }
        let reached = min(durable.persisted, settings.verifier.reached(by: progress))
        guard reached > lastCommitted else { return }
        if handlers.contains(where: \.isForwarded) {
            // A sync is answered before what was proposed after it is committed: the client that
            // asked for it is answered in the order of its requests.
            while let sync = pendingSyncs.first, sync.zxid <= reached {
                tell(committed: sync.zxid, durable, into: &effects)
                answerSyncs(upTo: sync.zxid, into: &effects)
            }
            tell(committed: reached, durable, into: &effects)
        }
        lastCommitted = reached
        durable.commit(upTo: reached, into: &effects)
        answerSyncs(upTo: reached, into: &effects)
    }

    /// Tells every learner what is committed since the last time.
    private mutating func tell(
        committed end: Zxid, _ durable: borrowing DurableState,
        into effects: inout [QuorumPeer.Effect]
    ) {
        let (first, count) = (lastCommitted.next, Int(end.rawValue - lastCommitted.rawValue))
        precondition(first.epoch == end.epoch, "an epoch's proposals are committed in it")
        lastCommitted = end
        if count == 0 { return }
        followers.update(from: handlers)
        if !followers.links.isEmpty {
            effects.append(.sendToLearners(.commit(first, count: count), followers.links))
        }
        observers.update(from: handlers)
        if observers.links.isEmpty { return }
        durable.history.forEach(after: Zxid(first.rawValue - 1), upTo: end) { proposal in
            let message = LeaderMessage.inform(proposal.zxid, proposal.bytes)
            effects.append(.sendToLearners(message, observers.links))
        }
    }

    private mutating func answerSyncs(
        upTo zxid: Zxid, into effects: inout [QuorumPeer.Effect]
    ) {
        while let sync = pendingSyncs.first, sync.zxid <= zxid {
            pendingSyncs.removeFirst()
            answer(.sync, to: sync.link, into: &effects)
        }
    }

    /// Answers a learner's sync when everything proposed before it is committed.
    mutating func sync(for link: LinkID, into effects: inout [QuorumPeer.Effect]) {
        if lastProposed > lastCommitted {
            pendingSyncs.append((lastProposed, link))
        } else {
            answer(.sync, to: link, into: &effects)
        }
    }

    func answer(
        _ message: LeaderMessage, to link: LinkID, into effects: inout [QuorumPeer.Effect]
    ) {
        guard let index = index(of: link), handlers[index].phase == .active else { return }
        send(message, to: index, into: &effects)
    }
}
