/// Reads ZooKeeper's serialization ("jute") from borrowed bytes: big-endian, no padding, no tags.
///
/// Every length is checked against the bytes that are there before anything is allocated for it.
@usableFromInline package struct JuteReader: ~Escapable {
    @usableFromInline let bytes: RawSpan
    /// The offset of the next byte to read.
    @usableFromInline package internal(set) var position: Int

    @_lifetime(copy bytes)
    @inlinable package init(_ bytes: RawSpan) {
        self.bytes = bytes
        self.position = 0
    }

    @inlinable package var remaining: Int { bytes.byteCount - position }

    @inlinable @inline(__always) package mutating func readByte() throws(WireError) -> UInt8 {
        try need(1)
        let value = unsafe bytes.unsafeLoad(fromByteOffset: position, as: UInt8.self)
        position += 1
        return value
    }

    /// Any byte but zero is true.
    @inlinable @inline(__always) package mutating func readBool() throws(WireError) -> Bool {
        try readByte() != 0
    }

    @inlinable @inline(__always) package mutating func readInt() throws(WireError) -> Int32 {
        try need(4)
        let value = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: position, as: Int32.self)
        position += 4
        return Int32(bigEndian: value)
    }

    @inlinable @inline(__always) package mutating func readLong() throws(WireError) -> Int64 {
        try need(8)
        let value = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: position, as: Int64.self)
        position += 8
        return Int64(bigEndian: value)
    }

    /// The range of a buffer's or string's bytes, nil for null.
    @inlinable @inline(__always) package mutating func readRange() throws(WireError) -> Range<Int>?
    {
        let length = try readInt()
        if length == -1 { return nil }
        guard length >= 0, Int(length) <= remaining else {
            throw .lengthOutOfBounds(length)
        }
        let start = position
        position += Int(length)
        return start..<position
    }

    /// The same where null is not allowed.
    @inlinable @inline(__always)
    package mutating func readPresentRange() throws(WireError) -> Range<Int> {
        guard let range = try readRange() else { throw .unexpectedNull }
        return range
    }

    /// The bytes of a buffer or string, nil for null.
    package mutating func readBuffer() throws(WireError) -> [UInt8]? {
        guard let range = try readRange() else { return nil }
        return array(range)
    }

    /// A string as its bytes, with each malformed part replaced by U+FFFD as Java's decoder does.
    package mutating func readString() throws(WireError) -> ByteString? {
        guard let range = try readRange() else { return nil }
        return ByteString(repairing: array(range))
    }

    package mutating func readPath() throws(WireError) -> Path {
        guard let string = try readString() else { throw .unexpectedNull }
        return Path(string.bytes)
    }

    /// A vector's count: nil for null, and any other negative count reads as empty.
    ///
    /// - Parameter elementSize: the least number of bytes an element takes, at least 1.
    /// - Throws: `lengthOutOfBounds` if so many elements cannot be in the bytes that are left.
    package mutating func readCount(elementSize: Int) throws(WireError) -> Int? {
        let count = try readInt()
        if count == -1 { return nil }
        if count < 0 { return 0 }
        guard Int(count) <= remaining / elementSize else { throw .lengthOutOfBounds(count) }
        return Int(count)
    }

    /// Moves over bytes that are of no interest.
    package mutating func skip(_ count: Int) throws(WireError) {
        try need(count)
        position += count
    }

    /// The bytes of a range that `readRange` gave.
    @_lifetime(copy self)
    @inlinable package func span(_ range: Range<Int>) -> RawSpan {
        bytes.extracting(range)
    }

    /// Nil for nil.
    @_lifetime(copy self)
    @inlinable package func span(_ range: Range<Int>?) -> RawSpan? {
        if let range { span(range) } else { nil }
    }

    private func array(_ range: Range<Int>) -> [UInt8] {
        [UInt8](copying: bytes.extracting(range))
    }

    @inlinable @inline(__always) func need(_ count: Int) throws(WireError) {
        if count > remaining { throw .truncated }
    }
}

extension [UInt8] {
    /// The bytes, borrowed.
    @inlinable package var raw: RawSpan {
        @_lifetime(borrow self) get { unsafe span.bytes }
    }

    package init(copying bytes: RawSpan) {
        self = unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) }
    }

    /// Nil for nil, as null is read.
    package init?(copying bytes: RawSpan?) {
        guard let bytes else { return nil }
        self.init(copying: bytes)
    }

    package mutating func append(_ bytes: RawSpan) {
        unsafe bytes.withUnsafeBytes { unsafe append(contentsOf: $0) }
    }
}
