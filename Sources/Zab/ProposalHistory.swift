package import AviaryWire
import DequeModule

/// The last proposals of the log, in order, for learners that lack them.
///
/// It has no holes: a learner that is at its base or at any of its proposals lacks what follows
/// there, and nothing else. Source: ZKDatabase.committedLog, ZooKeeper 3.9.5, which has holes in
/// some versions (ZOOKEEPER-4925).
package struct ProposalHistory: Sendable {
    /// What the first proposal comes right after.
    package private(set) var base: Zxid
    private var proposals: Deque<Proposal> = []
    /// How many committed ones are kept.
    private let limit: Int

    package init(base: Zxid, limit: Int) {
        self.base = base
        self.limit = limit
    }

    package var count: Int { proposals.count }
    package var last: Zxid { proposals.last?.zxid ?? base }

    /// - Precondition: proposals come in the order of their zxids.
    package mutating func append(_ proposal: Proposal) {
        precondition(proposal.zxid > last, "a history only grows at its end")
        if proposal.zxid.epoch == last.epoch && proposal.zxid != last.next {
            // Something is missing in between, so that no learner can go over it.
            reset(to: proposal.zxid)
        } else {
            proposals.append(proposal)
        }
    }

    /// Forgets the oldest of what is committed, where that is more than the limit.
    ///
    /// An eighth at a time, so that most commits have nothing to move.
    package mutating func trim(committed: Zxid) {
        let surplus = limit / 8 + 1
        while proposals.count >= limit + surplus,
            proposals[limit + surplus - 1].zxid <= committed
        {
            base = proposals[surplus - 1].zxid
            proposals.removeFirst(surplus)
        }
    }

    package mutating func truncate(after zxid: Zxid) {
        if zxid < base {
            reset(to: zxid)
            return
        }
        while let last = proposals.last, last.zxid > zxid { proposals.removeLast() }
    }

    package mutating func reset(to zxid: Zxid) {
        proposals.removeAll()
        base = zxid
    }

    package func proposals(after start: Zxid, upTo end: Zxid) -> [Proposal] {
        Array(proposals[firstIndex(after: start)...].prefix { $0.zxid <= end })
    }

    func forEach(after start: Zxid, upTo end: Zxid, _ body: (Proposal) -> Void) {
        var index = firstIndex(after: start)
        while index < proposals.count, proposals[index].zxid <= end {
            body(proposals[index])
            index += 1
        }
    }

    private func firstIndex(after start: Zxid) -> Int {
        var low = 0
        var high = proposals.count
        while low < high {
            let middle = (low + high) / 2
            if proposals[middle].zxid <= start { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
