/// Finds the frames in what a socket read brought: each is an int length and so many bytes.
package struct FrameDecoder: Sendable {
    /// The longest frame that is accepted, in bytes without the length itself (`jute.maxbuffer`).
    package let maximumLength: Int

    package init(maximumLength: Int) {
        self.maximumLength = maximumLength
    }

    /// The range of the next frame's payload, or nil if it has not all arrived.
    ///
    /// - Throws: `lengthOutOfBounds` as soon as a length that cannot be accepted is seen, before
    ///   the frame itself is there.
    package func nextFrame(in bytes: RawSpan, from offset: Int) throws(WireError) -> Range<Int>? {
        let available = bytes.byteCount - offset
        guard available >= 4 else { return nil }
        let raw = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: Int32.self)
        let length = Int32(bigEndian: raw)
        guard length >= 0, Int(length) <= maximumLength else { throw .lengthOutOfBounds(length) }
        guard available - 4 >= Int(length) else { return nil }
        return offset + 4..<offset + 4 + Int(length)
    }
}
