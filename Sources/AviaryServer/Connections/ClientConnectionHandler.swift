import AviaryCore
import AviaryWire
import NIOCore

/// One client's socket: bytes in, bytes out. What they mean is the core's to say.
final class ClientConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = Never
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    private let host: Host
    private let words: FourLetterWords
    private var id: ConnectionID?
    private var context: ChannelHandlerContext?
    /// What has come and is not a whole frame yet.
    private var pending = ByteBuffer()
    /// Whether the first four bytes are still to be looked at.
    private var isFresh = true
    private var isClosing = false
    /// A read was asked for while the client did not take what it is sent.
    private var hasHeldRead = false
    private var needsFlush = false

    init(host: Host, words: FourLetterWords) {
        self.host = host
        self.words = words
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
        let remote = RemoteAddress(context.remoteAddress)
        id = host.connect(self, from: remote, on: context.eventLoop)
        if id == nil { close() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if let id { host.disconnect(id, on: context.eventLoop) }
        id = nil
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if isClosing { return }
        if pending.readableBytes == 0 {
            pending = bytes
        } else {
            pending.writeBuffer(&bytes)
        }
        if isFresh {
            guard pending.readableBytes >= 4 else { return }
            isFresh = false
            if answerWord() { return }
        }
        guard let id else { return }
        let outbox = host.receive(&pending, on: id)
        if pending.readableBytes == 0 { pending = ByteBuffer() }
        write(outbox.bytes)
        if outbox.close { close() }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        flush()
        context.fireChannelReadComplete()
    }

    /// A client that does not read its replies is not read from either.
    func read(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            context.read()
        } else {
            hasHeldRead = true
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable && hasHeldRead {
            hasHeldRead = false
            context.read()
        }
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

    /// On the loop: what the core has for this client, from whichever thread.
    func send(_ bytes: ByteBuffer, close isLast: Bool) {
        write(bytes)
        if isLast { close() }
        flush()
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

    /// After everything that was written is sent.
    private func close() {
        if isClosing { return }
        isClosing = true
        guard let context else { return }
        needsFlush = false
        let channel = context.channel
        channel.writeAndFlush(ByteBuffer()).whenComplete { _ in channel.close(promise: nil) }
    }

    /// - Returns: whether the connection was one for a four letter word.
    private func answerWord() -> Bool {
        guard let word = pending.getString(at: pending.readerIndex, length: 4),
            let answer = words.answer(
                to: word, host: host, port: context?.localAddress?.port ?? 0)
        else { return false }
        write(ByteBuffer(string: answer))
        close()
        return true
    }
}

extension RemoteAddress {
    init(_ address: SocketAddress?) {
        self.init(host: ByteString(address?.ipAddress ?? ""), port: address?.port ?? 0)
    }
}
