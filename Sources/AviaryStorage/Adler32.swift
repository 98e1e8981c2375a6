import AviaryWire
import CChecksums

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
        var offset = unsafe bytes.withUnsafeBytes {
            unsafe aviary_adler32_add(&low, &high, $0.baseAddress, $0.count)
        }
        while offset < bytes.byteCount {
            low &+= UInt64(unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
            high &+= low
            offset += 1
        }
    }
}
