import AviaryWire
import Logging
import NIOCore
import Zab

/// One connection of the election port: frames in, votes out.
final class ElectionLink: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let links: ElectionLinks
    private let channel: any Channel
    /// The other side, for the log.
    private(set) var remote: String
    /// Nil until the other side has said who it is, and is welcome.
    var server: ServerID?
    private var received = ElectionBuffer()
    private(set) var isOver = false
    /// The socket has not taken the last message yet.
    private(set) var isWriting = false
    private var deadline: Scheduled<Void>?

    /// - Parameter server: who it is, if this side has made the connection.
    init(_ links: ElectionLinks, _ channel: any Channel, server: ServerID? = nil) {
        self.links = links
        self.channel = channel
        remote = channel.remote
        self.server = server
    }

    /// - Parameter timeout: how long the other side may take to say who it is.
    func start(handshakeTimeout timeout: TimeAmount? = nil) throws {
        try channel.pipeline.syncOperations.addHandler(self)
        if let timeout {
            deadline = channel.eventLoop.assumeIsolated().scheduleTask(in: timeout) { [weak self] in
                self?.fail("it did not say in time which server it is")
            }
        }
        try channel.syncOptions?.setOption(.autoRead, value: true)
    }

    /// The socket is asked to take these bytes at once; only when it has may the next be given.
    func write(_ bytes: ByteBuffer) {
        precondition(!isWriting, "one message is sent at a time")
        isWriting = true
        channel.writeAndFlush(bytes).assumeIsolated().whenComplete { result in
            self.isWriting = false
            if case .success = result, !self.isOver { self.links.hasSent(self) }
        }
    }

    /// Ends the link; nobody is told.
    func discard() {
        if isOver { return }
        isOver = true
        deadline?.cancel()
        channel.close(promise: nil)
    }

    func channelActive(context: ChannelHandlerContext) {
        remote = channel.remote
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isOver { return }
        received.append(unwrapInboundIn(data))
        var votes: [PeerLinks.Event] = []
        var failure: WireError?
        do throws(WireError) {
            guard try isIntroduced(), let server else { return }
            try takeFrames(from: server, into: &votes)
        } catch {
            failure = error
        }
        received.tidy()
        links.events.deliver(votes)
        if let failure { fail("what it sent cannot be read (\(failure))") }
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    // MARK: Reading

    /// False if the link is over, or more bytes are needed to tell.
    private func isIntroduced() throws(WireError) -> Bool {
        if server != nil { return true }
        guard let message = try received.takeInitialMessage() else { return false }
        deadline?.cancel()
        deadline = nil
        links.introduced(self, message)
        return !isOver
    }

    private func takeFrames(
        from server: ServerID, into votes: inout [PeerLinks.Event]
    ) throws(WireError) {
        while let frame = try received.takeFrame() {
            switch frame {
            case .vote(let vote): votes.append(.quorum(.vote(vote, from: server)))
            case .unreadable(let error):
                links.logger.debug(
                    "a vote cannot be read", metadata: ["peer": "\(server)", "error": "\(error)"])
            }
        }
    }

    private func fail(_ reason: String) {
        if isOver { return }
        links.warn(
            "closing an election connection", about: self, metadata: ["reason": "\(reason)"])
        channel.close(promise: nil)
        end()
    }

    private func end() {
        deadline?.cancel()
        if isOver { return }
        isOver = true
        links.lost(self)
    }
}
