import AviaryCore
import AviaryWire
import NIOCore

/// A server's core by itself, one client of it, and a disk that is done at once.
final class LoadedCore {
    private var core: ServerCore
    private var effects = StepEffects()
    private let now = Now(monotonicMilliseconds: 1_000_000, wallMilliseconds: 1_700_000_000_000)
    private var clients: [ConnectionID] = []

    /// - Parameter nodes: how many there are, `/n0` and so on, each with 100 bytes.
    init(nodes: Int = 1) {
        var settings = ServerSettings()
        settings.maxClientCnxns = 0
        settings.snapCount = .max
        settings.globalOutstandingLimit = .max
        settings.maximumTurnWork = .max
        settings.maximumReplyBatchBytes = .max
        core = ServerCore(
            settings: settings, tree: DataTree(hashSeed: 42, extendedTypes: true),
            authentication: Authentication(digest: nil), randomSeed: 7, at: now)
        step(.started)
        connect()
        for number in 0..<nodes {
            receive(Self.requests(1, .create) { Self.writeCreate("/n\(number)", to: &$0, $1) })
        }
    }

    /// One client more; requests are those of the first.
    func connect() {
        let remote = RemoteAddress(host: "127.0.0.1", port: 4000)
        guard let id = core.connect(from: remote, at: now) else {
            preconditionFailure("a core takes a connection")
        }
        clients.append(id)
        var bytes = ByteBuffer()
        let start = bytes.beginFrame()
        ConnectRequest(
            lastZxidSeen: .zero, timeoutMilliseconds: 10_000, session: .none,
            password: [UInt8](repeating: 0, count: 16), readOnly: false
        ).write(to: &bytes)
        bytes.endFrame(start)
        receive(bytes, from: clients.count - 1)
    }

    /// What a socket read has brought is answered, and what the disk is told is done.
    func receive(_ bytes: ByteBuffer, from client: Int = 0) {
        var input = bytes
        core.receive(&input, on: clients[client], at: now, into: &effects)
        precondition(input.readableBytes == 0, "all requests are taken at once")
        carry()
    }

    private func step(_ event: ServerCore.Event) {
        core.step(event, at: now, into: &effects)
        carry()
    }

    private func carry() {
        var last: Zxid?
        for case .append(let proposal) in effects.disk { last = proposal.zxid }
        effects.disk.removeAll(keepingCapacity: true)
        if let last { core.step(.persisted(last), at: now, into: &effects) }
        effects.disk.removeAll(keepingCapacity: true)
        effects.clients.removeAll(keepingCapacity: true)
        effects.notices.removeAll(keepingCapacity: true)
        for client in clients { _ = core.takeOutbox(of: client, at: now) }
    }

    // MARK: Requests

    /// Frames, one behind the other, as a pipelining client sends them.
    static func requests(
        _ count: Int, _ code: OpCode, _ body: (inout ByteBuffer, Int) -> Void
    ) -> ByteBuffer {
        var bytes = ByteBuffer()
        for number in 0..<count {
            let start = bytes.beginFrame()
            RequestHeader(xid: Int32(number + 1), type: code.rawValue).write(to: &bytes)
            body(&bytes, number)
            bytes.endFrame(start)
        }
        return bytes
    }

    static let value = [UInt8](repeating: UInt8(ascii: "x"), count: 100)

    static func writeRead(_ path: String, to bytes: inout ByteBuffer) {
        bytes.writeJute(Array(path.utf8))
        bytes.writeBool(false)
    }

    static func writeCreate(_ path: String, to bytes: inout ByteBuffer, _ number: Int) {
        bytes.writeJute(Array(path.utf8))
        bytes.writeJute(value)
        ACL.writeList(ACL.openToAll, to: &bytes)
        bytes.writeInteger(Int32(0))
    }

    static func writeSet(_ path: String, to bytes: inout ByteBuffer) {
        bytes.writeJute(Array(path.utf8))
        bytes.writeJute(value)
        bytes.writeInteger(Int32(-1))
    }
}
