package import NIOCore

/// Finds the packets in what a socket read of the quorum port brought.
package struct QuorumPacketDecoder: Sendable {
    /// The longest data and the longest identity that are accepted, in bytes: `jute.maxbuffer` and
    /// its extra size.
    package let maximumLength: Int

    /// Source: `BinaryInputArchive.maxBuffer` and `extraMaxBuffer`, ZooKeeper 3.9.5.
    package static let defaultMaximumLength = 2_097_150

    /// More than any client has; each may be `maximumLength` long only if the rest is short.
    private static let maximumIdentities = 1024

    package init(maximumLength: Int = defaultMaximumLength) {
        self.maximumLength = maximumLength
    }

    /// The next packet and where it ends, or nil if it has not all arrived.
    ///
    /// - Throws: as soon as a length that cannot be accepted is seen, before the bytes that it
    ///   counts are there.
    package func nextPacket(
        in bytes: RawSpan, from offset: Int
    ) throws(WireError) -> (packet: QuorumPacket, end: Int)? {
        guard let end = try end(in: bytes, from: offset) else { return nil }
        var reader = JuteReader(bytes.extracting(offset..<end))
        return (try QuorumPacket(from: &reader), end)
    }

    /// Takes the next packet out of a buffer, which its data go on sharing. Nil if it has not all
    /// arrived.
    package func takePacket(
        from buffer: inout ByteBuffer, _ memo: inout IdentityMemo
    ) throws(WireError) -> QuorumPacket? {
        guard let end = try end(in: buffer.readableBytesSpan, from: 0) else { return nil }
        let packet = try QuorumPacket(from: buffer, at: 0..<end, &memo)
        buffer.moveReaderIndex(forwardBy: end)
        return packet
    }

    private func end(in bytes: RawSpan, from offset: Int) throws(WireError) -> Int? {
        let type = 4
        let zxid = 8
        var position = offset + type + zxid
        guard try skipBuffer(in: bytes, &position) else { return nil }
        guard let count = int(in: bytes, at: position) else { return nil }
        position += 4
        guard count <= Self.maximumIdentities else { throw .lengthOutOfBounds(count) }
        let start = position
        for _ in 0..<2 * max(0, count) {
            guard try skipBuffer(in: bytes, &position) else { return nil }
            if position - start > maximumLength {
                throw .lengthOutOfBounds(Int32(clamping: position - start))
            }
        }
        return position
    }

    /// Moves past a length and its bytes. False if they are not all there.
    private func skipBuffer(in bytes: RawSpan, _ position: inout Int) throws(WireError) -> Bool {
        guard let length = int(in: bytes, at: position) else { return false }
        guard length >= -1, Int(length) <= maximumLength else { throw .lengthOutOfBounds(length) }
        position += 4 + max(0, Int(length))
        return position <= bytes.byteCount
    }

    private func int(in bytes: RawSpan, at position: Int) -> Int32? {
        guard bytes.byteCount - position >= 4 else { return nil }
        let raw = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: position, as: Int32.self)
        return Int32(bigEndian: raw)
    }
}
