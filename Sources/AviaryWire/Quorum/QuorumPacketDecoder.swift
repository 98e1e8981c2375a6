import NIOCore

/// What a packet begins with, and where the rest of it is among the bytes it came with.
package struct PacketLayout: Sendable {
    /// See `QuorumPacket`.
    package let type: Int32
    package let zxid: Zxid
    /// Nil for null.
    let data: Range<Int>?
    /// Their count included.
    let identities: Range<Int>
    /// Of the packet.
    package let end: Int

    /// Type and zxid.
    fileprivate static let headByteCount = 12

    /// - Precondition: the packet is all there.
    fileprivate init(in bytes: RawSpan, start: Int, data: Int, identities: Int, end: Int) {
        let rawType = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: start, as: Int32.self)
        type = Int32(bigEndian: rawType)
        let rawZxid = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: start + 4, as: Int64.self)
        zxid = Zxid(Int64(bigEndian: rawZxid))
        let length = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: data, as: Int32.self)
        self.data = length == -1 ? nil : data + 4..<identities
        self.identities = identities..<end
        self.end = end
    }

    package var kind: QuorumPacket.Kind? { QuorumPacket.Kind(rawValue: type) }

    /// The data, sharing the memory of what they came with; nil for null.
    func data(in buffer: ByteBuffer) -> ByteBuffer? {
        guard let data else { return nil }
        return buffer.getSlice(at: buffer.readerIndex + data.lowerBound, length: data.count)
    }

    func requiredData(in buffer: ByteBuffer) throws(WireError) -> ByteBuffer {
        guard let data = data(in: buffer) else { throw .unexpectedNull }
        return data
    }
}

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

    /// Where the next packet is, or nil if it has not all arrived.
    ///
    /// - Throws: as soon as a length that cannot be accepted is seen, before the bytes that it
    ///   counts are there.
    package func nextPacket(
        in bytes: RawSpan, from start: Int
    ) throws(WireError) -> PacketLayout? {
        let data = start + PacketLayout.headByteCount
        var position = data
        guard try skipBuffer(in: bytes, &position) else { return nil }
        let identities = position
        guard let count = int(in: bytes, at: position) else { return nil }
        position += 4
        guard count <= Self.maximumIdentities else { throw .lengthOutOfBounds(count) }
        let first = position
        for _ in 0..<2 * max(0, count) {
            guard try skipBuffer(in: bytes, &position) else { return nil }
            if position - first > maximumLength {
                throw .lengthOutOfBounds(Int32(clamping: position - first))
            }
        }
        return PacketLayout(
            in: bytes, start: start, data: data, identities: identities, end: position)
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
