extension RawSpan {
    /// Eight bytes at a time: what is compared here is mostly short.
    @inlinable
    package func isEqual(to other: RawSpan) -> Bool {
        let count = byteCount
        guard count == other.byteCount else { return false }
        var offset = 0
        while offset + 8 <= count {
            let left = unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
            let right = unsafe other.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
            if left != right { return false }
            offset += 8
        }
        while offset < count {
            let left = unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
            let right = unsafe other.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
            if left != right { return false }
            offset += 1
        }
        return true
    }
}
