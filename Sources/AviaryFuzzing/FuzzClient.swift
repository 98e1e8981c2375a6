import AviaryCore
import AviaryWire
import NIOCore

/// One connection to a `FuzzServer`, driven as the server's own handler drives it. It notes what the
/// core took and what it sent.
final class FuzzClient {
    private unowned let server: FuzzServer
    private(set) var id: ConnectionID
    /// Received by the server, and not taken by the core.
    private var pending = ByteBuffer()
    private var next = ServerCore.Outbox.Next.read
    private(set) var isClosed = false
    /// As the connect response has it.
    private(set) var session = SessionID.none
    /// The xids of what was asked, in order, but for what is answered out of turn.
    private var asked: [Int32] = []
    private var askedOutOfTurn = 0
    private var hasAskedForSession = false
    private var hasSession = false
    /// The xids of what was answered, in order, but for events.
    private var answered: [Int32] = []
    /// The header and the body of the newest answer.
    private(set) var lastAnswer: (header: ReplyHeader, body: [UInt8])?
    /// A client that calls a request what the server calls events cannot tell them apart.
    private var usesEventXid = false

    init(_ server: FuzzServer, _ id: ConnectionID) {
        self.server = server
        self.id = id
    }

    // MARK: Sending

    func shake(session: SessionID) {
        let request = ConnectRequest(
            lastZxidSeen: .zero, timeoutMilliseconds: 10_000, session: session,
            password: session.password, readOnly: false)
        var frame = ByteBuffer()
        let start = frame.beginFrame()
        request.write(to: &frame)
        frame.endFrame(start)
        deliver(Array(frame.readableBytesView))
    }

    func request(_ type: Int32, xid: Int32, _ body: [UInt8] = []) {
        var frame = ByteBuffer()
        let start = frame.beginFrame()
        RequestHeader(xid: xid, type: type).write(to: &frame)
        frame.writeBytes(body)
        frame.endFrame(start)
        deliver(Array(frame.readableBytesView))
    }

    /// A socket read.
    func deliver(_ bytes: [UInt8]) {
        if isClosed { return }
        pending.writeBytes(bytes)
        pump()
    }

    private func pump() {
        var rounds = 0
        repeat {
            let before = pending
            let outbox = server.receive(&pending, on: id)
            note(before)
            take(outbox, pumps: false)
            rounds += 1
            must(rounds < 100_000, "frames are taken at last")
        } while next == .takeMore
    }

    /// What the core has for this client.
    func take(_ outbox: ServerCore.Outbox, pumps: Bool = true) {
        if isClosed { return }
        read(outbox.bytes)
        next = outbox.next
        if next == .close {
            isClosed = true
            server.disconnect(self)
        } else if next == .takeMore && pumps {
            pump()
        }
    }

    func disconnect() {
        if isClosed { return }
        isClosed = true
        server.disconnect(self)
    }

    // MARK: Noting

    /// Notes the frames that the core took.
    private func note(_ before: ByteBuffer) {
        var taken = before
        taken.moveWriterIndex(to: before.writerIndex - pending.readableBytes)
        while let length = taken.readInteger(as: Int32.self), length >= 0,
            let frame = taken.readBytes(length: Int(length))
        {
            if !hasAskedForSession {
                hasAskedForSession = true
                continue
            }
            var reader = JuteReader(frame.raw)
            guard let header = try? RequestHeader(from: &reader) else { continue }
            switch OpCode(rawValue: header.type) {
            case .auth, .sasl: askedOutOfTurn += 1
            case .ping: asked.append(SpecialXid.ping)
            default:
                asked.append(header.xid)
                if header.xid == SpecialXid.notification { usesEventXid = true }
            }
        }
    }

    /// Only whole frames are sent, and no more of them than memory is kept for.
    private func read(_ bytes: ByteBuffer) {
        let limits = server.limits
        let most = limits.maximumOutboxBytes + limits.maximumReplyBatchBytes + Self.largestReply
        must(bytes.readableBytes <= most, "an outbox has a limit")
        var bytes = bytes
        while let length = bytes.readInteger(as: Int32.self) {
            guard let frame = bytes.readBytes(length: Int(length)) else {
                fatalError("only whole frames are sent")
            }
            read(frame: frame)
        }
        must(bytes.readableBytes == 0, "only whole frames are sent")
    }

    /// More than any node of the small tree has, and any list of its children.
    private static let largestReply = 64 << 10

    private func read(frame: [UInt8]) {
        var reader = JuteReader(frame.raw)
        if !hasSession {
            hasSession = true
            guard let response = try? ConnectResponse(from: &reader) else {
                fatalError("the first answer is to the handshake")
            }
            session = response.session
            return
        }
        guard let header = try? ReplyHeader(from: &reader) else {
            fatalError("a reply has a header")
        }
        if header.xid == SpecialXid.notification { return }
        answered.append(header.xid)
        lastAnswer = (header, Array(frame[reader.position...]))
    }

    // MARK: Checks

    /// With nothing on its way, everything that the core took is answered, and in order.
    func checkAtRest() {
        if isClosed { return }
        must(next == .read, "a connection is read again")
        let length = pending.getInteger(at: pending.readerIndex, as: Int32.self)
        let hasFrame = length.map { Int($0) <= pending.readableBytes - 4 } ?? false
        must(!hasFrame, "a whole frame is taken")
        if usesEventXid || !hasSession { return }
        must(
            answered.count == asked.count + askedOutOfTurn, "each request has one answer")
        var rest = answered[...]
        for xid in asked {
            guard let index = rest.firstIndex(of: xid) else {
                fatalError("requests are answered in order")
            }
            rest = rest[(index + 1)...]
        }
    }

    /// Others do what they like: a ping is answered.
    func checkPing() {
        if isClosed { return }
        server.settle()
        if isClosed { return }
        let before = answered.count
        request(OpCode.ping.rawValue, xid: SpecialXid.ping)
        var rounds = 0
        while before == answered.count && !isClosed && rounds < 100 {
            server.persist()
            server.settle()
            rounds += 1
        }
        if isClosed { return }
        must(answered.count == before + 1, "a ping is answered")
        must(answered.last == SpecialXid.ping, "a ping is answered")
    }
}
