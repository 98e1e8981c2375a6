import AviaryWire
import CChecksums

/// CRC-32 as zlib computes it, with the running register in the open so that a node's checksum can
/// be continued from what its path and data gave.
struct CRC32: Hashable, Sendable {
    private(set) var register: UInt32

    init() {
        register = 0xFFFF_FFFF
    }

    init(register: UInt32) {
        self.register = register
    }

    var value: UInt32 { ~register }

    mutating func update(_ bytes: RawSpan) {
        let isDone = unsafe bytes.withUnsafeBytes {
            unsafe aviary_crc32_add(&register, $0.baseAddress, $0.count)
        }
        if !isDone { updateByTables(bytes) }
    }

    private mutating func updateByTables(_ bytes: RawSpan) {
        var offset = 0
        let count = bytes.byteCount
        unsafe Self.tables.withUnsafeBufferPointer { tables in
            while offset + 8 <= count {
                let word = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
                unsafe fold(UInt64(littleEndian: word), tables)
                offset += 8
            }
            while offset < count {
                unsafe fold(bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self), tables)
                offset += 1
            }
        }
    }

    /// The 60 bytes of a node's stat, in the order of the digest.
    mutating func update(_ stat: StatPersisted) {
        var words = InlineArray<15, UInt32>(repeating: 0)
        func put(_ value: Int64, at index: Int) {
            words[index] = UInt32(truncatingIfNeeded: value >> 32).bigEndian
            words[index + 1] = UInt32(truncatingIfNeeded: value).bigEndian
        }
        put(stat.czxid.rawValue, at: 0)
        put(stat.mzxid.rawValue, at: 2)
        put(stat.pzxid.rawValue, at: 4)
        put(stat.ctime, at: 6)
        put(stat.mtime, at: 8)
        words[10] = UInt32(bitPattern: stat.version).bigEndian
        words[11] = UInt32(bitPattern: stat.cversion).bigEndian
        words[12] = UInt32(bitPattern: stat.aversion).bigEndian
        put(stat.owner.rawValue, at: 13)
        // Integers have no bytes between them.
        update(unsafe words.span.bytes)
    }

    @inline(__always)
    private mutating func fold(_ byte: UInt8, _ tables: UnsafeBufferPointer<UInt32>) {
        let index = Int(UInt8(truncatingIfNeeded: register) ^ byte)
        register = unsafe register >> 8 ^ tables[index]
    }

    /// Eight bytes at once, the first in the lowest bits.
    @inline(__always)
    private mutating func fold(_ word: UInt64, _ tables: UnsafeBufferPointer<UInt32>) {
        let mixed = word ^ UInt64(register)
        var result: UInt32 = 0
        for index in 0..<8 {
            let byte = UInt8(truncatingIfNeeded: mixed >> UInt64(8 * index))
            result ^= unsafe tables[(7 - index) * 256 + Int(byte)]
        }
        register = result
    }

    /// Eight tables of 256: what a byte contributes when 0 to 7 more follow it in the word.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var value = UInt32(byte)
            for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
            tables[byte] = value
        }
        for index in 256..<tables.count {
            let previous = tables[index - 256]
            tables[index] = previous >> 8 ^ tables[Int(UInt8(truncatingIfNeeded: previous))]
        }
        return tables
    }()
}

/// What a node adds to the digest of the tree.
///
/// Source: DigestCalculator.calculateDigest, ZooKeeper 3.9.5.
enum NodeDigest {
    /// The part that changes only with the data: the register after path and data.
    static func content(path: RawSpan, data: RawSpan?) -> CRC32 {
        var checksum = CRC32()
        checksum.update(path)
        if let data { checksum.update(data) }
        return checksum
    }

    static func value(content: CRC32, stat: StatPersisted) -> UInt64 {
        var checksum = content
        checksum.update(stat)
        return UInt64(checksum.value)
    }
}
