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

/// A node of the tree. Its children form a list that runs through them, so that a node costs one
/// allocation: the array that holds its name and its data.
struct Znode: Sendable {
    var stat: StatPersisted
    /// The name, then the data.
    private(set) var bytes: [UInt8]
    /// The name's length, and two marks in the top bits.
    private var lengthAndMarks: UInt32
    /// After path and data; see `NodeDigest`.
    var content: CRC32
    var acl: ACLTable.ID
    var numChildren: Int32 = 0
    var parent: NodeID
    var firstChild = NodeID.none
    var nextSibling = NodeID.none
    var previousSibling = NodeID.none

    private static let nullDataMark: UInt32 = 1 << 31
    private static let uncountedMark: UInt32 = 1 << 30

    init(
        name: RawSpan, data: [UInt8]?, stat: StatPersisted, acl: ACLTable.ID, parent: NodeID,
        isCounted: Bool, content: CRC32
    ) {
        precondition(name.byteCount < Int(Self.uncountedMark), "a name fits in a frame")
        self.stat = stat
        self.acl = acl
        self.parent = parent
        self.content = content
        lengthAndMarks = UInt32(name.byteCount)
        if !isCounted { lengthAndMarks |= Self.uncountedMark }
        if data == nil { lengthAndMarks |= Self.nullDataMark }
        bytes = Self.join(name, data)
    }

    /// A place that holds no node.
    static let vacant = Znode(
        name: RawSpan(), data: nil, stat: StatPersisted(), acl: .openToAll, parent: .none,
        isCounted: false, content: CRC32())

    var nameLength: Int { Int(lengthAndMarks & (Self.uncountedMark - 1)) }
    var dataIsNull: Bool { lengthAndMarks & Self.nullDataMark != 0 }
    var dataLength: Int { bytes.count - nameLength }
    /// Whether the tree's digest covers the node: not those below `/zookeeper`.
    var isCounted: Bool { lengthAndMarks & Self.uncountedMark == 0 }
    var name: RawSpan {
        @_lifetime(borrow self) get { bytes.raw.extracting(first: nameLength) }
    }
    var data: RawSpan {
        @_lifetime(borrow self) get { bytes.raw.extracting(droppingFirst: nameLength) }
    }
    var dataBytes: [UInt8]? { dataIsNull ? nil : Array(bytes[nameLength...]) }

    mutating func setData(_ data: [UInt8]?) {
        if let data, data.count == dataLength {
            // As most new values are as long as the old one, this saves a piece of memory its way.
            bytes.replaceSubrange(nameLength..., with: data)
        } else {
            let joined = Self.join(name, data)
            bytes = joined
        }
        if data == nil {
            lengthAndMarks |= Self.nullDataMark
        } else {
            lengthAndMarks &= ~Self.nullDataMark
        }
    }

    private static func join(_ name: RawSpan, _ data: [UInt8]?) -> [UInt8] {
        let dataCount = data?.count ?? 0
        return unsafe [UInt8](unsafeUninitializedCapacity: name.byteCount + dataCount) {
            buffer, count in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            unsafe name.withUnsafeBytes { unsafe raw.copyMemory(from: $0) }
            if let data {
                let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: raw[name.byteCount...])
                unsafe data.withUnsafeBytes { unsafe rest.copyMemory(from: $0) }
            }
            count = name.byteCount + dataCount
        }
    }
}
