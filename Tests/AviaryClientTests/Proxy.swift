import AviaryWire
import NIOCore
import NIOPosix
import Synchronization

/// A way to a server that can be cut, closed, or made to swallow what the server says.
final class Proxy: Sendable {
    private struct State {
        var pairs: [any Channel] = []
        var isOpen = true
    }

    let port: Int
    private let target: Int
    private let targetHost: String
    private let listener: any Channel
    private let state = Mutex(State())
    /// What the server says is dropped.
    let isMute = Atomic(false)
    /// How many bytes of clients are let through before the connection is cut; -1 for all.
    let cutAfter = Atomic(-1)

    /// - Parameter server: "host:port", of several the first.
    static func start(to server: String) async throws -> Proxy {
        let first = server.split(separator: ",")[0]
        let colon = first.lastIndex(of: ":") ?? first.endIndex
        let port = Int(first[colon...].dropFirst()) ?? 2181
        let accepted = Mutex<Proxy?>(nil)
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                accepted.withLock { $0 }?.accept(channel)
                    ?? channel.eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel)
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let proxy = Proxy(listener, String(first[..<colon]), port)
        accepted.withLock { $0 = proxy }
        return proxy
    }

    private init(_ listener: any Channel, _ host: String, _ target: Int) {
        self.listener = listener
        self.targetHost = host
        self.target = target
        port = listener.localAddress?.port ?? 0
    }

    var address: String { "127.0.0.1:\(port)" }

    /// Breaks the connections there are.
    func cut() {
        let pairs = state.withLock { state in
            defer { state.pairs = [] }
            return state.pairs
        }
        for channel in pairs { channel.close(promise: nil) }
    }

    /// Breaks the connections there are, and takes none until it is opened.
    func close() {
        state.withLock { $0.isOpen = false }
        cut()
    }

    func open() {
        state.withLock { $0.isOpen = true }
    }

    func stop() async {
        close()
        try? await listener.close()
    }

    private func accept(_ client: any Channel) -> EventLoopFuture<Void> {
        guard state.withLock({ $0.isOpen }) else {
            return client.eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel)
        }
        return ClientBootstrap(group: client.eventLoop)
            .channelOption(.autoRead, value: false)
            .connect(host: targetHost, port: target)
            .flatMapThrowing { server in
                try client.pipeline.syncOperations.addHandler(
                    Forward(to: server, self, fromServer: false))
                try server.pipeline.syncOperations.addHandler(
                    Forward(to: client, self, fromServer: true))
                self.state.withLock { $0.pairs += [client, server] }
                client.setOption(.autoRead, value: true).whenComplete { _ in }
                server.setOption(.autoRead, value: true).whenComplete { _ in }
            }
    }

    private final class Forward: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let other: any Channel
        private let proxy: Proxy
        private let fromServer: Bool

        init(to other: any Channel, _ proxy: Proxy, fromServer: Bool) {
            self.other = other
            self.proxy = proxy
            self.fromServer = fromServer
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data)
            if fromServer {
                if !proxy.isMute.load(ordering: .relaxed) {
                    other.writeAndFlush(bytes, promise: nil)
                }
                return
            }
            let left = proxy.cutAfter.load(ordering: .relaxed)
            other.writeAndFlush(bytes, promise: nil)
            if left < 0 { return }
            let isOver = left <= bytes.readableBytes
            proxy.cutAfter.store(isOver ? -1 : left - bytes.readableBytes, ordering: .relaxed)
            if isOver { context.close(promise: nil) }
        }

        func channelInactive(context: ChannelHandlerContext) {
            other.close(promise: nil)
        }
    }
}

/// A server that shakes hands and answers the word "isro", and nothing else.
final class FakeServer: Sendable {
    let port: Int
    private let listener: any Channel

    static func start(readOnly: Bool) async throws -> FakeServer {
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Answers(readOnly: readOnly))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return FakeServer(listener)
    }

    private init(_ listener: any Channel) {
        self.listener = listener
        port = listener.localAddress?.port ?? 0
    }

    func stop() async {
        try? await listener.close()
    }

    private final class Answers: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let readOnly: Bool
        private var isConnected = false

        init(readOnly: Bool) {
            self.readOnly = readOnly
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data)
            if bytes.readableBytesView.elementsEqual("isro".utf8) {
                let word = ByteBuffer(string: readOnly ? "ro" : "rw")
                context.writeAndFlush(wrapOutboundOut(word), promise: nil)
                context.close(promise: nil)
                return
            }
            if isConnected { return }
            isConnected = true
            var answer = ByteBuffer()
            let start = answer.beginFrame()
            ConnectResponse(
                timeoutMilliseconds: 10_000, session: SessionID(0x77),
                password: [UInt8](repeating: 1, count: 16), readOnly: readOnly
            ).write(to: &answer)
            answer.endFrame(start)
            context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
        }
    }
}
