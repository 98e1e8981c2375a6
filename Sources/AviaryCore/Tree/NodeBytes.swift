import AviaryWire

/// A node's name and data in one piece of memory, which takes 24 bytes more than they are long (an
/// array takes 32).
struct NodeBytes: Sendable {
    /// Stands in front of the name. Not the buffer's own header, each look at which Swift guards
    /// against a second one at the same time.
    private struct Header: BitwiseCopyable {
        /// The name's length, and two marks in the top bits.
        var lengthAndMarks: UInt32
        /// Of name and data.
        let count: UInt32
    }

    /// Changed only by who alone refers to it, as with an array's memory.
    nonisolated(unsafe) private var storage: ManagedBuffer<Void, UInt8>

    private static let headerByteCount = MemoryLayout<Header>.size
    private static let nullDataMark: UInt32 = 1 << 31
    private static let uncountedMark: UInt32 = 1 << 30
    private static let lengthMask = uncountedMark - 1

    init(name: RawSpan, data: RawSpan?, isCounted: Bool) {
        precondition(name.byteCount <= Int(Self.lengthMask), "a name fits in a frame")
        let dataCount = data?.byteCount ?? 0
        var lengthAndMarks = UInt32(name.byteCount)
        if !isCounted { lengthAndMarks |= Self.uncountedMark }
        if data == nil { lengthAndMarks |= Self.nullDataMark }
        let count = name.byteCount + dataCount
        unsafe storage = .create(minimumCapacity: Self.headerByteCount + count) { _ in }
        header = Header(lengthAndMarks: lengthAndMarks, count: UInt32(count))
        let raw = unsafe memory
        unsafe name.withUnsafeBytes { unsafe raw.copyMemory(from: $0) }
        if let data { unsafe Self.copy(data, to: raw, at: name.byteCount) }
    }

    /// Of a place that holds no node.
    static let none = NodeBytes(name: RawSpan(), data: nil, isCounted: false)

    private var start: UnsafeMutableRawPointer {
        unsafe storage.withUnsafeMutablePointerToElements { UnsafeMutableRawPointer($0) }
    }
    private var header: Header {
        get { unsafe start.load(as: Header.self) }
        set { unsafe start.storeBytes(of: newValue, as: Header.self) }
    }
    var nameLength: Int { Int(header.lengthAndMarks & Self.lengthMask) }
    var dataLength: Int { Int(header.count) - nameLength }
    var dataIsNull: Bool { header.lengthAndMarks & Self.nullDataMark != 0 }
    /// Whether the tree's digest covers the node: not those below `/zookeeper`.
    var isCounted: Bool { header.lengthAndMarks & Self.uncountedMark == 0 }

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
            start: start + Self.headerByteCount, count: Int(header.count))
    }

    mutating func setData(_ data: RawSpan?) {
        // As most new values are as long as the old one, this saves a piece of memory its way.
        if let data, data.byteCount == dataLength, unsafe isKnownUniquelyReferenced(&storage) {
            header.lengthAndMarks &= ~Self.nullDataMark
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
