import AviaryWire

/// A node's name and data in one piece of memory, which takes 20 bytes more than they are long (an
/// array takes 32), or 28 where a length is unusual.
struct NodeBytes: Sendable {
    /// The first four bytes: the name's length in 8 bits, the data's in 22, and two marks. Where one of
    /// the lengths does not fit, both follow in four bytes each.
    ///
    /// Not the buffer's own header, each look at which Swift guards against a second one at the same
    /// time.
    private struct Tag: BitwiseCopyable {
        private(set) var bits: UInt32

        static let longestData = (1 << 22) - 1
        /// Stands for a name's length where the lengths follow.
        static let long: UInt32 = 0xff
        private static let uncountedMark: UInt32 = 1 << 30
        private static let nullDataMark: UInt32 = 1 << 31

        init(name: Int, data: Int, dataIsNull: Bool, isCounted: Bool) {
            let isShort = name < Int(Self.long) && data <= Self.longestData
            bits = isShort ? UInt32(name) | UInt32(data) << 8 : Self.long
            if dataIsNull { bits |= Self.nullDataMark }
            if !isCounted { bits |= Self.uncountedMark }
        }

        var isLong: Bool { bits & Self.long == Self.long }
        /// If it is not long, like `dataLength`.
        var nameLength: Int { Int(bits & Self.long) }
        var dataLength: Int { Int(bits >> 8) & Self.longestData }
        var isCounted: Bool { bits & Self.uncountedMark == 0 }
        var dataIsNull: Bool { bits & Self.nullDataMark != 0 }
        /// Where the name begins.
        var byteCount: Int { isLong ? 12 : 4 }

        mutating func noteData() { bits &= ~Self.nullDataMark }
    }

    /// Changed only by who alone refers to it, as with an array's memory.
    nonisolated(unsafe) private var storage: ManagedBuffer<Void, UInt8>

    init(name: RawSpan, data: RawSpan?, isCounted: Bool) {
        precondition(name.byteCount <= Int(Int32.max), "a name fits in a frame")
        let dataCount = data?.byteCount ?? 0
        let tag = Tag(
            name: name.byteCount, data: dataCount, dataIsNull: data == nil, isCounted: isCounted)
        let count = name.byteCount + dataCount
        unsafe storage = .create(minimumCapacity: tag.byteCount + count) { _ in }
        self.tag = tag
        if tag.isLong {
            unsafe start.storeBytes(of: UInt32(name.byteCount), toByteOffset: 4, as: UInt32.self)
            unsafe start.storeBytes(of: UInt32(dataCount), toByteOffset: 8, as: UInt32.self)
        }
        let raw = unsafe memory
        unsafe name.withUnsafeBytes { unsafe raw.copyMemory(from: $0) }
        if let data { unsafe Self.copy(data, to: raw, at: name.byteCount) }
    }

    /// Of a place that holds no node.
    static let none = NodeBytes(name: RawSpan(), data: nil, isCounted: false)

    private var start: UnsafeMutableRawPointer {
        unsafe storage.withUnsafeMutablePointerToElements { UnsafeMutableRawPointer($0) }
    }
    private var tag: Tag {
        get { unsafe start.load(as: Tag.self) }
        set { unsafe start.storeBytes(of: newValue, as: Tag.self) }
    }
    var nameLength: Int {
        let tag = tag
        return tag.isLong
            ? Int(unsafe start.load(fromByteOffset: 4, as: UInt32.self)) : tag.nameLength
    }
    var dataLength: Int {
        let tag = tag
        return tag.isLong
            ? Int(unsafe start.load(fromByteOffset: 8, as: UInt32.self)) : tag.dataLength
    }
    var dataIsNull: Bool { tag.dataIsNull }
    /// Whether the tree's digest covers the node: not those below `/zookeeper`.
    var isCounted: Bool { tag.isCounted }

    var name: RawSpan {
        @_lifetime(borrow self) get { all.extracting(first: nameLength) }
    }
    var data: RawSpan {
        @_lifetime(borrow self) get { all.extracting(droppingFirst: nameLength) }
    }

    private var all: RawSpan {
        @_lifetime(borrow self) get {
            let span = unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(memory))
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// Name and data, for as long as this is there.
    private var memory: UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(
            start: start + tag.byteCount, count: nameLength + dataLength)
    }

    mutating func setData(_ data: RawSpan?) {
        // As most new values are as long as the old one, this saves a piece of memory its way.
        if let data, data.byteCount == dataLength, unsafe isKnownUniquelyReferenced(&storage) {
            tag.noteData()
            unsafe Self.copy(data, to: memory, at: nameLength)
        } else {
            let changed = NodeBytes(name: name, data: data, isCounted: isCounted)
            self = changed
        }
    }

    private static func copy(
        _ data: RawSpan, to raw: UnsafeMutableRawBufferPointer, at offset: Int
    ) {
        let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: raw[offset...])
        unsafe data.withUnsafeBytes { unsafe rest.copyMemory(from: $0) }
    }
}
