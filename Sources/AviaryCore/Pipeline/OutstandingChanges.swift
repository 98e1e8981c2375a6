import AviaryWire
import DequeModule

/// The access control list of a `NodeState`, which is copied too often to refer to memory.
enum NodeACL: Hashable, Sendable {
    /// Of the tree's table: no outstanding change touches it, or it would be of the other.
    case applied(ACLTable.ID)
    /// Of the table of `OutstandingChanges`.
    case outstanding(ACLTable.ID)

    static let openToAll = applied(.openToAll)
}

/// A node as it will be when everything that is proposed is applied.
struct NodeState: Sendable {
    var exists = true
    var stat: StatPersisted
    var numChildren: Int32
    var acl: NodeACL
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
        /// Nil if there was no record.
        let before: (zxid: Zxid, state: NodeState)?
    }

    private var records: [Record] = []
    /// Of the lists that creates and setACLs bring. Each state in a record or to be gone back to is a
    /// use.
    private var acls = ACLTable()
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

    /// Whether no list is kept.
    var hasNoACL: Bool { acls.isUnused }

    /// - Parameter hash: of the path.
    func find(_ path: RawSpan, hash: UInt32) -> NodeState? {
        number(of: path, hash: hash).map { records[Int($0)].state }
    }

    /// - Parameters:
    ///   - hash: of the path.
    ///   - acl: the list it has from now on, nil if it keeps that of its state.
    ///   - before: the node's state so far, nil if it is new.
    mutating func set(
        _ path: RawSpan, hash: UInt32, to state: NodeState, _ acl: [ACL]? = nil,
        before: NodeState?, zxid: Zxid
    ) {
        digest = digest &- (before?.digestValue ?? 0) &+ state.digestValue
        var state = state
        if let acl {
            state.acl = acl == ACL.openToAll ? .openToAll : .outstanding(acls.use(acl))
        } else if case .outstanding(let id) = state.acl {
            acls.useAgain(id)
        }
        if let slot = number(of: path, hash: hash) {
            let old = (zxid: records[Int(slot)].zxid, state: records[Int(slot)].state)
            if canTakeBack {
                undo.append(Undo(slot: slot, before: old))
            } else {
                release(old.state.acl)
            }
            if old.zxid != zxid { touches.append(Touch(zxid: zxid, slot: slot)) }
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
        for change in undo {
            if let before = change.before { release(before.state.acl) }
        }
        endUndo()
    }

    private mutating func endUndo() {
        canTakeBack = false
        undo.removeAllForReuse()
    }

    /// Takes back everything since `begin`, all of which has this zxid.
    mutating func takeBack(_ zxid: Zxid) {
        for change in undo.reversed() {
            if let before = change.before {
                changeOwner(of: change.slot, to: before.state.stat.owner)
                release(records[Int(change.slot)].state.acl)
                records[Int(change.slot)].zxid = before.zxid
                records[Int(change.slot)].state = before.state
            } else {
                vacate(change.slot)
            }
        }
        while touches.last?.zxid == zxid { touches.removeLast() }
        digest = digestBefore
        endUndo()
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

    /// The list of a state, in a table of this or the tree's.
    func acl(of state: NodeState, _ applied: borrowing ACLTable) -> [ACL] {
        switch state.acl {
        case .applied(let id): applied[id]
        case .outstanding(let id): acls[id]
        }
    }

    private mutating func release(_ acl: NodeACL) {
        if case .outstanding(let id) = acl { acls.release(id) }
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
        release(records[Int(slot)].state.acl)
        records[Int(slot)].state.acl = .openToAll
        vacant.append(slot)
    }
}
