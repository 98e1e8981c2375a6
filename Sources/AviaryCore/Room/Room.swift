/// When a table that a crowd has left gives back its room: one rule for those that live as long as
/// the server.
@usableFromInline
package enum Room {
    /// Less than this stays: a busy server's queues fill and empty many times a second.
    @usableFromInline static let bytesKept = 128 << 10

    /// Whether less than an eighth is used. What is left may then double before the table grows, so
    /// that giving back costs O(1) a removal, amortised.
    @inlinable
    static func isSpare(_ capacity: Int, for count: Int, of stride: Int) -> Bool {
        capacity * stride > bytesKept && count < capacity / 8
    }
}

extension Dictionary {
    /// To be called after a removal.
    @inlinable
    package mutating func giveBackRoom() {
        let stride = MemoryLayout<Key>.stride + MemoryLayout<Value>.stride
        guard Room.isSpare(capacity, for: count, of: stride) else { return }
        var smaller = Self(minimumCapacity: 2 * count)
        for (key, value) in self { smaller[key] = value }
        self = smaller
    }
}

extension Array {
    /// Removes all. The room stays for what comes next, unless a crowd needed it.
    @inlinable
    package mutating func removeAllForReuse() {
        let isCrowd = count * MemoryLayout<Element>.stride > Room.bytesKept
        removeAll(keepingCapacity: !isCrowd)
    }
}
