import AviaryWire
import NIOCore
import Zab

@testable import AviaryCore

/// A core with clients and a disk that persists only when it is told to.
final class CoreHarness {
    var core: ServerCore
    var effects = StepEffects()
    var now = Now(monotonicMilliseconds: 1_000_000, wallMilliseconds: 1_700_000_000_000)
    /// Appended and not persisted.
    private(set) var unpersisted: [Zxid] = []
    private(set) var snapshots: [TreeSnapshot] = []
    private(set) var appended: [LogEntry] = []
    private(set) var notices: [StepEffects.Notice] = []
    /// What went to other members since it was last taken.
    var peers: [StepEffects.Peer] = []
    /// A follower that acknowledges whatever is on the disk here.
    var follower: LinkID?
    /// A tree that came from a leader and is to be put on the disk.
    private(set) var installing: TreeSnapshot?
    private var areEpochsSaved = false
    /// Whether each request is followed by the disk at once.
    var persistsAtOnce = true

    init(
        _ change: (inout ServerSettings) -> Void = { _ in },
        authentication: Authentication? = nil,
        membership: ServerCore.Membership = .standalone,
        tree: consuming DataTree = DataTree(hashSeed: 42, extendedTypes: true)
    ) {
        var settings = ServerSettings()
        settings.tickTimeMilliseconds = 2000
        settings.minimumSessionTimeoutMilliseconds = 4000
        settings.maximumSessionTimeoutMilliseconds = 40000
        settings.extendedTypes = true
        settings.maxClientCnxns = 0
        change(&settings)
        core = ServerCore(
            settings: settings, tree: tree,
            authentication: authentication ?? Authentication(digest: Self.digest),
            membership: membership, randomSeed: 7, at: now)
        step(.started)
    }

    /// Tests need no secrecy, only something that follows from the input.
    static let digest = Authentication.Digest(superDigest: "super:SUPER:secret") { auth in
        ByteString(String(decoding: auth, as: UTF8.self).uppercased())
    }

    func step(_ event: ServerCore.Event) {
        core.step(event, at: now, into: &effects)
        takeDisk()
    }

    func advance(milliseconds: Int64) {
        now.monotonicMilliseconds += milliseconds
        now.wallMilliseconds += milliseconds
        while core.deadline <= now.monotonicMilliseconds {
            step(.deadlinePassed)
        }
        if persistsAtOnce { persist() }
    }

    func persist() {
        while let last = unpersisted.last {
            unpersisted.removeAll()
            step(.persisted(last))
            if let follower {
                step(.quorum(.receivedFromLearner([.ack(last)], follower)))
            }
        }
    }

    private func takeDisk() {
        carry(&effects)
        if areEpochsSaved {
            areEpochsSaved = false
            step(.quorum(.epochsSaved))
        }
    }

    /// The disk has the leader's tree.
    func installed() {
        installing = nil
        core.snapshotInstalled(at: now, into: &effects)
        takeDisk()
    }

    /// Notes what the disk is told, and forgets it.
    func carry(_ effects: inout StepEffects) {
        for order in effects.disk {
            switch order {
            case .append(let proposal):
                unpersisted.append(proposal.zxid)
                let bytes = Array(proposal.bytes.readableBytesView)
                var reader = JuteReader(bytes.raw)
                if let entry = try? LogEntry(from: &reader) { appended.append(entry) }
            case .rollLog: break
            case .writeSnapshot(let snapshot):
                snapshots.append(snapshot)
            case .saveEpochs: areEpochsSaved = true
            case .installSnapshot(let snapshot): installing = snapshot
            case .truncate: preconditionFailure("no test here has a log to cut")
            }
        }
        effects.disk.removeAll()
        effects.clients.removeAll()
        notices += effects.notices
        effects.notices.removeAll()
        peers += effects.peers.flatMap(\.byLearner)
        effects.peers.removeAll()
    }

    /// Forgets the log and the snapshots.
    func forgetDisk() {
        unpersisted = []
        snapshots = []
        appended = []
    }

    // MARK: Clients

    func connect(host: ByteString = "127.0.0.1") -> TestClient? {
        core.connect(from: RemoteAddress(host: host, port: 4000), at: now).map {
            TestClient(harness: self, id: $0)
        }
    }

    /// A client with an established session.
    func client(timeout: Int32 = 10_000, host: ByteString = "127.0.0.1") -> TestClient {
        guard let client = connect(host: host) else { preconditionFailure("no connection") }
        client.shake(timeout: timeout)
        persist()
        _ = client.replies()
        return client
    }

    fileprivate func disconnect(_ id: ConnectionID) {
        core.disconnect(id, into: &effects)
        carry(&effects)
    }

    fileprivate func deliver(_ bytes: ByteBuffer, to id: ConnectionID) -> ByteBuffer {
        var input = bytes
        core.receive(&input, on: id, at: now, into: &effects)
        takeDisk()
        if persistsAtOnce { persist() }
        return input
    }
}

/// One connection to a `CoreHarness`.
final class TestClient {
    private let harness: CoreHarness
    let id: ConnectionID
    private var xid: Int32 = 0
    private(set) var isClosed = false
    /// What the core would have the driver do.
    private(set) var next = ServerCore.Outbox.Next.read
    private(set) var session = SessionID.none
    private var left = ByteBuffer()

    /// A frame from the server: a reply, or an event with xid -1.
    struct Reply: Hashable {
        var xid: Int32
        var zxid: Zxid
        var error: Int32
        var body: [UInt8]
    }

    init(harness: CoreHarness, id: ConnectionID) {
        self.harness = harness
        self.id = id
    }

    func shake(
        timeout: Int32 = 10_000, session: SessionID = .none, password: [UInt8]? = nil,
        lastZxid: Zxid = .zero, readOnly: Bool = false
    ) {
        let request = ConnectRequest(
            lastZxidSeen: lastZxid, timeoutMilliseconds: timeout, session: session,
            password: password ?? [UInt8](repeating: 0, count: 16), readOnly: readOnly)
        sendFrame { request.write(to: &$0) }
    }

    /// What the server answered to the handshake.
    func connectResponse() -> ConnectResponse? {
        guard let frame = takeFrames().first else { return nil }
        var reader = JuteReader(frame.raw)
        let response = try? ConnectResponse(from: &reader)
        session = response?.session ?? .none
        return response
    }

    @discardableResult
    func send(_ code: OpCode, _ body: (inout ByteBuffer) -> Void = { _ in }) -> Int32 {
        xid += 1
        send(frame(code, xid: xid, body))
        return xid
    }

    func frame(
        _ code: OpCode, xid: Int32, _ body: (inout ByteBuffer) -> Void = { _ in }
    ) -> ByteBuffer {
        var buffer = ByteBuffer()
        let start = buffer.beginFrame()
        RequestHeader(xid: xid, type: code.rawValue).write(to: &buffer)
        body(&buffer)
        buffer.endFrame(start)
        return buffer
    }

    private func sendFrame(_ body: (inout ByteBuffer) -> Void) {
        var buffer = ByteBuffer()
        let start = buffer.beginFrame()
        body(&buffer)
        buffer.endFrame(start)
        send(buffer)
    }

    func send(_ bytes: ByteBuffer) {
        left.writeImmutableBuffer(bytes)
        left = harness.deliver(left, to: id)
    }

    func replies() -> [Reply] {
        takeFrames().compactMap { frame in
            var reader = JuteReader(frame.raw)
            guard let header = try? ReplyHeader(from: &reader) else { return nil }
            return Reply(
                xid: header.xid, zxid: header.zxid, error: header.error,
                body: Array(frame[reader.position...]))
        }
    }

    /// Sends, lets the disk catch up, and returns the one reply.
    func ask(_ code: OpCode, _ body: (inout ByteBuffer) -> Void = { _ in }) -> Reply? {
        send(code, body)
        return replies().last
    }

    func disconnect() { harness.disconnect(id) }

    private func takeFrames() -> [[UInt8]] {
        var bytes = ByteBuffer()
        repeat {
            let outbox = harness.core.takeOutbox(of: id, at: harness.now)
            bytes.writeImmutableBuffer(outbox.bytes)
            next = outbox.next
            if next == .takeMore { send(ByteBuffer()) }
        } while next == .takeMore
        isClosed = next == .close
        var frames: [[UInt8]] = []
        while let length = bytes.readInteger(as: Int32.self),
            let frame = bytes.readBytes(length: Int(length))
        {
            frames.append(frame)
        }
        return frames
    }
}

// MARK: - Requests

extension TestClient {
    func create(_ path: String, _ data: String? = "", flags: Int32 = 0) -> Reply? {
        ask(.create) { $0.writeCreate(path, data, flags: flags) }
    }

    func set(_ path: String, _ data: String, version: Int32 = -1) -> Reply? {
        ask(.setData) { $0.writeSet(path, data, version: version) }
    }

    func delete(_ path: String, version: Int32 = -1) -> Reply? {
        ask(.delete) { $0.writeVersion(path, version) }
    }

    func get(_ path: String, watch: Bool = false) -> Reply? {
        ask(.getData) { $0.writeRead(path, watch: watch) }
    }

    func exists(_ path: String, watch: Bool = false) -> Reply? {
        ask(.exists) { $0.writeRead(path, watch: watch) }
    }

    func children(_ path: String, watch: Bool = false) -> Reply? {
        ask(.getChildren) { $0.writeRead(path, watch: watch) }
    }
}

extension ByteBuffer {
    mutating func writeText(_ text: String?) { writeJute(text.map { Array($0.utf8) }) }

    mutating func writeCreate(
        _ path: String, _ data: String? = "", acl: [ACL] = ACL.openToAll, flags: Int32 = 0
    ) {
        writeText(path)
        writeText(data)
        ACL.writeList(acl, to: &self)
        writeInteger(flags)
    }

    mutating func writeSet(_ path: String, _ data: String?, version: Int32 = -1) {
        writeText(path)
        writeText(data)
        writeInteger(version)
    }

    mutating func writeVersion(_ path: String, _ version: Int32 = -1) {
        writeText(path)
        writeInteger(version)
    }

    mutating func writeRead(_ path: String, watch: Bool) {
        writeText(path)
        writeBool(watch)
    }
}

extension TestClient.Reply {
    /// The body of a getData.
    var data: [UInt8]? {
        var reader = JuteReader(body.raw)
        return (try? reader.readBuffer()) ?? nil
    }

    /// The first string of the body.
    var text: String? { data.map { String(decoding: $0, as: UTF8.self) } }

    /// The body of a getData, less the data; or of an exists.
    var stat: Stat? {
        let tail = Array(body.suffix(Stat.byteCount))
        var reader = JuteReader(tail.raw)
        return try? Stat(from: &reader)
    }

    /// An event's type and path.
    var event: (type: WatchEventType, path: String)? {
        guard xid == SpecialXid.notification else { return nil }
        var reader = JuteReader(body.raw)
        guard let raw = try? reader.readInt(), let type = WatchEventType(rawValue: raw),
            (try? reader.readInt()) == 3, let path = try? reader.readPath()
        else { return nil }
        return (type, path.description)
    }
}
