import AviaryWire

/// Source: ZAB paper, phase 1; Leader.getEpochToPropose and waitForEpochAck, ZooKeeper 3.9.5.
extension Leader {
    /// What one read of the link has brought. After a message that ends the link the rest is of no
    /// interest.
    mutating func receive(
        _ messages: [LearnerMessage], from link: LinkID, at now: Instant,
        _ durable: inout DurableState, into effects: inout [QuorumPeer.Effect]
    ) {
        // Looked at where they are: an iterator would copy each.
        let messages = messages.span
        for index in messages.indices where resignation == nil {
            precondition(
                index == 0 || messages[index - 1].isAcknowledgement
                    || !messages[index].isAcknowledgement,
                "what is asked for comes after what is acknowledged")
            receive(messages[index], from: link, at: now, &durable, into: &effects)
        }
    }

    private mutating func receive(
        _ message: LearnerMessage, from link: LinkID, at now: Instant,
        _ durable: inout DurableState, into effects: inout [QuorumPeer.Effect]
    ) {
        guard let index = index(of: link) else { return }
        let limit =
            handlers[index].phase < .active ? settings.initTime : settings.syncTime
        handlers[index].deadline = now.adding(milliseconds: limit)
        switch handlers[index].phase {
        case .connected: introduce(index, message, &durable, into: &effects)
        case .invited: accept(index, message, at: now, &durable, into: &effects)
        case .synchronizing: synchronized(index, message, at: now, &durable, into: &effects)
        case .active: hear(message, from: index, at: now, &durable, into: &effects)
        case .introduced, .accepted, .synchronized:
            // Nothing may be sent until the leader has answered (ZooKeeper closes as well).
            disconnect(index, into: &effects)
        }
    }

    private mutating func introduce(
        _ index: Int, _ message: LearnerMessage, _ durable: inout DurableState,
        into effects: inout [QuorumPeer.Effect]
    ) {
        let given: LearnerInfo?
        let accepted: Zxid
        switch message {
        case .followerInfo(let info, let zxid):
            (given, accepted) = (info, zxid)
        case .observerInfo(let info, let zxid):
            (given, accepted) = (info, zxid)
            handlers[index].isObserver = true
        default:
            disconnect(index, into: &effects)
            return
        }
        // A learner with a newer configuration wins the next election, and does not follow in this.
        guard let info = given, (info.protocolVersion ?? 1) >= LearnerInfo.currentProtocol,
            (info.configurationVersion ?? .zero) <= settings.configurationVersion,
            info.server != settings.server
        else {
            disconnect(index, into: &effects)
            return
        }
        handlers[index].server = info.server
        handlers[index].phase = .introduced
        let acceptedEpoch = accepted.rawValue >> 32
        if stage == .gathering {
            epoch = max(epoch, acceptedEpoch + 1)
        } else if acceptedEpoch > epoch {
            // It will never follow in this epoch, and a new election finds a higher one. ZooKeeper
            // stays, and goes without that server until something else ends its epoch.
            resign(.epochPassed)
            return
        }
        dropOlderLink(than: index, into: &effects)
        advance(&durable, at: nil, into: &effects)
    }

    /// A server that comes again has lost its connection before we have.
    private mutating func dropOlderLink(
        than index: Int, into effects: inout [QuorumPeer.Effect]
    ) {
        let (link, server) = (handlers[index].link, handlers[index].server)
        let older = handlers.firstIndex { $0.server == server && $0.link != link }
        if let older { disconnect(older, into: &effects) }
    }

    private mutating func accept(
        _ index: Int, _ message: LearnerMessage, at now: Instant, _ durable: inout DurableState,
        into effects: inout [QuorumPeer.Effect]
    ) {
        guard case .ackEpoch(let lastZxid, let currentEpoch) = message else {
            disconnect(index, into: &effects)
            return
        }
        let hasAcceptedHere = currentEpoch != -1
        let isAhead = (Int64(currentEpoch), lastZxid) > (initialEpoch, initialZxid)
        if stage == .inviting && hasAcceptedHere && isAhead {
            // It should lead, not follow.
            disconnect(index, into: &effects)
            return
        }
        handlers[index].lastZxid = lastZxid
        handlers[index].hasAcceptedHere = hasAcceptedHere && lastZxid != .none
        handlers[index].phase = .accepted
        advance(&durable, at: now, into: &effects)
        // It may have been dropped since.
        if stage >= .synchronizing, let index = self.index(of: handlers[index].link) {
            synchronize(index, at: now, durable, into: &effects)
        }
    }

    /// Goes on as soon as a quorum has done what is waited for.
    ///
    /// - Parameter now: nil if no stage can end that the time is measured from.
    mutating func advance(
        _ durable: inout DurableState, at now: Instant?, into effects: inout [QuorumPeer.Effect]
    ) {
        switch stage {
        case .gathering:
            guard settings.verifier.current.isQuorum(servers { $0.phase >= .introduced }) else {
                return
            }
            stage = .savingAccepted
            stageDeadline = nil
            durable.accept(epoch, into: &effects)
        case .inviting:
            invite(into: &effects)
            guard settings.verifier.current.isQuorum(servers { $0.hasAcceptedHere }) else {
                return
            }
            stage = .savingCurrent
            stageDeadline = nil
            durable.enter(epoch, with: initialZxid, into: &effects)
        case .savingAccepted: break
        case .savingCurrent: invite(into: &effects)
        case .synchronizing:
            invite(into: &effects)
            if settings.verifier.isQuorum(servers { $0.phase >= .synchronized }) {
                establish(durable, into: &effects)
            }
        case .broadcasting:
            invite(into: &effects)
            activate(into: &effects)
        }
    }

    private mutating func invite(into effects: inout [QuorumPeer.Effect]) {
        let message = LeaderMessage.leaderInfo(
            epochZxid, protocolVersion: LearnerInfo.currentProtocol)
        for index in handlers.indices where handlers[index].phase == .introduced {
            handlers[index].phase = .invited
            send(message, to: index, into: &effects)
        }
    }

    mutating func epochsSaved(
        at now: Instant, _ durable: inout DurableState, into effects: inout [QuorumPeer.Effect]
    ) {
        switch stage {
        case .savingAccepted: stage = .inviting
        case .savingCurrent:
            stage = .synchronizing
            durable.adopt(into: &effects)
            let links = handlers.filter { $0.phase == .accepted }.map(\.link)
            for link in links {
                guard let index = index(of: link) else { continue }
                synchronize(index, at: now, durable, into: &effects)
            }
        case .gathering, .inviting, .synchronizing, .broadcasting:
            preconditionFailure("a leader saves its epochs twice, each in its turn")
        }
        stageDeadline = now.adding(milliseconds: settings.initTime)
        advance(&durable, at: now, into: &effects)
    }
}
