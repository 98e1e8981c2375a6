import AviaryWire
import Testing

@testable import AviaryCore

struct CRC32Tests {
    /// As RFC 1952 has it: bit by bit.
    private static func reference(_ bytes: some Sequence<UInt8>) -> UInt32 {
        var register: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            register ^= UInt32(byte)
            for _ in 0..<8 {
                register = register & 1 == 1 ? register >> 1 ^ 0xEDB8_8320 : register >> 1
            }
        }
        return ~register
    }

    @Test func `the check value of CRC-32 comes out`() {
        var checksum = CRC32()
        checksum.update(Array("123456789".utf8).raw)
        #expect(checksum.value == 0xCBF4_3926)
    }

    @Test func `all lengths and all ways to come in two pieces give the same`() {
        var random = SeededRandom(seed: 7)
        for count in 0..<100 {
            let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let expected = Self.reference(bytes)
            for split in 0...count {
                var checksum = CRC32()
                checksum.update(Array(bytes[..<split]).raw)
                checksum.update(Array(bytes[split...]).raw)
                #expect(checksum.value == expected, "\(count) bytes, \(split) first")
            }
        }
    }

    @Test func `what is folded four blocks abreast gives the same`() {
        var random = SeededRandom(seed: 8)
        for count in 100..<600 {
            let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let expected = Self.reference(bytes)
            for split in [0, 3, random.below(count), count - 16] {
                var checksum = CRC32()
                checksum.update(Array(bytes[..<split]).raw)
                checksum.update(Array(bytes[split...]).raw)
                #expect(checksum.value == expected, "\(count) bytes, \(split) first")
            }
        }
    }

    @Test func `a stat is sixty bytes in the order of the digest`() {
        var stat = StatPersisted()
        stat.czxid = Zxid(0x0102_0304_0506_0708)
        stat.mzxid = Zxid(0x1112_1314_1516_1718)
        stat.pzxid = Zxid(0x2122_2324_2526_2728)
        stat.ctime = 0x3132_3334_3536_3738
        stat.mtime = 0x4142_4344_4546_4748
        stat.version = 0x5152_5354
        stat.cversion = 0x6162_6364
        stat.aversion = 0x7172_7374
        stat.owner = NodeOwner(rawValue: -0x0102_0304_0506_0708)
        var checksum = CRC32()
        checksum.update(stat)
        func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
            withUnsafeBytes(of: value.bigEndian) { Array($0) }
        }
        let all =
            bytes(stat.czxid.rawValue) + bytes(stat.mzxid.rawValue) + bytes(stat.pzxid.rawValue)
            + bytes(stat.ctime) + bytes(stat.mtime) + bytes(stat.version) + bytes(stat.cversion)
            + bytes(stat.aversion) + bytes(stat.owner.rawValue)
        #expect(all.count == 60)
        #expect(checksum.value == Self.reference(all))
        var other = CRC32()
        other.updateByTables(CRC32.words(of: stat))
        #expect(other == checksum)
    }
}
