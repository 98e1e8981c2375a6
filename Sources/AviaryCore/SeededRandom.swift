/// Numbers that follow from a seed (xorshift64*): for what has to differ from server to server and be
/// the same in each run of a test, and for nothing that has to be a secret.
package struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) {
        state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    }

    package mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state &* 0x2545_F491_4F6C_DD1D
    }

    /// - Parameter limit: above 0.
    package mutating func below(_ limit: Int) -> Int { Int(next() >> 33) % limit }

    /// From 0 up to 1.
    mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }
}
