package import AviaryWire
import DequeModule
import NIOCore
package import Zab

/// The server's part in its ensemble: what the quorum peer orders is carried out here.
extension ServerCore {
    package var role: QuorumPeer.Role { peer.role }
    package var voterCount: Int { peer.voterCount }
    package var learnerCounts: QuorumPeer.LearnerCounts? { peer.learnerCounts }
    /// All sessions and their timeouts, in the order of their ids, as a learner knows them. Nil in a
    /// leader, which knows when they expire.
    package var learnerSessions: [(id: SessionID, timeoutMilliseconds: Int32)]? {
        guard isLearner else { return nil }
        return tree.sessions.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    package var isMember: Bool { configuration != nil }

    var isLeading: Bool { peer.role == .leading }

    var isLearner: Bool {
        switch peer.role {
        case .following, .observing: true
        case .leading, .looking: false
        }
    }

    package var servesClients: Bool {
        isReadOnly || peer.role == .leading ? settings.leaderServes : peer.role != .looking
    }

    /// Tells the quorum peer, and carries out what it orders.
    mutating func drive(
        _ event: QuorumPeer.Event, at now: Now, into effects: inout StepEffects
    ) {
        var ordered = spareEffects.popLast() ?? []
        peer.step(
            event, at: Instant(milliseconds: now.monotonicMilliseconds), into: &ordered)
        var isSnapshotDue = false
        for index in ordered.indices {
            // Taken out: one that is only looked at is copied, with all it refers to.
            var effect = QuorumPeer.Effect.listen
            swap(&effect, &ordered[index])
            switch consume effect {
            case .append(let proposal):
                append(proposal, at: now, into: &effects)
                let isDue = snapshotPolicy.isDue(
                    afterAppending: proposal.bytes.readableBytes, nodes: tree.nodeCount)
                if isDue { isSnapshotDue = true }
            case .commit(let zxid), .adopt(let zxid): commit(upTo: zxid, at: now, into: &effects)
            case .startEpoch(let zxid): start(zxid)
            case .changed(let role): changed(to: role, at: now, into: &effects)
            case .receivedFromLearner(let message, _, let link):
                receive(message, over: link, at: now, into: &effects)
            case .receivedFromLeader(let message):
                receive(message, at: now, into: &effects)
            case let other: pass(on: other, into: &effects)
            }
        }
        ordered.removeAllForReuse()
        spareEffects.append(consume ordered)
        if isSnapshotDue { orderSnapshot(rollingLog: true, into: &effects) }
    }

    /// What disk and links carry out.
    private mutating func pass(on effect: QuorumPeer.Effect, into effects: inout StepEffects) {
        switch effect {
        case .saveEpochs(let accepted, let current):
            effects.disk.append(.saveEpochs(accepted: accepted, current: current))
        case .truncate(let zxid): effects.disk.append(.truncate(after: zxid))
        case .installSnapshot: effects.disk.append(.installSnapshot(snapshotOfIncoming()))
        case .vote(let notification, let server):
            effects.peers.append(.vote(notification, to: server))
        case .listen: effects.peers.append(.listen)
        case .sendToLearner(let message, let link):
            effects.peers.append(.sendToLearner(message, link))
        case .sendToLearners(let message, let links):
            effects.peers.append(.sendToLearners(message, links))
        case .sendSnapshot(let zxid, let link):
            // The beginning of an epoch stands for what came before it.
            let last = tree.lastProcessedZxid
            precondition(
                last == zxid || (last > zxid && last.counter == 0),
                "the tree is what was committed")
            effects.peers.append(.sendSnapshot(zxid, tree.snapshot, link))
        case .readLog(let start, let end, let link):
            effects.peers.append(.readLog(from: start, through: end, link))
        case .disconnectLearner(let link): effects.peers.append(.disconnectLearner(link))
        case .disconnectLearners: effects.peers.append(.disconnectLearners)
        case .connect(let server, let link): effects.peers.append(.connect(to: server, link))
        case .sendToLeader(let message, let link):
            effects.peers.append(.sendToLeader(message, link))
        case .disconnectLeader(let link): effects.peers.append(.disconnectLeader(link))
        case .answerPing(let zxid, let link):
            let message = LearnerMessage.ping(zxid, touched: sessions.takeTouched())
            effects.peers.append(.sendToLeader(message, link))
        case .append, .commit, .adopt, .startEpoch, .changed, .receivedFromLearner,
            .receivedFromLeader:
            preconditionFailure("the core carries this out itself")
        }
    }

    /// A transaction goes to the log. What a leader proposes is in flight already; what it has
    /// proposed to us waits for its commit, or for another leader's.
    private mutating func append(
        _ proposal: Proposal, at now: Now, into effects: inout StepEffects
    ) {
        effects.disk.append(.append(proposal))
        if inFlight.last?.zxid == proposal.zxid { return }
        lastProposed = proposal.zxid
        var reader = JuteReader(proposal.bytes.readableBytesSpan)
        do throws(WireError) {
            let header = try TxnHeader(from: &reader)
            inFlight.append(
                InFlight(
                    zxid: proposal.zxid, work: .transaction(proposal.bytes, create2s: nil),
                    caller: InFlight.Caller(
                        request: header.type, xid: header.cxid, connection: nil,
                        arrivedAt: now.monotonicMilliseconds)))
        } catch {
            // Going on without it would make this tree another than the others'.
            effects.notices.append(.unreadableTransaction(proposal.zxid, error))
        }
    }

    /// The next transaction is numbered after this; what came before is the same everywhere. A learner
    /// that comes to the same leader again has some of the epoch already.
    private mutating func start(_ zxid: Zxid) {
        lastProposed = max(lastProposed, zxid)
        tree.startEpoch(zxid)
    }

    private mutating func changed(
        to role: QuorumPeer.Role, at now: Now, into effects: inout StepEffects
    ) {
        if isReadOnly { abandonClients(into: &effects) }
        roleSince = now.monotonicMilliseconds
        isReadOnly = false
        readOnlyFrom = nil
        sessions.removeAll()
        forwarded = ForwardedRequests()
        outstanding = OutstandingChanges(digest: tree.digest)
        for id in tree.sessions.keys.sorted() { sessions.reserve(id) }
        switch role {
        case .looking:
            abandonClients(into: &effects)
            awaitReadOnly(at: now)
        case .leading:
            for id in tree.sessions.keys.sorted() {
                sessions.add(
                    id, timeoutMilliseconds: tree.sessions[id] ?? 0, owner: nil, at: now)
            }
            reaper = ContainerReaper(settings: settings, at: now)
        case .following, .observing: break
        }
        if isMember { effects.notices.append(.roleChanged(role)) }
    }

    /// Source: QuorumPeer.run, case LOOKING, ZooKeeper 3.9.5.
    mutating func awaitReadOnly(at now: Now) {
        guard settings.readOnlyMode, isMember else { return }
        let least: Int64 = 2000
        readOnlyFrom =
            now.monotonicMilliseconds + max(least, settings.tickTimeMilliseconds)
    }

    mutating func beginReadOnly(into effects: inout StepEffects) {
        readOnlyFrom = nil
        guard peer.role == .looking else { return }
        isReadOnly = true
        effects.notices.append(.readOnlyBegun)
    }

    /// What clients wait for may or may not come to be: they learn it from another server.
    private mutating func abandonClients(into effects: inout StepEffects) {
        inFlight.removeAll {
            switch $0.work {
            case .transaction: false
            case .sync, .refusal: true
            }
        }
        inFlight.updateAll { $0.caller.connection = nil }
        for slot in connections.slotsInUse { close(slot, into: &effects) }
    }

    // MARK: Another tree

    /// The leader's tree has come whole over a link, and is of this zxid.
    package mutating func receive(
        tree: consuming DataTree, of zxid: Zxid, over link: LinkID, at now: Now,
        into effects: inout StepEffects
    ) {
        // An Apache leader goes on while it writes, so its tree may hold some of what it sends next.
        foreignUntil = tree.snapshot.newestVisibleZxid
        incomingTree = consume tree
        drive(.snapshotReceived(zxid, link), at: now, into: &effects)
    }

    private mutating func snapshotOfIncoming() -> TreeSnapshot {
        guard let tree = incomingTree.take() else {
            preconditionFailure("a snapshot is installed that was received")
        }
        let snapshot = tree.snapshot
        incomingTree = consume tree
        return snapshot
    }

    /// The snapshot that was received is on disk, and is all that is there.
    package mutating func snapshotInstalled(at now: Now, into effects: inout StepEffects) {
        guard let tree = incomingTree.take() else {
            preconditionFailure("a snapshot was installed that was not received")
        }
        replace(tree, at: now)
        drive(.snapshotInstalled(self.tree.lastProcessedZxid), at: now, into: &effects)
    }

    /// The log ends with this zxid, and the tree is what it and the snapshots lead to.
    package mutating func truncated(
        to tree: consuming DataTree, after zxid: Zxid, at now: Now, into effects: inout StepEffects
    ) {
        replace(tree, at: now)
        drive(.truncated(after: zxid), at: now, into: &effects)
    }

    private mutating func replace(_ tree: consuming DataTree, at now: Now) {
        inFlight.removeAll()
        self.tree = tree
        lastProposed = self.tree.lastProcessedZxid
        outstanding = OutstandingChanges(digest: self.tree.digest)
        describeEnsemble(at: now)
    }

    /// Puts this server's own configuration into its node.
    ///
    /// Source: QuorumPeer.setQuorumVerifier and DataTree.addConfigNode, ZooKeeper 3.9.5.
    mutating func describeEnsemble(at now: Now) {
        guard let configuration else { return }
        tree.setConfiguration(configuration.bytes, at: now.wallMilliseconds)
    }
}
