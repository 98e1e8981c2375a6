import Logging
import NIOCore

/// A connection's bytes, brought to the driver.
final class ConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let driver: Driver
    private let attempt: UInt64
    /// What has come and is not a whole frame yet.
    private var pending = ByteBuffer()

    init(driver: Driver, attempt: UInt64) {
        self.driver = driver
        self.attempt = attempt
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if pending.readableBytes == 0 {
            pending = bytes
        } else {
            pending.discardReadBytes()
            pending.writeBuffer(&bytes)
        }
        takePending(context.eventLoop)
    }

    private func takePending(_ loop: any EventLoop) {
        if !driver.received(&pending, on: attempt) {
            loop.assumeIsolated().execute { self.takePending(loop) }
        }
        if pending.readableBytes == 0 { pending = ByteBuffer() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { driver.pump() }
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        driver.connectionLost(attempt)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        driver.logger.debug(
            "connection failed", metadata: ["error.message": "\(error)"])
        context.close(promise: nil)
    }
}
