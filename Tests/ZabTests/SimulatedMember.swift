import AviaryWire

@testable import Zab

/// One member of a simulated ensemble: its peer, its disk, and a tree that is the list of what was
/// applied to it.
final class SimulatedMember {
    let settings: QuorumSettings
    var disk = SimulatedDisk()
    /// Nil while it is down.
    var peer: QuorumPeer?
    var tree: [Entry] = []
    /// Appended and not applied.
    var pending: [Entry] = []
    /// How much of the tree has been compared with what is committed.
    var checkedCount = 0
    var isListening = false
    var lastProposed = Zxid.zero
    /// Goes up with each start, so that what belongs to an earlier life is told apart.
    var life = 0
    var receivedSnapshot: [Entry] = []
    var isDiskBusy = false
    var timer: Int64 = .max

    init(_ settings: QuorumSettings) {
        self.settings = settings
    }

    var id: ServerID { settings.server }
    var isUp: Bool { peer != nil }
    var role: QuorumPeer.Role { peer?.role ?? .looking }
    var deadline: Int64 { peer?.deadline?.milliseconds ?? .max }

    func start(historyLength: Int) {
        life += 1
        tree = disk.entries
        pending = []
        checkedCount = 0
        isListening = false
        isDiskBusy = false
        timer = .max
        peer = QuorumPeer(settings, disk.recovered(historyLength: historyLength))
    }

    func step(
        _ event: QuorumPeer.Event, at time: Int64, into effects: inout [QuorumPeer.Effect]
    ) {
        // What the disk has done to the tree.
        switch event {
        case .truncated(let zxid):
            pending.removeAll { $0.zxid > zxid }
            if let last = tree.last, last.zxid > zxid {
                tree = disk.entries
                pending = []
                checkedCount = 0
            }
        case .snapshotInstalled:
            tree = disk.entries
            pending = []
            checkedCount = 0
        default: break
        }
        peer?.step(event, at: Instant(milliseconds: time), into: &effects)
    }

    func apply(upTo zxid: Zxid) {
        while let next = pending.first, next.zxid <= zxid {
            tree.append(next)
            pending.removeFirst()
        }
    }
}
