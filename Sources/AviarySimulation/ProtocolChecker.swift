import AviaryCore
import AviaryWire
import NIOCore
import Zab

/// Watches what the members propose, apply and keep.
///
/// Source of the names: `Zab.tla`, ZooKeeper's specifications.
struct ProtocolChecker {
    private let voters: [Int]
    private let isQuorum: ([Int]) -> Bool
    /// The first thing that went wrong.
    private(set) var violation: Violation?
    private(set) var ledger = Ledger()
    private(set) var model: TreeModel
    private var leaders: [UInt32: Int] = [:]
    private var digests: [Zxid: UInt64] = [:]

    init(_ knobs: Knobs) {
        voters = Array(0..<knobs.voters)
        isQuorum = knobs.isQuorum
        model = TreeModel(knowsLocalSessions: knobs.localSessions)
    }

    mutating func fail(_ invariant: Violation.Invariant, _ detail: String, at time: Int64) {
        if violation == nil {
            violation = Violation(invariant: invariant, detail: detail, time: time)
        }
    }

    // MARK: Leaders

    /// A member leads an epoch that a quorum has accepted, and has brought to its history.
    ///
    /// - Parameter base: the end of that history, which is committed by this.
    mutating func established(
        _ epoch: UInt32, by member: Int, with base: Zxid, among members: [SimulatedMember],
        at time: Int64
    ) {
        let id = members[member].id
        if let other = leaders[epoch] {
            fail(
                .leadership2, "\(members[other].id) and \(id) both came to lead epoch \(epoch)",
                at: time)
        }
        for other in members where other.index != member && other.role == .leading {
            guard let server = other.server, server.epoch == epoch else { continue }
            fail(.leadership1, "\(other.id) and \(id) lead epoch \(epoch)", at: time)
        }
        leaders[epoch] = member
        // It may be late, and of the past already.
        let earlier = ledger.last(before: epoch)
        if !ledger.chain(base, holds: earlier) {
            fail(
                .primaryIntegrity,
                "\(id) leads epoch \(epoch) with a history up to \(base), and \(earlier) was"
                    + " committed before", at: time)
        }
        // What the base holds is committed now.
        commit(upTo: base, by: member, among: members, at: time)
        ledger.begin(epoch, with: base)
    }

    mutating func proposed(
        _ zxid: Zxid, _ bytes: ByteBuffer, by member: Int, at time: Int64
    ) {
        let hash = Fingerprint.of(bytes)
        if ledger.proposed[zxid] != nil {
            fail(.integrity, "two proposals have zxid \(zxid)", at: time)
        }
        if leaders[zxid.epoch] != member {
            fail(
                .integrity, "member \(member + 1) proposes \(zxid), not being its leader", at: time)
        }
        ledger.propose(zxid, Ledger.Proposed(hash: hash, bytes: bytes, member: member))
    }

    // MARK: Deliveries

    /// A member has applied a transaction, and takes it to be committed.
    mutating func delivered(
        _ entry: LiveServer.Pending, at index: Int, by member: Int,
        among members: [SimulatedMember], time: Int64
    ) {
        let id = members[member].id
        guard index < ledger.entries.count else {
            commit(entry.zxid, entry.hash, by: member, among: members, at: time)
            return
        }
        let committed = ledger.entries[index]
        if committed.zxid == entry.zxid && committed.hash == entry.hash { return }
        let what = "\(id) delivers \(entry.zxid) where \(committed.zxid) was committed"
        if committed.zxid == entry.zxid {
            fail(.agreement, "\(what), and the two are not the same", at: time)
        } else if entry.zxid < committed.zxid {
            fail(.prefixConsistency, what, at: time)
        } else if entry.zxid.epoch == committed.zxid.epoch {
            fail(.localPrimaryOrder, what, at: time)
        } else {
            fail(.totalOrder, what, at: time)
        }
    }

    /// A transaction that nobody has delivered before.
    private mutating func commit(
        _ zxid: Zxid, _ hash: UInt64, by member: Int, among members: [SimulatedMember],
        at time: Int64
    ) {
        let id = members[member].id
        let last = ledger.last
        guard let proposed = ledger.proposed[zxid], proposed.hash == hash else {
            return fail(.integrity, "\(id) delivers \(zxid), which was not proposed so", at: time)
        }
        if zxid.epoch < last.epoch {
            fail(.globalPrimaryOrder, "\(id) delivers \(zxid) after \(last)", at: time)
        } else if zxid.epoch == last.epoch && zxid != last.next {
            fail(.localPrimaryOrder, "\(id) delivers \(zxid) after \(last)", at: time)
        } else if zxid.epoch > last.epoch
            && (zxid.counter != 1
                || ledger.lastTransaction(of: Zxid(epoch: Int64(zxid.epoch))) != last)
        {
            fail(.totalOrder, "\(id) delivers \(zxid) after \(last)", at: time)
        }
        let holders = voters.filter { ledger.chain(members[$0].durable, holds: zxid) }
        if !isQuorum(holders) {
            let names = holders.map { "\(members[$0].id)" }.joined(separator: ", ")
            fail(
                .committedIsDurable,
                "\(id) delivers \(zxid), which is safe on the disks of \(names.isEmpty ? "nobody" : names)"
                    + " only, of \(voters.count) voters", at: time)
        }
        var reader = JuteReader(proposed.bytes.readableBytesSpan)
        do throws(WireError) {
            let transaction = try LogEntry(from: &reader)
            // We do, and Apache's servers do not.
            if transaction.header.type == .check {
                fail(.codec, "transaction \(zxid) is a check, which Apache's do not read", at: time)
            }
            ledger.commit(Ledger.Entry(zxid: zxid, hash: hash, transaction: transaction))
            if let (invariant, detail) = model.apply(transaction) {
                fail(invariant, detail, at: time)
            }
        } catch {
            fail(.codec, "transaction \(zxid) cannot be read: \(error)", at: time)
        }
    }

    /// A member begins to serve, with a tree whose history ends here: all of it is committed.
    ///
    /// - Returns: how much of the committed history that is.
    @discardableResult
    mutating func commit(
        upTo tip: Zxid, by member: Int, among members: [SimulatedMember], at time: Int64
    ) -> Int {
        let end = ledger.lastTransaction(of: tip)
        while ledger.last < end, violation == nil {
            let last = ledger.last
            let next =
                last.epoch == end.epoch ? last.next : Zxid(epoch: Int64(end.epoch)).next
            guard let proposed = ledger.proposed[next] else {
                fail(
                    .integrity, "\(members[member].id) has \(next), which was not proposed",
                    at: time)
                break
            }
            commit(next, proposed.hash, by: member, among: members, at: time)
        }
        if end != .zero, ledger[end] == nil {
            fail(
                .prefixConsistency,
                "\(members[member].id) serves a history that ends with \(end), which is not part of"
                    + " what is committed up to \(ledger.last)", at: time)
        }
        return ledger.count(upTo: end)
    }

    /// Trees of one zxid have one digest.
    mutating func compare(_ digest: UInt64, of zxid: Zxid, by id: ServerID, at time: Int64) {
        let transaction = ledger.lastTransaction(of: zxid)
        if let known = digests[transaction] {
            if known != digest {
                fail(
                    .equalDigests,
                    "the tree of \(id) at \(zxid) is not that of others at this place", at: time)
            }
        } else {
            digests[transaction] = digest
        }
    }
}
