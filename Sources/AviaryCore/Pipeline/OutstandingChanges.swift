import AviaryWire
import DequeModule

/// A node as it will be when everything that is proposed is applied.
struct NodeState: Sendable {
    var exists = true
    var stat: StatPersisted
    var numChildren: Int32
    var acl: [ACL]
    var content: CRC32
    var dataLength: Int
    /// Whether the tree's digest covers the node.
    var isCounted: Bool

    var digestValue: UInt64 {
        exists && isCounted ? NodeDigest.value(content: content, stat: stat) : 0
    }
}

/// What writes that are not applied yet will change, so that the next write is checked against it.
///
/// Source: ZooKeeperServer.outstandingChanges and PrepRequestProcessor, 3.9.5.
struct OutstandingChanges: Sendable {
    private struct Record: Sendable {
        /// Room for a path stays in a slot that is free.
        var path: [UInt8]
        var hash: UInt32
        /// Of the newest change; `.zero` in a slot that is free.
        var zxid: Zxid
        var state: NodeState
    }

    private struct Touch: Sendable {
        let zxid: Zxid
        let slot: UInt32
    }

    /// What one change did, for taking it back.
    private struct Undo: Sendable {
        let slot: UInt32
        let before: Record?
    }

    private var records: [Record] = []
    private var vacant: [UInt32] = []
    private var index = HashIndex()
    private var touches: Deque<Touch> = []
    /// The records of nodes that belong to a session.
    private var slotsByOwner: [NodeOwner: Set<UInt32>] = [:]
    /// Sessions whose end is proposed: their nodes in the tree are as good as gone.
    private var endings: [NodeOwner: Zxid] = [:]
    /// The same as they will come, so that nobody looks through all of a crowd's for each.
    private var endingsInOrder = Backlog<(owner: NodeOwner, zxid: Zxid)>()
    private var undo: [Undo] = []
    private var canTakeBack = false
    private var digestBefore: UInt64 = 0
    /// The digest of the tree with all outstanding changes.
    private(set) var digest: UInt64

    init(digest: UInt64) {
        self.digest = digest
    }

    var isEmpty: Bool { touches.isEmpty }

    /// - Parameter hash: of the path.
    func find(_ path: RawSpan, hash: UInt32) -> NodeState? {
        number(of: path, hash: hash).map { records[Int($0)].state }
    }

    /// - Parameters:
    ///   - hash: of the path.
    ///   - before: the node's state so far, nil if it is new.
    mutating func set(
        _ path: RawSpan, hash: UInt32, to state: NodeState, before: NodeState?, zxid: Zxid
    ) {
        digest = digest &- (before?.digestValue ?? 0) &+ state.digestValue
        if let slot = number(of: path, hash: hash) {
            if canTakeBack { undo.append(Undo(slot: slot, before: records[Int(slot)])) }
            if records[Int(slot)].zxid != zxid {
                touches.append(Touch(zxid: zxid, slot: slot))
            }
            changeOwner(of: slot, to: state.stat.owner)
            records[Int(slot)].zxid = zxid
            records[Int(slot)].state = state
            return
        }
        let slot: UInt32
        if let free = vacant.popLast() {
            slot = free
            records[Int(slot)].path.append(path)
            records[Int(slot)].hash = hash
            records[Int(slot)].zxid = zxid
            records[Int(slot)].state = state
        } else {
            slot = UInt32(records.count)
            records.append(
                Record(path: [UInt8](copying: path), hash: hash, zxid: zxid, state: state))
        }
        index.insert(hash: hash, slot)
        if state.stat.owner != .none { slotsByOwner[state.stat.owner, default: []].insert(slot) }
        touches.append(Touch(zxid: zxid, slot: slot))
        if canTakeBack { undo.append(Undo(slot: slot, before: nil)) }
    }

    /// A transaction was applied: what it and those before it changed is in the tree now.
    mutating func forget(upTo zxid: Zxid) {
        while let touch = touches.first, touch.zxid <= zxid {
            touches.removeFirst()
            if records[Int(touch.slot)].zxid == touch.zxid { vacate(touch.slot) }
        }
        while let ending = endingsInOrder.popFirst(if: { $0.zxid <= zxid }) {
            if endings[ending.owner] == ending.zxid { endings[ending.owner] = nil }
            endings.giveBackRoom()
        }
        if touches.isEmpty { giveBackRoom() }
    }

    /// To be called when nothing is outstanding, as is the case time and again.
    private mutating func giveBackRoom() {
        guard records.count > Self.recordsKept else { return }
        records = []
        vacant = []
        index = HashIndex()
        touches = []
        slotsByOwner = [:]
    }

    /// Room for as many as are on their way in a busy server is not given back.
    private static let recordsKept = 4096
    /// In bytes: most paths fit.
    private static let pathRoomKept = 256

    /// A session's end is proposed: of its nodes that have no record nothing will be left.
    ///
    /// - Parameter digest: the sum of those nodes' digests.
    mutating func end(_ owner: NodeOwner, digest: UInt64, zxid: Zxid) {
        endings[owner] = zxid
        endingsInOrder.append((owner: owner, zxid: zxid))
        self.digest &-= digest
    }

    func isEnding(_ owner: NodeOwner) -> Bool { !endings.isEmpty && endings[owner] != nil }

    /// From here on changes can be taken back.
    mutating func begin() {
        precondition(!canTakeBack, "only one multi is prepared at a time")
        canTakeBack = true
        digestBefore = digest
    }

    mutating func keep() {
        canTakeBack = false
        undo.removeAllForReuse()
    }

    /// Takes back everything since `begin`, all of which has this zxid.
    mutating func takeBack(_ zxid: Zxid) {
        for change in undo.reversed() {
            if let before = change.before {
                changeOwner(of: change.slot, to: before.state.stat.owner)
                records[Int(change.slot)] = before
            } else {
                vacate(change.slot)
            }
        }
        while touches.last?.zxid == zxid { touches.removeLast() }
        digest = digestBefore
        keep()
    }

    /// The paths that have a record of a session's node, in a fixed order, and what will be there.
    func records(of owner: NodeOwner) -> [(path: Path, state: NodeState)] {
        (slotsByOwner[owner] ?? []).sorted().map { slot in
            let record = records[Int(slot)]
            return (path: Path(record.path), state: record.state)
        }
    }

    private func number(of path: RawSpan, hash: UInt32) -> UInt32? {
        index.find(hash: hash) { slot in
            let known = records[Int(slot)].path
            return known.raw.isEqual(to: path)
        }
    }

    private mutating func changeOwner(of slot: UInt32, to owner: NodeOwner) {
        let old = records[Int(slot)].state.stat.owner
        if old == owner { return }
        if old != .none {
            slotsByOwner[old]?.remove(slot)
            if slotsByOwner[old]?.isEmpty == true { slotsByOwner[old] = nil }
        }
        if owner != .none { slotsByOwner[owner, default: []].insert(slot) }
    }

    private mutating func vacate(_ slot: UInt32) {
        if records[Int(slot)].zxid == .zero { return }
        changeOwner(of: slot, to: .none)
        index.remove(hash: records[Int(slot)].hash, slot)
        // The rest takes no memory of its own.
        records[Int(slot)].zxid = .zero
        let isLong = records[Int(slot)].path.count > Self.pathRoomKept
        records[Int(slot)].path.removeAll(keepingCapacity: !isLong)
        records[Int(slot)].state.acl = []
        vacant.append(slot)
    }
}
