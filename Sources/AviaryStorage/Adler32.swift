/// Adler-32 (RFC 1950), as the log has it for each transaction and a snapshot for all before it.
package struct Adler32: Hashable, Sendable {
    private var low: UInt32 = 1
    private var high: UInt32 = 0

    package init() {}

    /// As the files hold it: never negative.
    package var value: Int64 { Int64(high << 16 | low) }

    package mutating func update(_ bytes: RawSpan) {
        let base: UInt32 = 65521
        // So many bytes can be added before either sum could overflow.
        let safeCount = 5552
        unsafe bytes.withUnsafeBytes { bytes in
            var a = low
            var b = high
            var position = 0
            while position < bytes.count {
                let end = min(position + safeCount, bytes.count)
                for index in position..<end {
                    a &+= UInt32(unsafe bytes[index])
                    b &+= a
                }
                a %= base
                b %= base
                position = end
            }
            low = a
            high = b
        }
    }

    package static func checksum(_ bytes: RawSpan) -> Int64 {
        var adler = Adler32()
        adler.update(bytes)
        return adler.value
    }
}
