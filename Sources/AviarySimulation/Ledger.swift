import AviaryWire
import NIOCore
import Zab

/// What was proposed, what of it was committed, and on which history each epoch builds.
struct Ledger {
    struct Entry {
        let zxid: Zxid
        let hash: UInt64
        let transaction: LogEntry
    }

    struct Proposed {
        let hash: UInt64
        let bytes: ByteBuffer
        let member: Int
    }

    /// Everything that was ever committed, in order.
    private(set) var entries: [Entry] = []
    private(set) var proposed: [Zxid: Proposed] = [:]
    /// Where the history ended with which an epoch began.
    private(set) var bases: [UInt32: Zxid] = [0: .zero]

    var last: Zxid { entries.last?.zxid ?? .zero }

    /// The last that was committed of earlier epochs.
    func last(before epoch: UInt32) -> Zxid {
        let count = count(upTo: Zxid(epoch: Int64(epoch)))
        return count > 0 ? entries[count - 1].zxid : .zero
    }

    mutating func propose(_ zxid: Zxid, _ proposal: Proposed) { proposed[zxid] = proposal }

    mutating func commit(_ entry: Entry) { entries.append(entry) }

    mutating func begin(_ epoch: UInt32, with base: Zxid) { bases[epoch] = base }

    /// How many of the committed entries are not after a zxid.
    func count(upTo zxid: Zxid) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].zxid <= zxid { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The committed entry of a zxid.
    subscript(zxid: Zxid) -> Entry? {
        let count = count(upTo: zxid)
        guard count > 0, entries[count - 1].zxid == zxid else { return nil }
        return entries[count - 1]
    }

    /// The last transaction of a history that ends so: an epoch's beginning stands for what came
    /// before it.
    func lastTransaction(of tip: Zxid) -> Zxid {
        var tip = tip
        while tip.counter == 0, tip.epoch > 0, let base = bases[tip.epoch] { tip = base }
        return tip
    }

    /// Whether a history that ends with one zxid has the transaction of another in it.
    func chain(_ tip: Zxid, holds zxid: Zxid) -> Bool {
        let wanted = lastTransaction(of: zxid)
        var tip = lastTransaction(of: tip)
        while tip.epoch > wanted.epoch {
            guard let base = bases[tip.epoch] else { return false }
            tip = lastTransaction(of: base)
        }
        return tip.epoch == wanted.epoch && tip >= wanted
    }
}

/// FNV-1a, for telling bytes apart.
enum Fingerprint {
    static func of(_ bytes: ByteBuffer) -> UInt64 {
        var hash: UInt64 = 14_695_981_039_346_656_037
        for byte in bytes.readableBytesView { hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211 }
        return hash
    }
}
