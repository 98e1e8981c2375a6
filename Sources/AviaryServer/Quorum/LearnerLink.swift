import AviaryCore
import AviaryWire
import Logging
import NIOCore
import Zab

/// One connection of a learner to this server's quorum port.
final class LearnerLink: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    let id: LinkID
    private let links: LearnerLinks
    private let channel: any Channel
    /// The other side, for the log.
    private var remote = "unknown"
    private let writer: LinkWriter
    private let maximumQueuedBytes: Int
    private var packets = PacketBuffer()
    private let decoder: QuorumPacketDecoder
    /// Who it says it is.
    private var server: ServerID?
    /// Whether it has sent a packet.
    private var isIntroduced = false
    private var isOver = false
    private var deadline: Scheduled<Void>?
    /// Whether it waits in the list of those to be flushed.
    var isTouched = false

    /// The longest data in the first packet: a stranger gets no more memory than this.
    private static let introduction = QuorumPacketDecoder(maximumLength: 4096)

    init(_ links: LearnerLinks, _ channel: any Channel, id: LinkID, _ settings: PeerLinkSettings) {
        self.links = links
        self.channel = channel
        self.id = id
        writer = LinkWriter(channel)
        writer.progressed = { links.events.report(.quorum(.learnerProgressed(id))) }
        maximumQueuedBytes = settings.maximumQueuedBytes
        decoder = QuorumPacketDecoder(maximumLength: settings.maximumPacketLength)
    }

    func park(for limit: TimeAmount) {
        setDeadline(limit, "this server does not lead")
    }

    /// The learner may speak now.
    func welcome(for limit: TimeAmount) {
        setDeadline(limit, "it did not introduce itself in time")
        do {
            try channel.syncOptions?.setOption(.autoRead, value: true)
        } catch {
            fail("\(error)")
        }
    }

    // MARK: Sending

    /// To be sent by the next `flush`.
    func queue(_ write: (inout ByteBuffer) -> Void) {
        writer.append(write)
        checkQueue()
    }

    /// The same with bytes that other links may be sent too.
    func queue(_ bytes: ByteBuffer) {
        writer.append(bytes)
        checkQueue()
    }

    private func checkQueue() {
        if writer.queuedByteCount > maximumQueuedBytes { fail("it does not read what it is sent") }
    }

    func queue(_ snapshot: TreeSnapshot) {
        writer.append(snapshot)
    }

    func flush() {
        isTouched = false
        if !isOver { writer.flush() }
    }

    /// Ends the link; nobody is told.
    func discard() {
        if isOver { return }
        if isIntroduced { log(.info, "learner disconnected", reason: "it was told to go") }
        isOver = true
        deadline?.cancel()
        writer.flush()
        writer.close()
    }

    // MARK: The channel

    func channelActive(context: ChannelHandlerContext) {
        remote = channel.remote
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // One that is parked is read from only if it has closed its side.
        guard !isOver, links.isAnnounced(self) else { return }
        // Out of the object while it is worked on: there each access would be checked for others.
        var packets = PacketBuffer()
        swap(&packets, &self.packets)
        packets.append(unwrapInboundIn(data))
        var lists: [[LearnerMessage]] = []
        var failure: WireError?
        do throws(WireError) {
            if !isIntroduced {
                try packets.takeMessages(Self.introduction, atMost: 1, into: &lists)
                if let message = lists.first?.first { introduced(message) }
            }
            if isIntroduced { try packets.takeMessages(decoder, into: &lists) }
        } catch {
            failure = error
        }
        packets.tidy()
        self.packets = packets
        if case .request = lists.last?.last { links.asked(self) }
        links.events.deliver(lists.map { .quorum(.receivedFromLearner($0, id)) })
        if let failure { fail("what it sent cannot be read (\(failure))") }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if !isOver { writer.writabilityChanged() }
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !isOver && isIntroduced { log(.info, "learner disconnected", reason: "it is gone") }
        end()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func introduced(_ message: LearnerMessage) {
        isIntroduced = true
        deadline?.cancel()
        deadline = nil
        links.introduced(self)
        switch message {
        case .followerInfo(let info, _), .observerInfo(let info, _): server = info?.server
        default: break
        }
        log(.info, "learner connected")
    }

    // MARK: The end

    private func setDeadline(_ limit: TimeAmount, _ reason: String) {
        deadline?.cancel()
        deadline = channel.eventLoop.assumeIsolated().scheduleTask(in: limit) { [weak self] in
            self?.fail(reason)
        }
    }

    private func fail(_ reason: String) {
        if isOver { return }
        log(
            isIntroduced ? .warning : links.levelForStrangers(),
            "closing a learner's connection", reason: reason)
        end()
        writer.close()
    }

    private func end() {
        deadline?.cancel()
        if isOver { return }
        isOver = true
        links.lost(self)
    }

    private func log(_ level: Logger.Level, _ message: Logger.Message, reason: String? = nil) {
        var metadata: Logger.Metadata = ["remote": "\(remote)", "link": "\(id)"]
        if let server { metadata["peer"] = "\(server)" }
        if let reason { metadata["reason"] = "\(reason)" }
        links.logger.log(level: level, message, metadata: metadata)
    }
}
