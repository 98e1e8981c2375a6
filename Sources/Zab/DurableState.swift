import AviaryWire

/// What the disk holds of this member, and what it has been ordered to hold.
///
/// A step is not answered for before it would outlive a crash, so whoever orders something here
/// waits for the event that says so.
struct DurableState: Sendable {
    /// The end of the log, with what is not yet safe.
    private(set) var appended: Zxid
    /// The end of the log, as far as it would outlive a crash.
    private(set) var persisted: Zxid
    /// The end of what the tree holds.
    private(set) var applied: Zxid
    /// The highest epoch that this member has agreed to follow.
    private(set) var acceptedEpoch: Int64
    /// The epoch whose history the log holds.
    private(set) var currentEpoch: Int64
    private(set) var history: ProposalHistory
    /// The zxid of the snapshot that the log begins with: nothing before it can be gone back to.
    private(set) var floor: Zxid
    private var saving: Epochs?
    /// The log is being cut, or replaced by a snapshot.
    private var isReplacing = false

    private struct Epochs: Sendable {
        let accepted: Int64
        let current: Int64
    }

    init(_ recovered: QuorumPeer.Recovered, historyLimit: Int) {
        appended = recovered.lastZxid
        persisted = recovered.lastZxid
        applied = recovered.lastZxid
        // A crash may fall between the first entry of an epoch and the saving of the epoch: who has
        // that entry has all that came before the epoch, so it is entered.
        let logged = recovered.lastZxid == .none ? 0 : Int64(recovered.lastZxid.epoch)
        currentEpoch = max(recovered.currentEpoch, logged)
        acceptedEpoch = max(recovered.acceptedEpoch, currentEpoch)
        floor = recovered.floor
        history = ProposalHistory(
            base: recovered.history.first.map { Zxid($0.zxid.rawValue - 1) }
                ?? recovered.lastZxid, limit: historyLimit)
        for proposal in recovered.history { history.append(proposal) }
        precondition(history.last == recovered.lastZxid, "the history ends where the log does")
    }

    /// Whether nothing is left that was ordered and not done.
    var isQuiet: Bool { persisted == appended && saving == nil && !isReplacing }

    // MARK: Orders

    mutating func append(_ proposal: Proposal, into effects: inout [QuorumPeer.Effect]) {
        precondition(!isReplacing, "a log that is replaced is not added to")
        precondition(proposal.zxid > appended, "a log only grows at its end")
        appended = proposal.zxid
        history.append(proposal)
        effects.append(.append(proposal))
    }

    mutating func accept(_ epoch: Int64, into effects: inout [QuorumPeer.Effect]) {
        precondition(epoch > acceptedEpoch, "an accepted epoch only rises")
        save(Epochs(accepted: epoch, current: currentEpoch), into: &effects)
    }

    /// - Parameter end: that of the history with which the epoch begins for this member.
    mutating func enter(
        _ epoch: Int64, with end: Zxid, into effects: inout [QuorumPeer.Effect]
    ) {
        precondition(epoch == acceptedEpoch, "only an accepted epoch is entered")
        precondition(persisted >= end, "the history is safe before its epoch is named")
        save(Epochs(accepted: acceptedEpoch, current: epoch), into: &effects)
    }

    private mutating func save(_ epochs: Epochs, into effects: inout [QuorumPeer.Effect]) {
        precondition(saving == nil, "epochs are saved one after the other")
        saving = epochs
        effects.append(.saveEpochs(accepted: epochs.accepted, current: epochs.current))
    }

    mutating func truncate(after zxid: Zxid, into effects: inout [QuorumPeer.Effect]) {
        precondition(!isReplacing, "a log is replaced once at a time")
        precondition(zxid >= floor, "what a snapshot holds is not truncated")
        isReplacing = true
        effects.append(.truncate(after: zxid))
    }

    mutating func install(_ snapshot: Zxid, into effects: inout [QuorumPeer.Effect]) {
        precondition(!isReplacing, "a log is replaced once at a time")
        isReplacing = true
        effects.append(.installSnapshot(snapshot))
    }

    mutating func commit(upTo zxid: Zxid, into effects: inout [QuorumPeer.Effect]) {
        precondition(zxid <= persisted || zxid.beginsEpoch, "only what is safe is applied")
        applied = max(applied, zxid)
        history.trim(committed: zxid)
        effects.append(.commit(upTo: zxid))
    }

    /// The leader's history is what its log holds, whether or not that was ever committed.
    mutating func adopt(into effects: inout [QuorumPeer.Effect]) {
        guard applied < appended else { return }
        applied = appended
        effects.append(.adopt(upTo: appended))
    }

    // MARK: What is done

    mutating func hasPersisted(_ zxid: Zxid) {
        precondition(zxid <= appended, "only what was appended is persisted")
        persisted = max(persisted, zxid)
    }

    mutating func haveSavedEpochs() {
        guard let saving else { preconditionFailure("no epochs are being saved") }
        acceptedEpoch = saving.accepted
        currentEpoch = saving.current
        self.saving = nil
    }

    /// The log now ends here, and the tree holds no more.
    mutating func hasTruncated(after zxid: Zxid) {
        precondition(isReplacing, "nothing is being truncated")
        isReplacing = false
        appended = zxid
        persisted = zxid
        applied = min(applied, zxid)
        history.truncate(after: zxid)
    }

    mutating func hasInstalled(_ snapshot: Zxid) {
        precondition(isReplacing, "nothing is being installed")
        isReplacing = false
        appended = snapshot
        persisted = snapshot
        applied = snapshot
        floor = snapshot
        history.reset(to: snapshot)
    }
}
