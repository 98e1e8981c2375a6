import AviaryCore

/// Changes inputs at random, as follows from a seed. What a fuzzer that watches coverage does better
/// but not everywhere is there to do.
package struct SeededMutator: Sendable {
    private var random: SeededRandom

    package init(seed: UInt64) {
        random = SeededRandom(seed: seed)
    }

    /// - Parameter others: what parts may be taken from; not empty.
    package mutating func mutate(
        _ bytes: [UInt8], with others: [[UInt8]], upTo limit: Int
    ) -> [UInt8] {
        var bytes = bytes
        for _ in 0...random.below(4) { change(&bytes, with: others[random.below(others.count)]) }
        return Array(bytes.prefix(limit))
    }

    private mutating func change(_ bytes: inout [UInt8], with other: [UInt8]) {
        if bytes.isEmpty { bytes.append(0) }
        let position = random.below(bytes.count)
        let length = 1 + random.below(min(16, bytes.count - position))
        switch random.below(7) {
        case 0: bytes[position] ^= 1 << UInt8(random.below(8))
        case 1: bytes[position] = UInt8(random.below(256))
        case 2: bytes.removeSubrange(position..<position + length)
        case 3: bytes.insert(contentsOf: bytes[position..<position + length], at: position)
        case 4:
            let values = Self.integers[random.below(Self.integers.count)]
            for (offset, value) in values.enumerated() where position + offset < bytes.count {
                bytes[position + offset] = value
            }
        case 5: bytes[position] &+= UInt8(random.below(3)) &- 1
        default:
            let start = random.below(other.count + 1)
            let end = min(other.count, start + random.below(64))
            bytes.replaceSubrange(position..<position + length, with: other[start..<end])
        }
    }

    /// Lengths, counts and versions at the edges of what they can be.
    private static let integers: [[UInt8]] = [
        [0xff, 0xff, 0xff, 0xff], [0, 0, 0, 0], [0x7f, 0xff, 0xff, 0xff], [0x80, 0, 0, 0],
        [0, 0, 0, 1], [0xff, 0xff, 0xff, 0xfe], [0, 0, 0xff, 0xff],
    ]
}
