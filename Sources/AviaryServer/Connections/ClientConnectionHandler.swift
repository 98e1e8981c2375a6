import AviaryCore
import AviaryWire
import Glibc
import NIOCore

/// One client's socket: bytes in, bytes out. What they mean is the core's to say.
final class ClientConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = Never
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    private let host: Host
    private let words: FourLetterWords
    private let buffers: ReadBuffers
    private var id: ConnectionID?
    private var context: ChannelHandlerContext?
    /// What has come and is not a whole frame yet.
    private var pending = ByteBuffer()
    /// Whether the first four bytes are still to be looked at.
    private var isFresh = true
    private var isClosing = false
    /// A read was asked for when none was to be made.
    private var hasHeldRead = false
    private var needsFlush = false
    /// What the core said last.
    private var next = ServerCore.Outbox.Next.read
    /// A task is under way that takes more of what is pending.
    private var isGoingOn = false

    init(host: Host, words: FourLetterWords, buffers: ReadBuffers) {
        self.host = host
        self.words = words
        self.buffers = buffers
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { connected(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        connected(context)
        context.fireChannelActive()
    }

    private func connected(_ context: ChannelHandlerContext) {
        if id != nil { return }
        // The channel's is the one it asked for as it came; the context asks the system again.
        let remote = RemoteAddress(context.channel.remoteAddress)
        id = host.connect(self, from: remote, on: context.eventLoop)
        if id == nil { close() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if let id { host.disconnect(id, on: context.eventLoop) }
        id = nil
        closeLimit?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if isClosing { return }
        if pending.readableBytes == 0 {
            pending = bytes
        } else {
            pending.discardReadBytes()
            pending.writeBuffer(&bytes)
            buffers.giveBack(&bytes)
        }
        if isFresh {
            guard let isWord = takeWord() else { return }
            isFresh = false
            if isWord { return }
        }
        takePending(context)
    }

    /// Hands the core what is pending. What is left after that has to wait until the other
    /// connections of the loop have had their turn, and the client has taken the replies.
    private func takePending(_ context: ChannelHandlerContext) {
        guard let id else { return }
        take(host.receive(&pending, on: id))
        buffers.giveBack(&pending)
        goOnLater(context)
    }

    private func goOnLater(_ context: ChannelHandlerContext) {
        guard next == .takeMore, isWritable, !isGoingOn else { return }
        isGoingOn = true
        // A task for now would run before the sockets are looked at.
        let soon = TimeAmount.microseconds(20)
        context.eventLoop.assumeIsolated().scheduleTask(in: soon) { [weak self] in
            guard let self else { return }
            isGoingOn = false
            guard let context = self.context, next == .takeMore, isWritable else { return }
            takePending(context)
            flush()
            readIfHeld(context)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        flush()
        context.fireChannelReadComplete()
    }

    /// A client that does not read its replies is not read from either.
    func read(context: ChannelHandlerContext) {
        if isWritable && next == .read {
            context.read()
        } else {
            hasHeldRead = true
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if isWritable, let id { send(host.takeOutbox(of: id)) }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { close() }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    // MARK: Sending

    /// Whether the client takes what it is sent.
    var isWritable: Bool { !isClosing && context?.channel.isWritable == true }

    /// On the loop: what the core has for this client, from whichever thread.
    func send(_ outbox: ServerCore.Outbox) {
        take(outbox)
        guard let context else { return }
        goOnLater(context)
        flush()
        readIfHeld(context)
    }

    private func readIfHeld(_ context: ChannelHandlerContext) {
        if hasHeldRead && next == .read && isWritable {
            hasHeldRead = false
            context.read()
        }
    }

    private func take(_ outbox: ServerCore.Outbox) {
        next = outbox.next
        if next == .close { close(after: outbox.bytes) } else { write(outbox.bytes) }
    }

    private func write(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0, let context, !isClosing else { return }
        context.write(wrapOutboundOut(bytes), promise: nil)
        needsFlush = true
    }

    private func flush() {
        guard needsFlush else { return }
        needsFlush = false
        context?.flush()
    }

    /// After everything that was written is sent, or the client has had time enough to take it.
    private func close(after farewell: ByteBuffer = ByteBuffer()) {
        if isClosing { return }
        isClosing = true
        guard let context else { return }
        needsFlush = false
        let channel = context.channel
        // This may end at once, and the connection with it.
        channel.writeAndFlush(farewell).whenComplete { _ in channel.close(promise: nil) }
        guard channel.isActive else { return }
        closeLimit = context.eventLoop.scheduleTask(in: Self.longestClose) {
            channel.close(promise: nil)
        }
    }

    /// On the loop: ends the connection without a farewell, as a machine that fails does. What was
    /// written and not sent is lost.
    func reset() {
        guard let channel = context?.channel else { return }
        isClosing = true
        guard let options = channel as? any SocketOptionProvider else {
            return channel.close(promise: nil)
        }
        options.setSoLinger(linger(l_onoff: 1, l_linger: 0))
            .whenComplete { _ in channel.close(promise: nil) }
    }

    private var closeLimit: Scheduled<Void>?
    private static let longestClose = TimeAmount.seconds(5)

    /// - Returns: whether the connection was one for a four letter word; nil if that cannot be told
    ///   yet.
    private func takeWord() -> Bool? {
        guard let word = pending.getString(at: pending.readerIndex, length: 4) else { return nil }
        let mask = pending.getInteger(at: pending.readerIndex + 4, as: Int64.self)
        if word == "stmk" && mask == nil { return nil }
        guard
            let answer = words.answer(
                to: word, mask: mask, host: host, port: context?.channel.localAddress?.port ?? 0)
        else { return false }
        close(after: ByteBuffer(string: answer))
        return true
    }
}

extension RemoteAddress {
    init(_ address: SocketAddress?) {
        self.init(ipAddress: address?.ipAddress ?? "", port: address?.port ?? 0)
    }
}
