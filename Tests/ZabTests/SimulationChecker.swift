import AviaryWire

@testable import Zab

/// The invariants of ZooKeeper's `Zab.tla`, by their names where they have one.
struct SimulationChecker {
    /// The first thing that went wrong.
    private(set) var violation: String?
    /// Everything that was ever committed, in order.
    private(set) var history: [Entry] = []
    private(set) var epochs = 0
    private var leaders: [UInt32: (id: ServerID, life: Int)] = [:]
    private var values: [Zxid: Int64] = [:]

    private mutating func fail(_ what: String) {
        if violation == nil { violation = what }
    }

    mutating func proposed(_ entry: Entry) {
        if values.updateValue(entry.value, forKey: entry.zxid) != nil {
            fail("Integrity: two proposals have zxid \(entry.zxid)")
        }
    }

    mutating func established(_ epoch: UInt32, by member: SimulatedMember) {
        epochs += 1
        if let other = leaders[epoch] {
            fail("Leadership1: \(other.id) and \(member.id) lead epoch \(epoch)")
        }
        leaders[epoch] = (member.id, member.life)
    }

    /// All of a member's tree is committed, or so it believes.
    ///
    /// - Parameter isTrusted: whether disks hold what they say they hold, so that it is checked
    ///   that nothing is applied before that.
    mutating func committed(
        by member: SimulatedMember, among members: [SimulatedMember], isTrusted: Bool
    ) {
        while member.checkedCount < member.tree.count {
            let index = member.checkedCount
            let entry = member.tree[index]
            member.checkedCount += 1
            if index < history.count {
                if history[index] != entry {
                    fail(
                        "PrefixConsistency: \(member.id) has \(entry) where \(history[index])"
                            + " was committed")
                }
                continue
            }
            commitFirst(entry, by: member, among: members)
            if isTrusted && !member.disk.holds(entry) {
                fail("\(member.id) applies \(entry) before its log holds it")
            }
        }
    }

    private mutating func commitFirst(
        _ entry: Entry, by member: SimulatedMember, among members: [SimulatedMember]
    ) {
        if values[entry.zxid] != entry.value { fail("Integrity: \(entry) was not proposed") }
        let last = history.last?.zxid ?? .zero
        let isNext =
            entry.zxid.epoch == last.epoch
            ? entry.zxid == last.next : entry.zxid > last && entry.zxid.counter == 1
        if !isNext { fail("TotalOrder: \(entry) is committed after \(last)") }
        let holders = members.filter { !$0.settings.isObserver && $0.disk.holds(entry) }
        if !member.settings.verifier.isQuorum(holders.map(\.id)) {
            fail("\(entry) is committed by \(member.id) and safe on \(holders.count) disks only")
        }
        history.append(entry)
    }

    /// Who begins to lead has everything that was committed before.
    mutating func holdsAll(_ member: SimulatedMember) {
        if member.tree.count < history.count {
            fail(
                "PrimaryIntegrity: \(member.id) leads with \(member.tree.count) of"
                    + " \(history.count) transactions")
        }
    }
}
