import AviaryWire

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
        var offset = 0
        let count = bytes.byteCount
        while offset + 8 <= count {
            let word = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
            fold(UInt64(littleEndian: word))
            offset += 8
        }
        while offset < count {
            fold(unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
            offset += 1
        }
    }

    mutating func update(_ value: Int64) {
        fold(UInt64(bitPattern: value).byteSwapped)
    }

    mutating func update(_ value: Int32) {
        for shift in stride(from: 24, through: 0, by: -8) {
            fold(UInt8(truncatingIfNeeded: value >> Int32(shift)))
        }
    }

    private mutating func fold(_ byte: UInt8) {
        register = register >> 8 ^ Self.tables[Int(UInt8(truncatingIfNeeded: register) ^ byte)]
    }

    /// Eight bytes at once, the first in the lowest bits.
    private mutating func fold(_ word: UInt64) {
        let mixed = word ^ UInt64(register)
        var result: UInt32 = 0
        for index in 0..<8 {
            let byte = UInt8(truncatingIfNeeded: mixed >> UInt64(8 * index))
            result ^= Self.tables[(7 - index) * 256 + Int(byte)]
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
        checksum.update(stat.czxid.rawValue)
        checksum.update(stat.mzxid.rawValue)
        checksum.update(stat.pzxid.rawValue)
        checksum.update(stat.ctime)
        checksum.update(stat.mtime)
        checksum.update(stat.version)
        checksum.update(stat.cversion)
        checksum.update(stat.aversion)
        checksum.update(stat.owner.rawValue)
        return UInt64(checksum.value)
    }
}
