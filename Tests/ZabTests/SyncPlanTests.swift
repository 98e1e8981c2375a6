import AviaryWire
import NIOCore
import Testing

@testable import Zab

struct SyncPlanTests {
    private func zxid(_ epoch: Int64, _ counter: Int64) -> Zxid { Zxid(epoch << 32 | counter) }

    private func proposal(_ zxid: Zxid) -> Proposal {
        Proposal(zxid: zxid, bytes: ByteBuffer(integer: zxid.rawValue))
    }

    /// A leader whose window begins after 1:2 and holds 1:3, 1:4, 2:1 and 2:2.
    private func leader(last: Zxid? = nil, prefersSnapshots: Bool = false) -> SyncPlan.Leader {
        var history = ProposalHistory(base: zxid(1, 2), limit: 10)
        for zxid in window { history.append(proposal(zxid)) }
        var leader = SyncPlan.Leader(last: last ?? zxid(2, 2), history: history)
        leader.prefersSnapshots = prefersSnapshots
        return leader
    }

    private var window: [Zxid] { [zxid(1, 3), zxid(1, 4), zxid(2, 1), zxid(2, 2)] }

    private func rest(_ count: Int) -> [Proposal] { window.suffix(count).map(proposal) }

    @Test func `a learner that has all gets nothing`() {
        let plan = SyncPlan.plan(learner: zxid(2, 2), leader: leader())
        #expect(plan == .diff(zxid(2, 2), []))
    }

    @Test func `a learner within the window gets what it lacks`() {
        for (index, known) in ([zxid(1, 2)] + window.dropLast()).enumerated() {
            let plan = SyncPlan.plan(learner: known, leader: leader())
            #expect(plan == .diff(zxid(2, 2), rest(4 - index)))
        }
    }

    @Test func `a learner before the window gets a snapshot`() {
        #expect(SyncPlan.plan(learner: zxid(1, 1), leader: leader()) == .snapshot)
        #expect(SyncPlan.plan(learner: .zero, leader: leader()) == .snapshot)
        #expect(SyncPlan.plan(learner: .none, leader: leader()) == .snapshot)
    }

    @Test func `a learner ahead in the same epoch drops what it has too much`() {
        let plan = SyncPlan.plan(learner: zxid(2, 5), leader: leader())
        #expect(plan == .truncate(after: zxid(2, 2), []))
    }

    /// Guards ZOOKEEPER-1154: an old epoch's tail is not cut off where the epochs meet.
    @Test func `H.12: a learner with a tail of an old epoch gets a snapshot`() {
        #expect(SyncPlan.plan(learner: zxid(1, 9), leader: leader()) == .snapshot)
    }

    @Test func `a learner with a tail of the epoch before drops it while nothing followed`() {
        let new = leader(last: zxid(3, 0))
        #expect(
            SyncPlan.plan(learner: zxid(2, 4), leader: new) == .truncate(after: zxid(2, 2), []))
    }

    /// A snapshot is only as good as a truncation when the learner's whole log is older.
    @Test func `a snapshot is preferred where it is newer than all the learner has`() {
        let new = leader(last: zxid(3, 0), prefersSnapshots: true)
        #expect(SyncPlan.plan(learner: zxid(2, 4), leader: new) == .snapshot)
        let old = leader(prefersSnapshots: true)
        #expect(
            SyncPlan.plan(learner: zxid(2, 4), leader: old) == .truncate(after: zxid(2, 2), []))
    }

    @Test func `H.48: the beginning of an epoch is no transaction to be missed or dropped`() {
        #expect(
            SyncPlan.plan(learner: zxid(2, 0), leader: leader()) == .diff(zxid(2, 2), rest(2)))
        let new = leader(last: zxid(3, 0))
        #expect(SyncPlan.plan(learner: zxid(3, 0), leader: new) == .diff(zxid(3, 0), []))
        #expect(SyncPlan.plan(learner: zxid(2, 2), leader: new) == .diff(zxid(2, 2), []))
    }

    @Test func `what is not committed yet is no part of the plan`() {
        let plan = SyncPlan.plan(learner: zxid(1, 4), leader: leader(last: zxid(2, 1)))
        #expect(plan == .diff(zxid(2, 1), [proposal(zxid(2, 1))]))
        #expect(
            SyncPlan.plan(learner: zxid(2, 2), leader: leader(last: zxid(2, 1)))
                == .truncate(after: zxid(2, 1), []))
    }

    @Test func `an empty window knows where it stands`() {
        let empty = SyncPlan.Leader(
            last: zxid(2, 0), history: ProposalHistory(base: zxid(1, 2), limit: 10))
        #expect(SyncPlan.plan(learner: zxid(1, 2), leader: empty) == .diff(zxid(1, 2), []))
        #expect(SyncPlan.plan(learner: zxid(1, 1), leader: empty) == .snapshot)
    }

    // MARK: The log on disk

    private func reading(_ log: [Zxid]?) -> SyncPlan.Leader {
        var side = leader()
        side.readsLog = true
        side.log = log.map { $0.map(proposal) }
        return side
    }

    @Test func `the log is read for a learner before the window`() {
        #expect(
            SyncPlan.plan(learner: zxid(1, 1), leader: reading(nil))
                == .readLog(from: zxid(1, 1), through: zxid(1, 2)))
        let read = reading([zxid(1, 1), zxid(1, 2)])
        let missing = [proposal(zxid(1, 2))] + rest(4)
        #expect(SyncPlan.plan(learner: zxid(1, 1), leader: read) == .diff(zxid(2, 2), missing))
    }

    /// Guards ZOOKEEPER-2418.
    @Test(arguments: [[], [1], [2], [1, 3]] as [[Int64]])
    func `H.11: a log with a gap is not used`(counters: [Int64]) {
        let read = reading(counters.map { zxid(1, $0) })
        #expect(SyncPlan.plan(learner: zxid(1, 1), leader: read) == .snapshot)
    }

    // MARK: All small histories

    /// A learner's log and a leader's, both up to four entries, which part ways somewhere: what the
    /// plan leaves the learner with is the leader's history.
    @Test func `every plan leaves the learner with the leader's history`() {
        let logs = Self.logs
        var counts: [String: Int] = [:]
        for (own, ownEpoch) in logs {
            for (learner, _) in logs {
                // The leader leads a later epoch, and has what anybody saw committed: here nothing.
                for base in 0...own.count {
                    for isEstablished in [false, true] {
                        let last = own.last ?? .zero
                        var history = ProposalHistory(
                            base: base == 0 ? .zero : own[base - 1], limit: 10)
                        for zxid in own[base...] { history.append(proposal(zxid)) }
                        let new = zxid(ownEpoch + 1, 0)
                        let side = SyncPlan.Leader(
                            last: isEstablished ? new : last, history: history)
                        guard Self.canCoexist(own, learner) else { continue }
                        let plan = SyncPlan.plan(learner: learner.last ?? .zero, leader: side)
                        let result: [Zxid]
                        switch plan {
                        case .diff(_, let rest):
                            result = learner + rest.map(\.zxid)
                            counts["diff", default: 0] += 1
                        case .truncate(let end, let rest):
                            result = learner.filter { $0 <= end } + rest.map(\.zxid)
                            counts["truncate", default: 0] += 1
                        case .snapshot:
                            result = own
                            counts["snapshot", default: 0] += 1
                        case .readLog: result = []
                        }
                        #expect(result == own, "\(learner) at a leader with \(own): \(plan)")
                    }
                }
            }
        }
        #expect(counts.count == 3)
    }

    /// Logs of up to three epochs: each epoch's transactions come after all that its leader had.
    private static let logs: [(log: [Zxid], epoch: Int64)] = {
        var list: [(log: [Zxid], epoch: Int64)] = []
        for ones in 0...3 as ClosedRange<Int64> {
            for twos in 0...2 as ClosedRange<Int64> {
                let first = (0..<ones).map { Zxid(1 << 32 | ($0 + 1)) }
                let second = (0..<twos).map { Zxid(2 << 32 | ($0 + 1)) }
                list.append((first + second, twos > 0 ? 2 : 1))
            }
        }
        return list
    }()

    /// An epoch's first transaction is proposed when a quorum has all that came before, so that a
    /// later leader has the same before it.
    private static func canCoexist(_ leader: [Zxid], _ learner: [Zxid]) -> Bool {
        guard learner.contains(where: { $0.epoch == 2 }) else { return true }
        return leader.filter { $0.epoch == 1 } == learner.filter { $0.epoch == 1 }
    }
}

struct ProposalHistoryTests {
    private func proposal(_ zxid: Int64) -> Proposal {
        Proposal(zxid: Zxid(zxid), bytes: ByteBuffer())
    }

    private func zxids(_ history: ProposalHistory) -> [Int64] {
        history.proposals(after: history.base, upTo: history.last).map(\.zxid.rawValue)
    }

    @Test func `only what is committed is forgotten, the oldest first`() {
        var history = ProposalHistory(base: .zero, limit: 2)
        for zxid in 1...5 { history.append(proposal(Int64(zxid))) }
        history.trim(committed: Zxid(1))
        #expect(zxids(history) == [1, 2, 3, 4, 5])
        history.trim(committed: Zxid(4))
        #expect(zxids(history) == [3, 4, 5])
        #expect(history.base == Zxid(2))
        history.trim(committed: Zxid(5))
        #expect(zxids(history) == [4, 5])
    }

    /// Guards ZOOKEEPER-4925: a learner must not be led over a hole.
    @Test func `H.10, ZOOKEEPER-4925: a history with a hole begins after the hole`() {
        var history = ProposalHistory(base: .zero, limit: 9)
        history.append(proposal(1))
        history.append(proposal(3))
        #expect(zxids(history) == [])
        #expect(history.base == Zxid(3))
        history.append(proposal(4))
        #expect(zxids(history) == [4])
    }

    @Test func `what is truncated is forgotten, and where it stands is known`() {
        var history = ProposalHistory(base: Zxid(2), limit: 9)
        for zxid in 3...5 { history.append(proposal(Int64(zxid))) }
        history.truncate(after: Zxid(4))
        #expect(zxids(history) == [3, 4])
        history.truncate(after: Zxid(1))
        #expect(zxids(history) == [] && history.base == Zxid(1))
    }
}
