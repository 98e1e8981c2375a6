import AviaryCore
import AviaryWire
import Testing

@testable import AviaryStorage

struct Adler32Tests {
    /// As RFC 1950 has it: byte by byte.
    private static func reference(_ bytes: some Sequence<UInt8>) -> Int64 {
        var low: Int64 = 1
        var high: Int64 = 0
        for byte in bytes {
            low = (low + Int64(byte)) % 65521
            high = (high + low) % 65521
        }
        return high << 16 | low
    }

    @Test func `the known value of a word comes out`() {
        #expect(Adler32.checksum(Array("Wikipedia".utf8).raw) == 0x11E6_0398)
    }

    @Test func `all lengths and all ways to come in two pieces give the same`() {
        var random = SeededRandom(seed: 7)
        for count in 0..<100 {
            let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let expected = Self.reference(bytes)
            for split in 0...count {
                var checksum = Adler32()
                checksum.update(Array(bytes[..<split]).raw)
                checksum.update(Array(bytes[split...]).raw)
                #expect(checksum.value == expected, "\(count) bytes, \(split) first")
            }
        }
    }

    /// Where sums of sixteen bits would overflow first, were there too many of them.
    @Test(arguments: [351, 352, 353, 368, 704, 5552, 65_536, 1_000_003])
    func `the largest bytes overflow nothing`(count: Int) {
        let bytes = [UInt8](repeating: 0xFF, count: count)
        #expect(Adler32.checksum(bytes.raw) == Self.reference(bytes))
    }
}
