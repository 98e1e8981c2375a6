package import AviaryWire
package import NIOCore
package import Zab

/// A whole server less the world: tree, sessions, watches, and what is on its way.
///
/// There are two ways in: `receive` for what clients send, and `step` for everything else. Both are
/// told the time, and order effects.
package struct ServerCore: ~Copyable, Sendable {
    package let settings: ServerSettings
    package internal(set) var tree: DataTree
    package internal(set) var statistics = Statistics()
    package internal(set) var watches: WatchTable
    var connections = ConnectionTable()
    var sessions: SessionTracker
    /// Sessions that cannot go on here for now: what a test asks for, to cut a client off.
    package var barred: Set<SessionID> = []
    var outstanding: OutstandingChanges
    let access: AccessControl
    let authentication: Authentication
    let frames: FrameDecoder

    /// Proposed and not committed, in order.
    var inFlight = Backlog<InFlight>()
    var lastProposed: Zxid
    /// Requests that wait on their connections without being in flight themselves.
    var parkedCount = 0
    /// The sum over all connections of what waits.
    var outstandingCost = 0
    /// Connections that are not read because of the throttle.
    var held: [ConnectionID] = []
    /// Bytes of large writes on their way.
    var largeBytes = 0
    var connectionThrottle: ConnectionThrottle
    var peer: QuorumPeer
    /// When the role last changed.
    package internal(set) var roleSince: Int64 = 0
    /// Lists to be used again, as many as one order leads to another: a request that came from a
    /// learner is proposed while the order to look at it is carried out.
    var spareEffects: [[QuorumPeer.Effect]] = []
    /// What this server has given its leader, in order.
    var forwarded = ForwardedRequests()
    /// The leader's tree, while the disk takes it over.
    var incomingTree: DataTree?
    /// Up to here the tree may be ahead of the transactions, so that their digests tell nothing.
    var foreignUntil = Zxid.zero
    /// This server has no leader and serves clients that only read (`readonlymode.enabled`).
    package internal(set) var isReadOnly = false
    /// When it begins to, unless a leader is found.
    var readOnlyFrom: Int64?
    /// The text of the configuration node, in an ensemble.
    let configuration: ByteString?
    /// Connections that have not asked for a session, in the order they came.
    private var sessionless = Backlog<(due: Int64, id: ConnectionID)>()
    var snapshotPolicy: SnapshotPolicy
    var reaper: ContainerReaper
    /// For the effects of the step that is being taken.
    var notices: [StepEffects.Notice] = []
    /// When the operator was last told of a quota; wall clock, by the path that has it.
    var quotaNoticeTimes: [Path: Int64] = [:]
    /// The tree's digest after every 128th transaction, the newest last.
    package internal(set) var digests: [(zxid: Zxid, digest: UInt64)] = []

    /// What the requests of this socket read have cost; see `ServerSettings.maximumTurnWork`.
    var turnWork = 0

    /// Of a type that has no fixed size in registers, so that the compiler hands a core on by its
    /// address. Else each call of a method that changes nothing copies all of it, 3 KB, to the stack.
    private let isHandedOnByAddress: any Sendable = true

    // Reused so that a request allocates nothing.
    var events = WatchEvents()
    var firedSlots: [UInt32] = []

    /// Whether a server is an ensemble by itself.
    package enum Membership: Sendable {
        case standalone
        case member(QuorumSettings, QuorumPeer.Recovered)
    }

    /// - Parameters:
    ///   - tree: as recovered; sessions in it get their full timeout anew.
    ///   - randomSeed: for the hash of watched paths and for when snapshots are due.
    package init(
        settings: ServerSettings, tree: consuming DataTree, authentication: Authentication,
        membership: Membership = .standalone, randomSeed: UInt64, at now: Now
    ) {
        self.settings = settings
        self.authentication = authentication
        access = AccessControl(settings, authentication)
        frames = FrameDecoder(maximumLength: settings.maximumFrameLength)
        watches = WatchTable(hashSeed: randomSeed)
        snapshotPolicy = SnapshotPolicy(settings: settings, seed: randomSeed)
        connectionThrottle = ConnectionThrottle(
            settings.connectionThrottle, seed: randomSeed, at: now)
        reaper = ContainerReaper(settings: settings, at: now)
        lastProposed = tree.lastProcessedZxid
        outstanding = OutstandingChanges(digest: tree.digest)
        sessions = SessionTracker(
            server: settings.server, tickMilliseconds: settings.tickTimeMilliseconds, at: now)
        switch membership {
        case .standalone:
            peer = QuorumPeer(
                server: settings.server,
                verifier: QuorumVerifier(majorityOf: [settings.server]), lastZxid: lastProposed)
            configuration = nil
        case .member(let quorum, let recovered):
            peer = QuorumPeer(quorum, recovered)
            configuration = quorum.configuration
        }
        self.tree = tree
    }

    // MARK: Events

    package enum Event: Sendable {
        case started
        /// Everything appended up to here will outlive a crash.
        case persisted(Zxid)
        /// A snapshot that was ordered is on disk, or has failed.
        case snapshotEnded
        /// What is appended does not become durable for now, and then does again.
        case storageStalled
        case storageResumed
        case deadlinePassed
        /// What the other servers and the disk tell the quorum peer.
        case quorum(QuorumPeer.Event)
    }

    package mutating func step(_ event: Event, at now: Now, into effects: inout StepEffects) {
        switch event {
        case .started:
            describeEnsemble(at: now)
            awaitReadOnly(at: now)
            drive(.started, at: now, into: &effects)
        case .persisted(let zxid):
            drive(.persisted(zxid), at: now, into: &effects)
        case .snapshotEnded:
            snapshotPolicy.ended()
        case .storageStalled: sessions.pause()
        case .storageResumed: sessions.resume(at: now)
        case .quorum(let event): drive(event, at: now, into: &effects)
        case .deadlinePassed:
            closeSessionless(at: now, into: &effects)
            if let due = peer.deadline, due.milliseconds <= now.monotonicMilliseconds {
                drive(.deadlinePassed, at: now, into: &effects)
            }
            if let readOnlyFrom, readOnlyFrom <= now.monotonicMilliseconds {
                beginReadOnly(into: &effects)
            }
            expireSessions(at: now, into: &effects)
            if isLeading { reap(at: now, into: &effects) }
        }
    }

    /// When the driver is to send `deadlinePassed`, in monotonic milliseconds.
    package var deadline: Int64 {
        let due = min(
            sessionless.first?.due ?? .max, peer.deadline?.milliseconds ?? .max,
            readOnlyFrom ?? .max)
        if isLeading { return min(due, sessions.deadline ?? .max, reaper.deadline) }
        return makesLocalSessions ? min(due, sessions.deadline ?? .max) : due
    }

    /// Orders a snapshot of the tree as it is now, unless one is being written.
    package mutating func orderSnapshot(
        rollingLog rollsLog: Bool = false, into effects: inout StepEffects
    ) {
        // What is not decided is not to outlive this server's part in it (the dirty snapshot of
        // ZooKeeper's Leader.lead).
        guard peer.role != .looking, snapshotPolicy.begin() else { return }
        if rollsLog { effects.disk.append(.rollLog) }
        effects.disk.append(.writeSnapshot(tree.snapshot))
    }

    // MARK: Connections

    /// A client has connected. Nil if there are too many connections, and it is to be dropped.
    package mutating func connect(from remote: RemoteAddress, at now: Now) -> ConnectionID? {
        let limit = settings.maxClientCnxns
        let isTooMany =
            (limit > 0 && connections.count(from: remote.host) >= limit)
            || (settings.maxCnxns > 0 && connections.count >= settings.maxCnxns)
        if isTooMany {
            statistics.connectionsRejected += 1
            return nil
        }
        let id = connections.add(remote: remote, at: now)
        let due = now.monotonicMilliseconds + settings.sessionlessTimeoutMilliseconds
        sessionless.append((due: due, id: id))
        return id
    }

    /// The connection is no more. Its session lives on until it times out.
    package mutating func disconnect(_ id: ConnectionID, into effects: inout StepEffects) {
        guard connections.contains(id) else { return }
        let slot = id.slot
        watches.removeAll(of: slot, numbers: connections[slot].watched)
        if connections[slot].session != .none {
            sessions.detach(connections[slot].session, from: id)
        }
        while popWaiting(on: slot) != nil {}
        connections.remove(id)
        statistics.connectionsDropped += 1
        releaseHeld(into: &effects)
    }

    /// What is to be sent to a client now, and how its connection goes on after it.
    package mutating func takeOutbox(of id: ConnectionID, at now: Now) -> Outbox {
        guard connections.contains(id) else { return Outbox(bytes: ByteBuffer(), next: .close) }
        var bytes = ByteBuffer()
        swap(&bytes, &connections[id.slot].outbox)
        connections[id.slot].isListed = false
        let isClosing = connections[id.slot].phase == .closing
        return Outbox(bytes: bytes, next: isClosing ? .close : next(on: id.slot, at: now))
    }

    package struct Outbox: Sendable {
        package enum Next: Sendable {
            case read
            /// Frames that were received already are to be handed in again, once the client has
            /// taken these bytes.
            case takeMore
            /// Nothing is read until there is an outbox to take again.
            case wait
            case close
        }

        package let bytes: ByteBuffer
        package let next: Next
    }

    /// Whether a connection's outbox is still to be taken.
    package func isListed(_ id: ConnectionID) -> Bool {
        connections.contains(id) && connections[id.slot].isListed
    }

    /// Notes that a connection has something for the driver to do.
    mutating func list(_ slot: UInt32, in effects: inout StepEffects) {
        if connections[slot].isListed { return }
        connections[slot].isListed = true
        effects.clients.append(connections[slot].id)
    }

    mutating func close(_ slot: UInt32, into effects: inout StepEffects) {
        connections[slot].phase = .closing
        list(slot, in: &effects)
    }

    private mutating func closeSessionless(at now: Now, into effects: inout StepEffects) {
        while let first = sessionless.first {
            let isWaiting =
                connections.contains(first.id) && connections[first.id.slot].phase == .new
            if isWaiting && first.due > now.monotonicMilliseconds { return }
            sessionless.popFirst()
            if isWaiting {
                statistics.sessionlessConnectionsExpired += 1
                close(first.id.slot, into: &effects)
            }
        }
    }
}
