/// Open addressing from a 32-bit hash to a 32-bit number. What the number stands for, and whether it
/// is the one looked for, is the caller's to say, so no key is stored.
package struct HashIndex: Sendable {
    /// The hash in the high half, the number plus one in the low; 0 is free.
    private var slots: [UInt64]
    private var mask: Int
    package private(set) var count = 0

    package init() {
        slots = [UInt64](repeating: 0, count: 16)
        mask = 15
    }

    @inline(__always)
    package func find(hash: UInt32, where matches: (UInt32) -> Bool) -> UInt32? {
        var position = Int(hash) & mask
        while true {
            let slot = slots[position]
            if slot == 0 { return nil }
            let number = UInt32(truncatingIfNeeded: slot) &- 1
            if UInt32(truncatingIfNeeded: slot >> 32) == hash && matches(number) { return number }
            position = (position + 1) & mask
        }
    }

    /// - Precondition: no number that matches is in already.
    package mutating func insert(hash: UInt32, _ number: UInt32) {
        if (count + 1) * 4 > slots.count * 3 { resize(to: slots.count * 2) }
        place(UInt64(hash) << 32 | UInt64(number + 1))
        count += 1
    }

    /// - Precondition: the number is in under this hash.
    package mutating func remove(hash: UInt32, _ number: UInt32) {
        let wanted = UInt64(hash) << 32 | UInt64(number + 1)
        var position = Int(hash) & mask
        while slots[position] != wanted {
            precondition(slots[position] != 0, "the number is not in the index")
            position = (position + 1) & mask
        }
        closeGap(at: position)
        count -= 1
        if Room.isSpare(slots.count, for: count, of: MemoryLayout<UInt64>.stride) {
            resize(to: slots.count / 4)
        }
    }

    /// Moves later entries of the run back, so that no tombstone is needed.
    private mutating func closeGap(at position: Int) {
        var gap = position
        var next = (gap + 1) & mask
        while slots[next] != 0 {
            let home = Int(slots[next] >> 32) & mask
            if (next &- home) & mask >= (next &- gap) & mask {
                slots[gap] = slots[next]
                gap = next
            }
            next = (next + 1) & mask
        }
        slots[gap] = 0
    }

    private mutating func resize(to size: Int) {
        let old = slots
        slots = [UInt64](repeating: 0, count: size)
        mask = slots.count - 1
        for slot in old where slot != 0 { place(slot) }
    }

    private mutating func place(_ slot: UInt64) {
        var position = Int(slot >> 32) & mask
        while slots[position] != 0 { position = (position + 1) & mask }
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
