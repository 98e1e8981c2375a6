package import AviaryWire
import DequeModule
import NIOCore

/// A place in the table of connections, and which of its tenants is meant.
package struct ConnectionID: Hashable, Sendable {
    package let slot: UInt32
    let generation: UInt32
}

/// What the core knows of one client connection.
struct Connection: Sendable {
    enum Phase: Sendable {
        /// The slot is free.
        case vacant
        /// No session asked for yet.
        case new
        /// The session is being created; frames that follow wait.
        case establishing
        case established
        /// A closeSession is on its way; what comes after it is not looked at.
        case ending
        /// Nothing more is read; what is in the outbox is sent, then the connection ends.
        case closing
    }

    /// What stands between a connection and its next reply, in the order of the requests.
    enum Waiting: Sendable {
        /// A write or a sync in flight; its reply comes when it is committed.
        case inFlight(cost: Int)
        /// A request that must see what is before it.
        case frame([UInt8], cost: Int)
        /// A request that could not be read: only its turn is awaited.
        case refusal(xid: Int32, ZooKeeperError)

        /// About how many bytes it takes until it is answered, and its answer.
        var cost: Int {
            switch self {
            case .inFlight(let cost), .frame(_, let cost): cost
            case .refusal: 0
            }
        }
    }

    let id: ConnectionID
    let remote: RemoteAddress
    var phase: Phase
    var session = SessionID.none
    var timeoutMilliseconds: Int32 = 0
    /// Whether the connect response carries the read-only byte.
    var readOnlyByte: Bool?
    var identities: [Identity]
    var sasl: (any SASLExchange)?
    var outbox = ByteBuffer()
    /// In `StepEffects.clients` and not taken yet.
    var isListed = false
    private(set) var waiting: Deque<Waiting> = []
    /// The sum of what waits.
    private(set) var waitingCost = 0
    /// Whole frames are left with the driver, because enough is outstanding or to be sent.
    var hasFrames = false
    /// How large the first of them is.
    var leftFrameBytes = 0
    /// In `ServerCore.held`.
    var isHeld = false
    /// Since when frames are left because of the throttle, in monotonic milliseconds.
    var heldSince: Int64?
    /// What is being taken was held for so long that it is not carried out.
    var isLate = false
    /// The numbers of watched paths, some of which may be fired since; see `WatchTable`.
    var watched: [UInt32] = []
    /// When `watched` grows to this, the stale ones go.
    var watchedLimit = 64
    var statistics = ConnectionStatistics()

    init(id: ConnectionID, remote: RemoteAddress, at now: Now) {
        self.id = id
        self.remote = remote
        phase = .new
        identities = [Identity(scheme: "ip", id: remote.host)]
        statistics.establishedAt = now.wallMilliseconds
    }

    /// What is in a slot that is free. It holds no memory: thousands of small pieces, allocated when
    /// a crowd leaves, would lie among those that it leaves behind.
    static let vacant = Connection()

    private init() {
        id = ConnectionID(slot: 0, generation: 0)
        remote = RemoteAddress(host: "", port: 0)
        phase = .vacant
        identities = []
    }

    mutating func wait(_ next: Waiting) {
        waiting.append(next)
        waitingCost += next.cost
    }

    mutating func popWaiting() -> Waiting? {
        let first = waiting.popFirst()
        waitingCost -= first?.cost ?? 0
        return first
    }
}

/// Where a client connects from.
package struct RemoteAddress: Hashable, Sendable {
    /// Numeric, without port: `127.0.0.1`, or IPv6 in Java's uncompressed form.
    package let host: ByteString
    package let port: Int

    package init(host: ByteString, port: Int) {
        self.host = host
        self.port = port
    }
}

/// What `cons` shows.
package struct ConnectionStatistics: Sendable {
    package var received = 0
    package var sent = 0
    package var establishedAt: Int64 = 0
    package var lastOperation: OpCode?
    package var lastCxid: Int32 = -1
    package var lastZxid = Zxid(-1)
    package var lastResponseAt: Int64 = 0
    package var latency = Summary()

    package init() {}
}

/// The connections, by slot.
struct ConnectionTable: Sendable {
    private var slots: ContiguousArray<Connection> = []
    private var vacancies = Vacancies()
    private var lastGeneration: UInt32 = 0
    private(set) var count = 0
    /// How many come from each address.
    private var countsByHost: [ByteString: Int] = [:]

    func count(from host: ByteString) -> Int { countsByHost[host] ?? 0 }

    mutating func add(remote: RemoteAddress, at now: Now) -> ConnectionID {
        count += 1
        countsByHost[remote.host, default: 0] += 1
        lastGeneration &+= 1
        if let slot = vacancies.take(below: slots.count) {
            let id = ConnectionID(slot: slot, generation: lastGeneration)
            slots[Int(slot)] = Connection(id: id, remote: remote, at: now)
            return id
        }
        let id = ConnectionID(slot: UInt32(slots.count), generation: lastGeneration)
        slots.append(Connection(id: id, remote: remote, at: now))
        return id
    }

    mutating func remove(_ id: ConnectionID) {
        guard contains(id) else { return }
        let remote = slots[Int(id.slot)].remote
        slots[Int(id.slot)] = .vacant
        slots.cutEnd { $0.phase == .vacant }
        vacancies.add(id.slot, below: slots.count)
        count -= 1
        let left = count(from: remote.host) - 1
        countsByHost[remote.host] = left == 0 ? nil : left
        countsByHost.giveBackRoom()
    }

    func contains(_ id: ConnectionID) -> Bool {
        Int(id.slot) < slots.count && slots[Int(id.slot)].id == id
            && slots[Int(id.slot)].phase != .vacant
    }

    subscript(slot: UInt32) -> Connection {
        _read { yield slots[Int(slot)] }
        _modify { yield &slots[Int(slot)] }
    }

    mutating func resetStatistics() {
        for index in slots.indices {
            let establishedAt = slots[index].statistics.establishedAt
            slots[index].statistics = ConnectionStatistics()
            slots[index].statistics.establishedAt = establishedAt
        }
    }

    var slotsInUse: [UInt32] { all.map(\.id.slot) }

    var all: some Sequence<Connection> { slots.lazy.filter { $0.phase != .vacant } }
}
