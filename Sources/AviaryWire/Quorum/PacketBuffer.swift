package import NIOCore

/// What has come on a link of the quorum port and is not yet taken.
///
/// Packets share the memory of what came with them, since a copy of each would cost more than
/// reading it. So what a socket read brought is copied as a whole, without the room behind it: a
/// proposal is kept for learners that lag, and holds on to no more than its neighbours.
package struct PacketBuffer: Sendable {
    package var bytes = ByteBuffer()
    private var memo = IdentityMemo()

    package init() {}

    package mutating func append(_ more: ByteBuffer) {
        var next = ByteBuffer()
        next.reserveCapacity(bytes.readableBytes + more.readableBytes)
        next.writeImmutableBuffer(bytes)
        next.writeImmutableBuffer(more)
        bytes = next
    }

    /// Takes what a leader has said, with commits joined, up to a `snap`: behind it comes a tree.
    ///
    /// - Throws: at the first packet that cannot be read; those before it are taken.
    package mutating func takeMessages(
        _ decoder: QuorumPacketDecoder, into messages: inout [LeaderMessage]
    ) throws(WireError) {
        var run = CommitRun()
        defer { run.end { messages.append($0) } }
        try takePackets(decoder) { layout, buffer, memo throws(WireError) in
            let message = try LeaderMessage(layout, in: buffer, &memo)
            run.pass(message) { messages.append($0) }
            if case .snap = message { return false }
            return true
        }
    }

    /// Takes what a learner has said, with acknowledgements joined, in lists for a step each.
    ///
    /// In a list no acknowledgement comes behind anything else. A leader commits at once, and does only
    /// after the step what it is asked for: a sync would be answered before what was committed behind it.
    ///
    /// - Throws: at the first packet that cannot be read; those before it are taken.
    package mutating func takeMessages(
        _ decoder: QuorumPacketDecoder, atMost limit: Int = .max,
        into lists: inout [[LearnerMessage]]
    ) throws(WireError) {
        try takePackets(decoder, atMost: limit) { layout, buffer, memo throws(WireError) in
            let message = try LearnerMessage(layout, in: buffer, &memo)
            let last = lists.count - 1
            guard last >= 0, let before = lists[last].last else {
                lists.append([message])
                return true
            }
            if let joined = before.joined(with: message) {
                lists[last][lists[last].count - 1] = joined
            } else if message.isAcknowledgement && !before.isAcknowledgement {
                lists.append([message])
            } else {
                lists[last].append(message)
            }
            return true
        }
    }

    /// Takes packets until there is no whole one any more, or `take` returns false.
    @inline(__always)
    private mutating func takePackets(
        _ decoder: QuorumPacketDecoder, atMost limit: Int = .max,
        _ take: (PacketLayout, ByteBuffer, inout IdentityMemo) throws(WireError) -> Bool
    ) throws(WireError) {
        let buffer = bytes
        let span = buffer.readableBytesSpan
        var position = 0
        defer { bytes.moveReaderIndex(forwardBy: position) }
        var count = 0
        while count < limit, let layout = try decoder.nextPacket(in: span, from: position) {
            position = layout.end
            count += 1
            guard try take(layout, buffer, &memo) else { return }
        }
    }

    /// Holds on to no memory when nothing waits in it.
    package mutating func tidy() {
        if bytes.readableBytes == 0 { bytes = ByteBuffer() }
    }
}
