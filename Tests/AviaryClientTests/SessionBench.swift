import AviaryClient
import AviaryWire
import NIOCore

/// A `ClientSession` with a hand on its clock and its wire.
struct SessionBench {
    typealias Effect = ClientEffect<Int, Int>

    var session: ClientSession<Int, Int>
    var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private(set) var attempt: UInt64 = 0
    private(set) var host: Host?
    private var metAttempt: UInt64 = 0

    init(_ servers: String = "a:1,b:2,c:3", _ change: (inout SessionSettings) -> Void = { _ in })
        throws
    {
        let parsed = try ConnectString(servers)
        var settings = SessionSettings(hosts: parsed.hosts, chroot: parsed.chroot)
        settings.shufflesServers = false
        change(&settings)
        session = ClientSession(settings, seed: 1, at: now)
    }

    /// What the session has ordered since the last call.
    mutating func effects() -> [Effect] {
        defer { session.effects = [] }
        for effect in session.effects {
            if case .connect(let host, let attempt, _) = effect {
                self.attempt = attempt
                self.host = host
            }
        }
        return session.effects
    }

    mutating func pass(_ time: TimeAmount) -> [Effect] {
        now = now + time
        session.timePassed(at: now)
        return effects()
    }

    /// Waits for the pause between attempts, and has the connection made.
    mutating func meetServer() -> ConnectRequest? {
        _ = effects()
        if attempt == metAttempt, let deadline = session.deadline {
            now = deadline
            _ = pass(.zero)
        }
        metAttempt = attempt
        session.connectionMade(attempt, at: now)
        let frames = sentFrames()
        guard let frame = frames.first, frames.count == 1 else { return nil }
        var reader = JuteReader(frame.raw)
        return try? ConnectRequest(from: &reader)
    }

    mutating func answerHandshake(
        session id: Int64 = 0x11, timeout: Int32 = 9000, readOnly: Bool = false
    ) -> [Effect] {
        receive { buffer in
            ConnectResponse(
                timeoutMilliseconds: timeout, session: SessionID(id),
                password: [UInt8](repeating: 5, count: 16), readOnly: readOnly
            ).write(to: &buffer)
        }
    }

    /// Up to the state connected; effects so far are dropped.
    mutating func connect() {
        session.start(at: now)
        _ = meetServer()
        _ = answerHandshake()
    }

    mutating func submit(
        _ operation: Operation, _ ticket: Int, watch: NewWatch<Int>? = nil,
        timeout: TimeAmount? = nil
    ) -> UInt64 {
        session.submit(operation, ticket: ticket, watch: watch, timeout: timeout, at: now)
    }

    mutating func receive(_ write: (inout ByteBuffer) -> Void) -> [Effect] {
        var frame = ByteBuffer()
        let start = frame.beginFrame()
        write(&frame)
        frame.endFrame(start)
        let bytes = Array(frame.readableBytesView)
        _ = session.receive(bytes.raw, on: attempt, at: now)
        return effects()
    }

    mutating func reply(
        _ xid: Int32, zxid: Int64 = 1, error: Int32 = 0,
        _ body: (inout ByteBuffer) -> Void = { _ in }
    ) -> [Effect] {
        receive { buffer in
            ReplyHeader(xid: xid, zxid: Zxid(zxid), error: error).write(to: &buffer)
            body(&buffer)
        }
    }

    mutating func notify(_ type: WatchEventType, _ path: Path, zxid: Int64 = -1) -> [Effect] {
        reply(-1, zxid: zxid) { WatcherEvent(type: type, path: path).write(to: &$0) }
    }

    /// The payloads of what the session has written since the last call.
    mutating func sentFrames() -> [[UInt8]] {
        var outbox = session.takeOutbox()
        var frames: [[UInt8]] = []
        while let length = outbox.readInteger(as: Int32.self),
            let frame = outbox.readBytes(length: Int(length))
        {
            frames.append(frame)
        }
        return frames
    }

    /// The headers of what the session has written since the last call.
    mutating func sentHeaders() -> [RequestHeader] {
        sentFrames().compactMap { frame in
            var reader = JuteReader(frame.raw)
            return try? RequestHeader(from: &reader)
        }
    }
}
