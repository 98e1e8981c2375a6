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
        let words = Self.words(of: stat)
        let isDone = unsafe aviary_crc32_add_60(
            &register, UInt32(words[0]), words[1], words[2], words[3], words[4], words[5],
            words[6], words[7])
        if !isDone { updateByTables(words) }
    }

    /// The same, as numbers whose most significant byte comes first; of the first, the lower half.
    static func words(of stat: StatPersisted) -> InlineArray<8, UInt64> {
        /// The lower half of a number and the upper one of that behind it.
        func joined(_ first: UInt64, _ second: UInt64) -> UInt64 { first << 32 | second >> 32 }
        let czxid = UInt64(bitPattern: stat.czxid.rawValue)
        let mzxid = UInt64(bitPattern: stat.mzxid.rawValue)
        let pzxid = UInt64(bitPattern: stat.pzxid.rawValue)
        let ctime = UInt64(bitPattern: stat.ctime)
        let mtime = UInt64(bitPattern: stat.mtime)
        let version = UInt64(UInt32(bitPattern: stat.version))
        let cversion = UInt64(UInt32(bitPattern: stat.cversion))
        let aversion = UInt64(UInt32(bitPattern: stat.aversion))
        return [
            czxid >> 32, joined(czxid, mzxid), joined(mzxid, pzxid), joined(pzxid, ctime),
            joined(ctime, mtime), mtime << 32 | version, cversion << 32 | aversion,
            UInt64(bitPattern: stat.owner.rawValue),
        ]
    }

    mutating func updateByTables(_ words: InlineArray<8, UInt64>) {
        var words = words
        for index in words.indices { words[index] = words[index].bigEndian }
        // Integers have no bytes between them.
        updateByTables(unsafe words.span.bytes.extracting(droppingFirst: 4))
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
