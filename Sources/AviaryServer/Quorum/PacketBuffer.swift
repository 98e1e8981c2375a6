import AviaryWire
import NIOCore

/// What has come on a link of the quorum port and is not yet taken.
struct PacketBuffer {
    var bytes = ByteBuffer()

    mutating func append(_ more: ByteBuffer) {
        if bytes.readableBytes == 0 {
            bytes = more
        } else {
            bytes.discardReadBytes()
            bytes.writeImmutableBuffer(more)
        }
    }

    /// Nil if the next packet has not all arrived.
    mutating func next(_ decoder: QuorumPacketDecoder) throws(WireError) -> QuorumPacket? {
        guard let (packet, end) = try decoder.nextPacket(in: bytes.readableBytesSpan, from: 0)
        else {
            return nil
        }
        bytes.moveReaderIndex(forwardBy: end)
        return packet
    }

    /// Holds on to no more memory than what waits in it needs.
    mutating func tidy() {
        if bytes.readableBytes == 0 { bytes = ByteBuffer() }
    }
}
