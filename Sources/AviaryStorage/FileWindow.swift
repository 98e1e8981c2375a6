import AviaryWire

/// The part of a file that is in memory; it moves as the file is read.
struct FileWindow: Sendable {
    let name: String
    /// Bytes in the file when reading began.
    let size: Int
    private(set) var bytes: [UInt8] = []
    /// The file's offset of the first byte in the window.
    private(set) var start = 0
    /// What the file holds, if it is compressed; offsets and the size are those of it.
    private let content: DecompressedSnapshot?

    private static let usualByteCount = 1 << 20

    init(name: String, size: Int, content: DecompressedSnapshot? = nil) {
        self.name = name
        self.size = content?.count ?? size
        self.content = content
    }

    var end: Int { start + bytes.count }

    /// Sees that so many bytes from an offset are in the window.
    ///
    /// - Returns: false if the file is shorter. Never more than the file has is allocated.
    mutating func fill<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files, from offset: Int, count: Int
    ) throws(StorageError) -> Bool {
        if offset >= start && count <= end - offset { return true }
        guard count <= size - offset else { return false }
        let wanted = min(max(count, Self.usualByteCount), size - offset)
        if let content {
            bytes = content.read(at: offset, count: wanted)
        } else {
            bytes = try files.read(name, at: offset, count: wanted)
        }
        start = offset
        return bytes.count >= count
    }

    // MARK: What is in the window
    // All offsets must be in it. Bytes are handed to a closure: a span of a `var` cannot be returned.

    func read<Result, Failure: Error>(
        _ offsets: Range<Int>, _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(bytes.raw.extracting(offsets.lowerBound - start..<offsets.upperBound - start))
    }

    func byte(at offset: Int) -> UInt8 { bytes[offset - start] }

    func integer<Value: FixedWidthInteger & BitwiseCopyable>(
        at offset: Int, as type: Value.Type
    ) -> Value {
        let raw = bytes.raw
        return Value(
            bigEndian: unsafe raw.unsafeLoadUnaligned(fromByteOffset: offset - start, as: type))
    }

    func add(_ offsets: Range<Int>, to checksum: inout Adler32) {
        let raw = bytes.raw
        checksum.update(raw.extracting(offsets.lowerBound - start..<offsets.upperBound - start))
    }

    func checksum(of offsets: Range<Int>) -> Int64 {
        var checksum = Adler32()
        add(offsets, to: &checksum)
        return checksum.value
    }

    /// - Returns: what was decoded, and how many bytes it took.
    func decode<Value>(
        _ offsets: Range<Int>, _ body: (inout JuteReader) throws(WireError) -> Value
    ) throws(WireError) -> (value: Value, byteCount: Int) {
        let raw = bytes.raw
        var reader = JuteReader(
            raw.extracting(offsets.lowerBound - start..<offsets.upperBound - start))
        let value = try body(&reader)
        return (value, reader.position)
    }

    // MARK: Searching

    /// The offset behind the last byte from an offset on that is not zero; nil if all are.
    mutating func endOfContent<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files, from offset: Int
    ) throws(StorageError) -> Int? {
        var found: Int?
        var next = offset
        while next < size {
            guard try fill(files, from: next, count: 1) else { break }
            if let last = read(next..<end, { $0.lastNonZero }) { found = next + last + 1 }
            next = end
        }
        return found
    }
}

extension RawSpan {
    /// The offset of the last byte that is not zero.
    var lastNonZero: Int? {
        var end = byteCount
        while end >= 8, unsafe unsafeLoadUnaligned(fromByteOffset: end - 8, as: UInt64.self) == 0 {
            end -= 8
        }
        while end > 0 {
            if unsafe unsafeLoad(fromByteOffset: end - 1, as: UInt8.self) != 0 { return end - 1 }
            end -= 1
        }
        return nil
    }
}
