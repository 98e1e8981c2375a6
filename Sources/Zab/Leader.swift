import AviaryWire

/// Broadcast, as the leader does it: proposals go out in order, and each is committed when a quorum
/// has it in its logs.
///
/// Source: ZAB paper, phase 3; Leader.propose and Leader.tryToCommit, ZooKeeper 3.9.5.
struct Leader: ~Copyable, Sendable {
    private let verifier: QuorumVerifier
    private var progress: [LearnerProgress]
    private(set) var lastProposed: Zxid
    private(set) var lastCommitted: Zxid

    init(verifier: QuorumVerifier, server: ServerID, lastZxid: Zxid) {
        self.verifier = verifier
        progress = [LearnerProgress(server: server, acknowledged: lastZxid)]
        lastProposed = lastZxid
        lastCommitted = lastZxid
    }

    mutating func propose(_ proposal: Proposal, into effects: inout [QuorumPeer.Effect]) {
        precondition(proposal.zxid > lastProposed, "proposals are made in the order of their zxids")
        lastProposed = proposal.zxid
        effects.append(.append(proposal))
    }

    /// A server, this one included, has everything up to a zxid in its log.
    mutating func acknowledge(
        _ zxid: Zxid, from server: ServerID, into effects: inout [QuorumPeer.Effect]
    ) {
        precondition(zxid <= lastProposed, "only what was proposed can be acknowledged")
        guard let index = progress.firstIndex(where: { $0.server == server }),
            zxid > progress[index].acknowledged
        else { return }
        progress[index].acknowledged = zxid
        let reached = verifier.reached(by: progress)
        if reached > lastCommitted {
            lastCommitted = reached
            effects.append(.commit(upTo: reached))
        }
    }
}
