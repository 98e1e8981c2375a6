/// Open addressing from a 32-bit hash to a 32-bit number. What the number stands for, and whether it
/// is the one looked for, is the caller's to say, so no key is stored.
///
/// A large one is in parts, by the first bits of the hash. Each grows by itself, so that nobody waits
/// until millions of entries have moved.
package struct HashIndex: Sendable {
    private var parts = [Part(bits: 0)]
    /// How many bits of a hash say which part it is in.
    private var bits: UInt64 = 0
    package private(set) var count = 0
    /// Of all parts.
    private(set) var slotCount = Part.smallestSize

    private static let bitsOfLarge: UInt64 = 8
    /// One with more is in parts.
    private static let largestWhole = 8192

    package init() {}

    @inline(__always)
    private func part(of hash: UInt32) -> Int { Int((UInt64(hash) &<< bits) &>> 32) }

    @inline(__always)
    package func find(hash: UInt32, where matches: (UInt32) -> Bool) -> UInt32? {
        // Looked at where it is: what comes out of an array is retained and released.
        unsafe parts.withUnsafeBufferPointer { parts in
            unsafe parts[part(of: hash)].find(hash, where: matches)
        }
    }

    /// - Precondition: no number that matches is in already.
    package mutating func insert(hash: UInt32, _ number: UInt32) {
        if count == Self.largestWhole && bits == 0 { divide() }
        let part = part(of: hash)
        slotCount += parts[part].insert(Part.slot(hash, number))
        count += 1
    }

    /// - Precondition: the number is in under this hash.
    package mutating func remove(hash: UInt32, _ number: UInt32) {
        let part = part(of: hash)
        parts[part].remove(Part.slot(hash, number))
        count -= 1
        if Room.isSpare(slotCount, for: count, of: MemoryLayout<UInt64>.stride) {
            slotCount += parts[part].giveBackRoom()
        }
    }

    private mutating func divide() {
        bits = Self.bitsOfLarge
        let whole = parts[0]
        parts = [Part](repeating: Part(bits: bits), count: 1 << Int(bits))
        slotCount = parts.count * Part.smallestSize
        for slot in whole.slots where slot != 0 {
            slotCount += parts[part(of: Part.hash(of: slot))].insert(slot)
        }
    }
}

/// The entries whose hashes begin with certain bits.
private struct Part: Sendable {
    /// The hash in the high half, the number plus one in the low; 0 is free.
    private(set) var slots = [UInt64](repeating: 0, count: smallestSize)
    private var count = 0
    /// How many bits all hashes here have in common.
    private let bits: UInt64

    static let smallestSize = 16

    init(bits: UInt64) {
        self.bits = bits
    }

    @inline(__always)
    static func slot(_ hash: UInt32, _ number: UInt32) -> UInt64 {
        UInt64(hash) << 32 | UInt64(number + 1)
    }

    static func hash(of slot: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: slot >> 32) }

    /// Where a hash belongs: as far in as it is among all hashes. So the slots are in about the order
    /// of the hashes, and those of another size are filled from one end to the other.
    @inline(__always)
    private func home(of hash: UInt32) -> Int {
        let others = UInt32(truncatingIfNeeded: UInt64(hash) &<< bits)
        return Int(truncatingIfNeeded: (UInt64(others) &* UInt64(slots.count)) &>> 32)
    }

    @inline(__always)
    private func position(after position: Int) -> Int {
        position + 1 == slots.count ? 0 : position + 1
    }

    private func distance(from first: Int, to second: Int) -> Int {
        second >= first ? second - first : second - first + slots.count
    }

    @inline(__always)
    func find(_ hash: UInt32, where matches: (UInt32) -> Bool) -> UInt32? {
        var position = home(of: hash)
        while true {
            let slot = slots[position]
            if slot == 0 { return nil }
            let number = UInt32(truncatingIfNeeded: slot) &- 1
            if Self.hash(of: slot) == hash && matches(number) { return number }
            position = self.position(after: position)
        }
    }

    /// - Returns: how many slots there are more.
    mutating func insert(_ slot: UInt64) -> Int {
        let before = slots.count
        if (count + 1) * 4 > before * 3 { resize(to: before + before / 4) }
        place(slot)
        count += 1
        return slots.count - before
    }

    mutating func remove(_ wanted: UInt64) {
        var position = home(of: Self.hash(of: wanted))
        while slots[position] != wanted {
            precondition(slots[position] != 0, "the number is not in the index")
            position = self.position(after: position)
        }
        closeGap(at: position)
        count -= 1
    }

    /// - Returns: how many slots there are more, which are fewer.
    mutating func giveBackRoom() -> Int {
        let before = slots.count
        if count < before / 8 { resize(to: max(Self.smallestSize, before / 4)) }
        return slots.count - before
    }

    /// Moves later entries of the run back, so that no tombstone is needed.
    private mutating func closeGap(at position: Int) {
        var gap = position
        var next = self.position(after: gap)
        while slots[next] != 0 {
            let home = home(of: Self.hash(of: slots[next]))
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
        slots = [UInt64](repeating: 0, count: newSize)
        for slot in old where slot != 0 { place(slot) }
    }

    private mutating func place(_ slot: UInt64) {
        var position = home(of: Self.hash(of: slot))
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
