import AviaryWire

/// A node's number: its place in the `NodeTable`.
package struct NodeID: Hashable, Comparable, Sendable {
    package let rawValue: UInt32

    package init(_ rawValue: UInt32) {
        self.rawValue = rawValue
    }

    package static let root = NodeID(0)
    static let none = NodeID(.max)

    package static func < (left: NodeID, right: NodeID) -> Bool { left.rawValue < right.rawValue }
}

/// A node of the tree: 72 bytes here, and a piece of memory with its name and data. What a leaf that
/// is nobody's does not need is in a second piece. The children form a list that runs through them.
struct Znode: Sendable {
    /// What most nodes do not have.
    private struct Extras {
        var pzxid: Zxid
        var owner = NodeOwner.none
        var cversion: Int32 = 0
        var aversion: Int32 = 0
        var numChildren: Int32 = 0
        var firstChild = NodeID.none
    }

    private var czxid: Zxid
    private var mzxid: Zxid
    private var ctime: Int64
    private var mtime: Int64
    private var bytes: NodeBytes
    /// One or none. Without it `pzxid` is `czxid`.
    private var extras: [Extras] = []
    private var version: Int32
    /// After path and data; see `NodeDigest`.
    var content: CRC32
    var acl: ACLTable.ID
    var parent: NodeID
    var nextSibling = NodeID.none
    var previousSibling = NodeID.none

    init(
        name: RawSpan, data: RawSpan?, stat: StatPersisted, acl: ACLTable.ID, parent: NodeID,
        isCounted: Bool, content: CRC32
    ) {
        self.init(
            NodeBytes(name: name, data: data, isCounted: isCounted), stat, acl, parent, content)
    }

    private init(
        _ bytes: NodeBytes, _ stat: StatPersisted, _ acl: ACLTable.ID, _ parent: NodeID,
        _ content: CRC32
    ) {
        self.bytes = bytes
        self.acl = acl
        self.parent = parent
        self.content = content
        czxid = stat.czxid
        mzxid = stat.mzxid
        ctime = stat.ctime
        mtime = stat.mtime
        version = stat.version
        setExtras(of: stat)
    }

    /// A place that holds no node.
    static let vacant = Znode(.none, StatPersisted(), .openToAll, .none, CRC32())

    var nameLength: Int { bytes.nameLength }
    var dataIsNull: Bool { bytes.dataIsNull }
    var dataLength: Int { bytes.dataLength }
    /// Whether the tree's digest covers the node: not those below `/zookeeper`.
    var isCounted: Bool { bytes.isCounted }
    var name: RawSpan {
        @_lifetime(borrow self) get { bytes.name }
    }
    var data: RawSpan {
        @_lifetime(borrow self) get { bytes.data }
    }
    var dataBytes: [UInt8]? { dataIsNull ? nil : [UInt8](copying: data) }
    /// What `writeData` takes.
    var dataFieldByteCount: Int { 4 + dataLength }

    /// The data as a buffer, in which null stays null.
    func writeData(to fields: inout JuteFields) {
        if dataIsNull { fields.write(Int32(-1)) } else { fields.write(data) }
    }

    /// The data alone, of a node whose data no digest covers.
    mutating func setData(_ data: RawSpan?) { bytes.setData(data) }

    /// What a setData changed.
    struct DataChange {
        let acl: ACLTable.ID
        let stat: Stat
        /// In bytes.
        let growth: Int
        /// To be added to the tree's.
        let digest: UInt64
    }

    /// All of it where the node is: what leaves the table is copied, and what it refers to retained and
    /// released.
    @discardableResult
    mutating func setData(
        _ data: RawSpan?, content: CRC32, version: Int32, by zxid: Zxid, at time: Int64
    ) -> DataChange {
        let before = (dataLength, digestValue)
        bytes.setData(data)
        self.content = content
        self.version = version
        mzxid = zxid
        mtime = time
        return DataChange(
            acl: acl, stat: clientStat, growth: dataLength - before.0,
            digest: digestValue &- before.1)
    }

    var stat: StatPersisted {
        get {
            var stat = StatPersisted()
            stat.czxid = czxid
            stat.mzxid = mzxid
            stat.ctime = ctime
            stat.mtime = mtime
            stat.version = version
            if extras.isEmpty {
                stat.pzxid = czxid
            } else {
                stat.pzxid = extras[0].pzxid
                stat.owner = extras[0].owner
                stat.cversion = extras[0].cversion
                stat.aversion = extras[0].aversion
            }
            return stat
        }
        set {
            // Before anything that they are compared with.
            setExtras(of: newValue)
            czxid = newValue.czxid
            mzxid = newValue.mzxid
            ctime = newValue.ctime
            mtime = newValue.mtime
            version = newValue.version
        }
    }

    private mutating func setExtras(of stat: StatPersisted) {
        let isPlain =
            stat.pzxid == stat.czxid && stat.owner == .none && stat.cversion == 0
            && stat.aversion == 0
        if extras.isEmpty && isPlain { return }
        changeExtras {
            $0.pzxid = stat.pzxid
            $0.owner = stat.owner
            $0.cversion = stat.cversion
            $0.aversion = stat.aversion
        }
    }

    private mutating func changeExtras(_ change: (inout Extras) -> Void) {
        if extras.isEmpty { extras = [Extras(pzxid: czxid)] }
        change(&extras[0])
    }

    var owner: NodeOwner { extras.isEmpty ? .none : extras[0].owner }

    var numChildren: Int32 { extras.isEmpty ? 0 : extras[0].numChildren }

    var firstChild: NodeID { extras.isEmpty ? .none : extras[0].firstChild }

    /// A child has come or gone, and `first` is the first one now.
    mutating func changeChildren(by change: Int32, first: NodeID) {
        changeExtras {
            $0.numChildren += change
            $0.firstChild = first
        }
    }
}
