import NIOCore

/// Asks a server with the word "isro" whether it is read-only.
final class Probe: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Source: ClientCnxn.pingRwServer, ZooKeeper 3.9.5.
    static let limit = TimeAmount.seconds(1)

    private var answer = ByteBuffer()
    private var answered: ((Bool) -> Void)?

    init(answered: @escaping (Bool) -> Void) {
        self.answered = answered
    }

    func handlerAdded(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: "isro")), promise: nil)
        context.channel.setOption(.autoRead, value: true).assumeIsolated().whenFailure { _ in
            context.close(promise: nil)
        }
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.limit) {
            context.close(promise: nil)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        answer.writeBuffer(&bytes)
        if answer.readableBytes >= 2 { context.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        answered?(answer.readableBytesView.starts(with: "rw".utf8))
        answered = nil
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
