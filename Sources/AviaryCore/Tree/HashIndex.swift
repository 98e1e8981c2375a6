/// Open addressing from a 32-bit hash to a 32-bit number. What the number stands for, and whether it
/// is the one looked for, is the caller's to say, so no key is stored.
package struct HashIndex: Sendable {
    /// The hash in the high half, the number plus one in the low; 0 is free.
    private var slots: [UInt64]
    private var size: Int
    package private(set) var count = 0

    private static let smallestSize = 16

    package init() {
        size = Self.smallestSize
        slots = [UInt64](repeating: 0, count: size)
    }

    /// Where a hash belongs: as far in as it is among all hashes. So the slots are in about the order
    /// of the hashes, and those of another size are filled from one end to the other.
    @inline(__always)
    private func home(of hash: UInt32) -> Int {
        Int(truncatingIfNeeded: (UInt64(hash) &* UInt64(size)) >> 32)
    }

    @inline(__always)
    private func position(after position: Int) -> Int {
        position + 1 == size ? 0 : position + 1
    }

    private func distance(from first: Int, to second: Int) -> Int {
        second >= first ? second - first : second - first + size
    }

    @inline(__always)
    package func find(hash: UInt32, where matches: (UInt32) -> Bool) -> UInt32? {
        var position = home(of: hash)
        while true {
            let slot = slots[position]
            if slot == 0 { return nil }
            let number = UInt32(truncatingIfNeeded: slot) &- 1
            if UInt32(truncatingIfNeeded: slot >> 32) == hash && matches(number) { return number }
            position = self.position(after: position)
        }
    }

    /// - Precondition: no number that matches is in already.
    package mutating func insert(hash: UInt32, _ number: UInt32) {
        if (count + 1) * 4 > size * 3 { resize(to: size + size / 2) }
        place(UInt64(hash) << 32 | UInt64(number + 1))
        count += 1
    }

    /// - Precondition: the number is in under this hash.
    package mutating func remove(hash: UInt32, _ number: UInt32) {
        let wanted = UInt64(hash) << 32 | UInt64(number + 1)
        var position = home(of: hash)
        while slots[position] != wanted {
            precondition(slots[position] != 0, "the number is not in the index")
            position = self.position(after: position)
        }
        closeGap(at: position)
        count -= 1
        if Room.isSpare(size, for: count, of: MemoryLayout<UInt64>.stride) {
            resize(to: max(Self.smallestSize, size / 4))
        }
    }

    /// Moves later entries of the run back, so that no tombstone is needed.
    private mutating func closeGap(at position: Int) {
        var gap = position
        var next = self.position(after: gap)
        while slots[next] != 0 {
            let home = home(of: UInt32(truncatingIfNeeded: slots[next] >> 32))
            if distance(from: home, to: next) >= distance(from: gap, to: next) {
                slots[gap] = slots[next]
                gap = next
            }
            next = self.position(after: next)
        }
        slots[gap] = 0
    }

    private mutating func resize(to newSize: Int) {
        let old = slots
        size = newSize
        slots = [UInt64](repeating: 0, count: size)
        for slot in old where slot != 0 { place(slot) }
    }

    private mutating func place(_ slot: UInt64) {
        var position = home(of: UInt32(truncatingIfNeeded: slot >> 32))
        while slots[position] != 0 { position = self.position(after: position) }
        slots[position] = slot
    }
}

/// A keyed hash of bytes; the seed keeps clients from choosing paths that collide.
package struct ByteHasher: Sendable {
    private let seed: UInt64

    package init(seed: UInt64) {
        self.seed = seed | 1
    }

    package func hash(_ bytes: RawSpan) -> UInt32 {
        let count = bytes.byteCount
        var state = seed ^ UInt64(truncatingIfNeeded: count)
        var offset = 0
        while offset + 8 <= count {
            let word = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
            state = mix(state ^ word)
            offset += 8
        }
        var tail: UInt64 = 0
        if count >= 8, offset < count {
            // Some of these are in already.
            tail = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
            offset = count
        }
        while offset < count {
            let byte = unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
            tail = tail << 8 | UInt64(byte)
            offset += 1
        }
        state = mix(mix(state ^ tail) ^ seed)
        return UInt32(truncatingIfNeeded: state ^ state >> 32)
    }

    /// Multiplies into 128 bits and folds the halves.
    private func mix(_ value: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15 ^ (seed << 1))
        return product.high ^ product.low
    }
}
