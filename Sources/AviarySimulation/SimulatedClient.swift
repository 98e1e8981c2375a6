import AviaryCore
import AviaryWire
import DequeModule
import NIOCore

/// A client of the ensemble: keeps a session, moves it from server to server, and asks for things.
final class SimulatedClient {
    enum Phase: Hashable {
        case disconnected
        case connecting
        /// The session is asked for.
        case greeting
        case established
        /// It has closed its session, and waits for the answer.
        case closing
    }

    let index: Int
    let knobs: Knobs
    var random: SeededRandom
    var phase = Phase.disconnected
    var wire: Wire?
    var session = SessionID.none
    /// Whether it is content with a server that has no leader, and whether it has one now.
    let takesReadOnly: Bool
    var isReadOnly = false
    var lastZxidSeen = Zxid.zero
    var lastXid: Int32 = 0
    var pending: Deque<ClientOperation> = []
    /// Watches by path, and the zxid since which they are set.
    var dataWatches = WatchList()
    var childWatches = WatchList()
    var lastHeard: Int64 = 0
    var lastSent: Int64 = 0
    var connectedAt: Int64 = 0
    private var written = 0
    /// In this session, if they are counted.
    private var ephemeralsMade = 0
    /// A write that was asked for and answered after the faults had ended.
    var hasWrittenSince = false

    init(_ index: Int, _ knobs: Knobs, seed: UInt64) {
        self.index = index
        self.knobs = knobs
        random = SeededRandom(seed: seed)
        takesReadOnly = random.below(2) == 0
    }

    var isTiredOfReading: Bool { isReadOnly && random.below(40) == 0 }

    /// Of a connection over which the session was given, or given back.
    var establishedSession: SessionID? {
        phase == .established || phase == .closing ? session : nil
    }

    var timeout: Int64 { Int64(knobs.sessionTimeoutMilliseconds) * 1000 }

    // MARK: What it does

    func nextXid() -> Int32 {
        lastXid += 1
        return lastXid
    }

    /// Something to ask for.
    func makeRequest() -> ClientOperation.Request {
        if let request = makeCountedRequest() { return request }
        let watch = random.below(3) == 0
        switch random.below(20) {
        case 0...2: return .create(path(), data: data(), .persistent)
        case 3: return .create(Self.ephemeralPath(random.below(4)), data: data(), .ephemeral)
        case 4: return .create("/q/s-", data: data(), .persistentSequential)
        case 5: return .create("/q/e-", data: data(), .ephemeralSequential)
        case 6, 7:
            return .delete(random.below(3) == 0 ? Self.ephemeralPath(random.below(4)) : path())
        case 8...11: return .setData(path(), data: data())
        case 12: return .multi(path(), path(), data: data())
        case 13: return .sync(path())
        case 14...16: return .getData(path(), watch: watch)
        case 17: return .exists(path(), watch: watch)
        case 18: return .getChildren(random.below(2) == 0 ? "/q" : topPath(), watch: watch)
        default:
            return random.below(30) == 0
                ? .close : .exists(Self.ephemeralPath(random.below(4)), watch: watch)
        }
    }

    /// Every other request makes an ephemeral, until there are as many as the session is to have.
    private func makeCountedRequest() -> ClientOperation.Request? {
        guard knobs.ephemeralsPerSession > 0 else { return nil }
        if ephemeralsMade >= knobs.ephemeralsPerSession { return .close }
        guard random.below(2) == 0 else { return nil }
        ephemeralsMade += 1
        return .create("/q/e-", data: data(), .ephemeralSequential)
    }

    /// The session is no more.
    func forget() {
        session = .none
        ephemeralsMade = 0
        dataWatches.removeAll()
        childWatches.removeAll()
    }

    static func ephemeralPath(_ number: Int) -> Path { Path("/e\(number)") }

    private func topPath() -> Path { Path("/n\(random.below(3))") }

    private func path() -> Path {
        let top = topPath()
        return random.below(2) == 0 ? top : top.child(Array("c\(random.below(2))".utf8))
    }

    /// No two writes have the same.
    private func data() -> [UInt8] {
        written += 1
        let padding = String(repeating: ".", count: random.below(40))
        return Array("\(index)-\(written)\(padding)".utf8)
    }
}

extension Path {
    init(_ string: String) {
        self.init(Array(string.utf8))
    }
}

/// Watches that are set, sorted by path.
struct WatchList {
    struct Watch {
        let path: Path
        /// What happened up to here was seen when it was set.
        var since: Zxid
        /// There was no node.
        var isForCreation: Bool
        /// It was set on another connection, and is not told of again on this one yet.
        var isStale = false
    }

    private(set) var all: [Watch] = []

    subscript(path: Path) -> Watch? { all.first { $0.path == path } }

    /// One that is there already stays as it is.
    mutating func add(_ path: Path, since: Zxid, isForCreation: Bool) {
        if let index = all.firstIndex(where: { $0.path == path }) {
            all[index].since = min(all[index].since, since)
            return
        }
        let index = all.firstIndex { $0.path > path } ?? all.count
        all.insert(Watch(path: path, since: since, isForCreation: isForCreation), at: index)
    }

    @discardableResult
    mutating func remove(_ path: Path) -> Bool {
        let count = all.count
        all.removeAll { $0.path == path }
        return all.count < count
    }

    mutating func removeAll() { all.removeAll() }

    /// The connection is gone.
    mutating func age() {
        for index in all.indices { all[index].isStale = true }
    }

    /// They are set anew, with all that happened up to here.
    mutating func renew(at zxid: Zxid, where isThere: (Path) -> Bool) {
        for index in all.indices {
            all[index].isStale = false
            all[index].since = max(all[index].since, zxid)
            all[index].isForCreation = !isThere(all[index].path)
        }
    }
}
