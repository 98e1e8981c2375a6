import AviaryCore
import AviaryStorage
import AviaryWire
import Logging
import NIOCore
import Zab

/// This server's connection to the quorum port of the one it follows.
final class LeaderLink: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    let id: LinkID
    let server: ServerID
    private let links: LeaderLinks
    private let channel: any Channel
    private let writer: LinkWriter
    private let settings: PeerLinkSettings
    private let decoder: QuorumPacketDecoder
    private var packets = PacketBuffer()
    /// What comes is a tree until this has all of it, and not packets.
    private var tree: IncomingTree?
    private var isOver = false

    init(
        _ links: LeaderLinks, _ channel: any Channel, to server: ServerID, id: LinkID,
        _ settings: PeerLinkSettings
    ) {
        self.links = links
        self.channel = channel
        self.server = server
        self.id = id
        self.settings = settings
        writer = LinkWriter(channel)
        decoder = QuorumPacketDecoder(maximumLength: settings.maximumPacketLength)
    }

    func start() throws {
        try channel.pipeline.syncOperations.addHandler(self)
        try channel.syncOptions?.setOption(.recvAllocator, value: Self.allocator)
        try channel.syncOptions?.setOption(.autoRead, value: true)
    }

    /// Large reads: there are trees and batches of proposals to come.
    private static let allocator = AdaptiveRecvByteBufferAllocator(
        minimum: 1024, initial: 4096, maximum: 256 << 10)

    // MARK: Sending

    /// To be sent by the next `flush`.
    func queue(_ write: (inout ByteBuffer) -> Void) {
        writer.append(write)
        if writer.queuedByteCount > settings.maximumQueuedBytes {
            fail("it does not read what it is sent")
        }
    }

    func flush() {
        if !isOver { writer.flush() }
    }

    /// Ends the link; nobody is told.
    func discard() {
        if isOver { return }
        isOver = true
        tree = nil
        writer.flush()
        writer.close()
    }

    // MARK: The channel

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isOver { return }
        // Out of the object while it is worked on: there each access would be checked for others.
        var packets = PacketBuffer()
        swap(&packets, &self.packets)
        packets.append(unwrapInboundIn(data))
        var events: [PeerLinks.Event] = []
        let failure = take(&packets, into: &events)
        packets.tidy()
        self.packets = packets
        links.events.deliver(events)
        if let failure { fail("what it sent cannot be read (\(failure))") }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if !isOver { writer.writabilityChanged() }
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end("it is gone")
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    /// - Returns: why nothing more can be read; nil if it can.
    private func take(
        _ packets: inout PacketBuffer, into events: inout [PeerLinks.Event]
    ) -> (any Error)? {
        do {
            while true {
                if tree != nil {
                    guard try takeTree(from: &packets, into: &events) else { return nil }
                }
                try takeMessages(from: &packets, into: &events)
                if tree == nil { return nil }
            }
        } catch {
            return error
        }
    }

    private func takeMessages(
        from packets: inout PacketBuffer, into events: inout [PeerLinks.Event]
    ) throws(WireError) {
        var messages: [LeaderMessage] = []
        defer {
            if !messages.isEmpty { events.append(.quorum(.receivedFromLeader(messages, id))) }
        }
        try packets.takeMessages(decoder, into: &messages)
        if case .snap(let zxid) = messages.last { expectTree(zxid) }
    }

    private func expectTree(_ zxid: Zxid) {
        let reader = SnapshotStreamReader(
            hashSeed: .random(in: 1...UInt64.max), extendedTypes: settings.extendedTypes,
            maximumLength: settings.maximumPacketLength)
        tree = IncomingTree(zxid, reader)
    }

    /// - Returns: whether the tree is whole.
    private func takeTree(
        from packets: inout PacketBuffer, into events: inout [PeerLinks.Event]
    ) throws(StorageError) -> Bool {
        guard let tree, var reader = tree.reader.take() else { return false }
        guard try reader.take(&packets.bytes) else {
            tree.reader = consume reader
            events.append(.quorum(.leaderProgressed(id)))
            return false
        }
        self.tree = nil
        events.append(.tree(TreeBox(reader.finish(zxid: tree.zxid)), tree.zxid, id))
        return true
    }

    private func fail(_ reason: String) {
        if isOver { return }
        links.logger.warning(
            "closing the connection to the leader",
            metadata: ["peer": "\(server)", "link": "\(id)", "reason": "\(reason)"])
        end(reason)
        writer.close()
    }

    private func end(_ reason: String) {
        if isOver { return }
        isOver = true
        tree = nil
        links.lost(self, reason)
    }
}

/// A class, as it is asked for before each packet, and to look into an optional structure copies it.
private final class IncomingTree {
    let zxid: Zxid
    var reader: SnapshotStreamReader?

    init(_ zxid: Zxid, _ reader: consuming SnapshotStreamReader) {
        self.zxid = zxid
        self.reader = consume reader
    }
}
