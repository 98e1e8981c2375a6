import AviaryWire
import NIOCore

@testable import Zab

/// A transaction as the simulation sees it.
struct Entry: Hashable {
    let zxid: Zxid
    let value: Int64

    init(zxid: Zxid, value: Int64) {
        self.zxid = zxid
        self.value = value
    }

    init(_ proposal: Proposal) {
        zxid = proposal.zxid
        value = proposal.bytes.getInteger(at: proposal.bytes.readerIndex) ?? -1
    }

    var proposal: Proposal { Proposal(zxid: zxid, bytes: ByteBuffer(integer: value)) }
}

/// One member's disk: what a crash leaves, and what is still in line to be written.
struct SimulatedDisk {
    enum Order {
        case append(Entry)
        case saveEpochs(accepted: Int64, current: Int64)
        case truncate(after: Zxid)
        case install(Zxid, [Entry])
    }

    private(set) var snapshot: [Entry] = []
    private(set) var snapshotZxid = Zxid.zero
    private(set) var log: [Entry] = []
    private(set) var acceptedEpoch: Int64 = 0
    private(set) var currentEpoch: Int64 = 0
    var orders: [Order] = []

    var lastZxid: Zxid { log.last?.zxid ?? snapshotZxid }
    var entries: [Entry] { snapshot + log }

    func holds(_ entry: Entry) -> Bool {
        contains(entry, in: log) || contains(entry, in: snapshot)
    }

    private func contains(_ entry: Entry, in list: [Entry]) -> Bool {
        var low = 0
        var high = list.count
        while low < high {
            let middle = (low + high) / 2
            if list[middle].zxid < entry.zxid { low = middle + 1 } else { high = middle }
        }
        return low < list.count && list[low] == entry
    }

    /// Carries out the first orders: appends together, anything else alone. What the peer is told.
    mutating func carryOutNext(atMost limit: Int) -> QuorumPeer.Event? {
        var persisted: Zxid?
        for _ in 0..<max(1, limit) {
            guard let order = orders.first else { break }
            if case .append(let entry) = order {
                log.append(entry)
                persisted = entry.zxid
                orders.removeFirst()
                continue
            }
            if persisted != nil { break }
            orders.removeFirst()
            return carryOut(order)
        }
        return persisted.map { .persisted($0) }
    }

    private mutating func carryOut(_ order: Order) -> QuorumPeer.Event {
        switch order {
        case .append(let entry):
            log.append(entry)
            return .persisted(entry.zxid)
        case .saveEpochs(let accepted, let current):
            acceptedEpoch = accepted
            currentEpoch = current
            return .epochsSaved
        case .truncate(let zxid):
            precondition(zxid >= snapshotZxid, "a snapshot cannot be truncated")
            log.removeAll { $0.zxid > zxid }
            return .truncated(after: zxid)
        case .install(let zxid, let entries):
            snapshot = entries
            snapshotZxid = zxid
            log = []
            return .snapshotInstalled(zxid)
        }
    }

    /// A crash writes some of what was in line, and forgets the rest.
    mutating func crash(_ random: inout SeededRandom) {
        var count = random.below(orders.count + 1)
        if random.oneIn(2) { count = 0 }
        for _ in 0..<count { _ = carryOutNext(atMost: 1) }
        orders = []
    }

    func recovered(historyLength: Int) -> QuorumPeer.Recovered {
        var recovered = QuorumPeer.Recovered(lastZxid: lastZxid)
        recovered.acceptedEpoch = acceptedEpoch
        recovered.currentEpoch = currentEpoch
        recovered.floor = snapshotZxid
        recovered.history = log.suffix(historyLength).map(\.proposal)
        return recovered
    }
}
