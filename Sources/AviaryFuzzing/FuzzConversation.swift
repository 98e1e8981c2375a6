import AviaryWire

/// Bytes to a fresh connection: its first frame and what follows.
func fuzzHandshake(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let server = FuzzServer(profile: input.byte())
    let innocent = server.establish(isAuthenticating: true)
    let conversation = FuzzConversation(server, innocent, input: &input) { server.connect() }
    conversation.run()
}

/// Requests on two established sessions.
func fuzzFrames(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let profile = input.byte()
    let server = FuzzServer(profile: profile)
    let innocent = server.establish(isAuthenticating: true)
    let conversation = FuzzConversation(server, innocent, input: &input) {
        server.establish(isAuthenticating: profile & 1 != 0)
    }
    conversation.run()
}

/// A stream of frames, sent to the server a piece at a time over two connections, with something
/// happening after each piece.
///
/// An input is: the server's settings, a byte; how many bytes of orders follow, a byte; the orders;
/// the stream. Each order says how long a piece is, and what happens after it; they are used again
/// from the first when they end.
final class FuzzConversation {
    private let server: FuzzServer
    private let innocent: FuzzClient
    private let makeClient: () -> FuzzClient
    private var clients: [FuzzClient]
    private var current = 0
    private let orders: [UInt8]
    private var stream: FrameCutter

    init(
        _ server: FuzzServer, _ innocent: FuzzClient, input: inout FuzzInput,
        makeClient: @escaping () -> FuzzClient
    ) {
        self.server = server
        self.innocent = innocent
        self.makeClient = makeClient
        clients = [makeClient(), makeClient()]
        orders = input.take(Int(input.byte()))
        stream = FrameCutter(input.all())
    }

    func run() {
        var index = 0
        while !stream.isAtEnd {
            let order = orders.isEmpty ? 0 : orders[index % orders.count]
            index += 1
            clients[current].deliver(stream.cut(Self.pieceLength(order & 31)))
            obey(order >> 5)
        }
        innocent.checkPing()
        server.finish()
    }

    /// Nil: to the end of the frame.
    private static func pieceLength(_ code: UInt8) -> Int? {
        switch code {
        case 0: nil
        case 1..<16: Int(code)
        case 31: 4096
        default: (Int(code) - 15) * 24
        }
    }

    private func obey(_ order: UInt8) {
        switch order {
        case 1: server.persist()
        case 2: server.persist(onlyFirst: true)
        case 3: server.settle()
        case 4: server.pass(milliseconds: 1500)
        case 5: switchClient()
        case 6: reconnect()
        case 7:
            server.persist()
            server.settle()
            innocent.checkPing()
        default: break
        }
    }

    /// The other connection goes on, or a new one in its place.
    private func switchClient() {
        clients[current].deliver(stream.cutToEndOfFrame())
        current = 1 - current
        if clients[current].isClosed {
            server.persist()
            server.settle()
            clients[current] = makeClient()
        }
    }

    /// The connection breaks, and another goes on with its session.
    private func reconnect() {
        let session = clients[current].session
        _ = stream.cutToEndOfFrame()
        clients[current].disconnect()
        if session == .none {
            clients[current] = makeClient()
        } else {
            clients[current] = server.connect()
            clients[current].shake(session: session)
        }
    }
}
