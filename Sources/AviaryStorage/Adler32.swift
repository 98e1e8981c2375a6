import AviaryWire

/// Adler-32 (RFC 1950), as the log has it for each transaction and a snapshot for all before it.
package struct Adler32: Hashable, Sendable {
    /// One more than the sum of the bytes.
    private var low: UInt64 = 1
    /// The sum of what `low` was after each byte.
    private var high: UInt64 = 0

    private static let modulus: UInt64 = 65521
    /// So many bytes can be added before 64 bits could overflow, and many more.
    private static let runByteCount = 1 << 24

    package init() {}

    /// As the files hold it: never negative.
    package var value: Int64 { Int64(high << 16 | low) }

    package mutating func update(_ bytes: RawSpan) {
        var start = 0
        while start < bytes.byteCount {
            let end = min(start + Self.runByteCount, bytes.byteCount)
            add(bytes.extracting(start..<end))
            low %= Self.modulus
            high %= Self.modulus
            start = end
        }
    }

    package static func checksum(_ bytes: RawSpan) -> Int64 {
        var adler = Adler32()
        adler.update(bytes)
        return adler.value
    }

    private mutating func add(_ bytes: RawSpan) {
        var low = self.low
        var high = self.high
        var offset = 0
        while offset + 8 <= bytes.byteCount {
            let raw = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
            let sums = Self.sums(ofWord: UInt64(littleEndian: raw))
            high &+= low &* 8 &+ sums.weighted
            low &+= sums.plain
            offset += 8
        }
        while offset < bytes.byteCount {
            low &+= UInt64(unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
            high &+= low
            offset += 1
        }
        self.low = low
        self.high = high
    }

    /// The sum of eight bytes, and their sum when the first counts eight times and the last once.
    ///
    /// Each multiplication adds up four 16-bit lanes in its top lane; no lane overflows.
    @inline(__always)
    private static func sums(ofWord word: UInt64) -> (plain: UInt64, weighted: UInt64) {
        let evenBytes = word & 0x00ff_00ff_00ff_00ff
        let oddBytes = word >> 8 & 0x00ff_00ff_00ff_00ff
        let plain = ((evenBytes &+ oddBytes) &* 0x0001_0001_0001_0001) >> 48
        let weightedEven = (evenBytes &* 0x0008_0006_0004_0002) >> 48
        let weightedOdd = (oddBytes &* 0x0007_0005_0003_0001) >> 48
        return (plain, weightedEven &+ weightedOdd)
    }
}
