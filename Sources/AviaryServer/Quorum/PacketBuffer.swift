import AviaryWire
import NIOCore

/// What has come on a link of the quorum port and is not yet taken.
///
/// Packets share the memory of what came with them, since a copy of each would cost more than
/// reading it. So what a socket read brought is copied as a whole, without the room behind it: a
/// proposal is kept for learners that lag, and holds on to no more than its neighbours.
struct PacketBuffer {
    var bytes = ByteBuffer()
    private var memo = IdentityMemo()

    mutating func append(_ more: ByteBuffer) {
        var next = ByteBuffer()
        next.reserveCapacity(bytes.readableBytes + more.readableBytes)
        next.writeImmutableBuffer(bytes)
        next.writeImmutableBuffer(more)
        bytes = next
    }

    /// Nil if the next packet has not all arrived.
    mutating func next(_ decoder: QuorumPacketDecoder) throws(WireError) -> QuorumPacket? {
        try decoder.takePacket(from: &bytes, &memo)
    }

    /// Holds on to no memory when nothing waits in it.
    mutating func tidy() {
        if bytes.readableBytes == 0 { bytes = ByteBuffer() }
    }
}
