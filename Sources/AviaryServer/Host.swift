import AviaryCore
import AviaryWire
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// Runs one `ServerCore` against the real world. `enter` and `receive` are the only ways in, from
/// any thread.
///
/// Two things here keep the order that clients see. Effects go into their queues before the lock is
/// let go, else two threads could carry them out in the wrong order. And each connection has one
/// outbox for replies and events alike, emptied only by its own loop: a client never sees new data
/// before the event that announces it.
final class Host: Sendable {
    struct State: ~Copyable {
        var core: ServerCore
        var effects = StepEffects()
        /// Orders for the log thread that it is not shown yet.
        var disk: [StepEffects.Disk] = []
        /// Orders for the links to the other servers.
        var peers: [StepEffects.Peer] = []
        /// For each loop, the connections whose outboxes it is to empty.
        var listed: [[ConnectionID]]
        /// The loop of each connection, by slot.
        var loops: [UInt8] = []
        var timerDue: Int64?
        /// The last deadline was given more time.
        var hasWaited = false
        var isStopped = false
    }

    /// What the log thread takes. It has a lock of its own, so that the thread never waits for the
    /// core; only loop 0 puts orders in, which keeps them in order.
    private struct DiskQueue: Sendable {
        var orders: [StepEffects.Disk] = []
        var isThreadBusy = false
        var isStopped = false
    }

    let state: Mutex<State>
    private let diskQueue = Mutex(DiskQueue())
    let loops: [any EventLoop]
    private let clients: [NIOLoopBoundBox<LoopClients>]
    private let disk: DiskThreads
    /// The links to the other servers, on loop 0; nil in a standalone server.
    let links: NIOLoopBoundBox<PeerLinks?>
    let logger: Logger
    /// What to do when this server must not go on.
    private let failed: @Sendable (LaunchError) -> Void

    init(
        core: consuming sending ServerCore, loops: [any EventLoop], disk: DiskThreads,
        logger: Logger, failed: @escaping @Sendable (LaunchError) -> Void
    ) {
        precondition(loops.count <= Int(UInt8.max), "a loop's number is kept in a byte")
        self.loops = loops
        self.disk = disk
        self.logger = logger
        self.failed = failed
        links = NIOLoopBoundBox.makeEmptyBox(valueType: PeerLinks.self, eventLoop: loops[0])
        clients = loops.map { loop in
            NIOLoopBoundBox.makeBoxSendingValue(LoopClients(), eventLoop: loop)
        }
        state = Mutex(
            State(core: core, listed: [[ConnectionID]](repeating: [], count: loops.count)))
    }

    /// Stops timers and the log thread's work; what is on disk stays as it is.
    func stop() {
        state.withLock { $0.isStopped = true }
        diskQueue.withLock { $0.isStopped = true }
    }

    // MARK: Entering

    /// Does something with the core, and then has its effects carried out.
    func enter<Result>(
        _ body: (inout ServerCore, inout StepEffects, Now) -> Result
    ) -> Result {
        var wakeUps = WakeUps()
        let result = state.withLock { state in
            let result = body(&state.core, &state.effects, Clock.now)
            file(&state, &wakeUps)
            return result
        }
        carryOut(wakeUps)
        return result
    }

    /// What a socket read brought, and in return what is to be sent at once.
    func receive(_ input: inout ByteBuffer, on id: ConnectionID) -> ServerCore.Outbox {
        var wakeUps = WakeUps()
        let outbox = state.withLock { state in
            let now = Clock.now
            state.core.receive(&input, on: id, at: now, into: &state.effects)
            let outbox = state.core.takeOutbox(of: id, at: now)
            file(&state, &wakeUps)
            return outbox
        }
        carryOut(wakeUps)
        return outbox
    }

    /// What is to be sent to a client that takes it again.
    func takeOutbox(of id: ConnectionID) -> ServerCore.Outbox {
        state.withLock { $0.core.takeOutbox(of: id, at: Clock.now) }
    }

    /// Nil if the connection is one too many.
    func connect(
        _ client: ClientConnectionHandler, from remote: RemoteAddress, on loop: any EventLoop
    ) -> ConnectionID? {
        guard let number = loops.firstIndex(where: { $0 === loop }) else { return nil }
        var wakeUps = WakeUps()
        let id = state.withLock { state -> ConnectionID? in
            if state.isStopped { return nil }
            guard let id = state.core.connect(from: remote, at: Clock.now) else { return nil }
            while state.loops.count <= Int(id.slot) { state.loops.append(0) }
            state.loops[Int(id.slot)] = UInt8(number)
            file(&state, &wakeUps)
            return id
        }
        carryOut(wakeUps)
        if let id { clients[number].value.add(client, at: id) }
        return id
    }

    func disconnect(_ id: ConnectionID, on loop: any EventLoop) {
        if let number = loops.firstIndex(where: { $0 === loop }) {
            clients[number].value.remove(id)
        }
        enter { core, effects, _ in core.disconnect(id, into: &effects) }
    }

    /// The log thread asks for what has gathered. Nil when there is nothing: then the next order
    /// wakes it again.
    func takeDiskOrders() -> [StepEffects.Disk]? {
        diskQueue.withLock { queue in
            if queue.orders.isEmpty || queue.isStopped {
                queue.isThreadBusy = false
                return nil
            }
            var orders: [StepEffects.Disk] = []
            swap(&orders, &queue.orders)
            return orders
        }
    }

    /// The log thread has made everything up to here durable. A loop tells the core: it has to be
    /// woken for the replies anyway, and two threads that both work in the core would only wait for
    /// each other.
    func persisted(_ zxid: Zxid) {
        loops[0].execute {
            self.enter { core, effects, now in
                core.step(.persisted(zxid), at: now, into: &effects)
            }
        }
    }

    /// Writes cannot be made durable for now, or can again.
    func storage(isStalled: Bool) {
        enter { core, effects, now in
            core.step(isStalled ? .storageStalled : .storageResumed, at: now, into: &effects)
        }
    }

    var isStopped: Bool { diskQueue.withLock { $0.isStopped } }

    var diskStatistics: DiskStatistics { disk.statistics }
    var isLogWritable: Bool { disk.isLogWritable }

    func resetStatistics() {
        enter { core, _, _ in core.resetStatistics() }
        disk.resetStatistics()
    }

    /// Breaks all client connections, without a word.
    func resetConnections() async {
        for (loop, clients) in zip(loops, clients) {
            do {
                try await loop.submit { clients.value.resetAll() }.get()
            } catch {
                logger.debug("resetting connections failed", metadata: ["error": "\(error)"])
            }
        }
    }

    // MARK: Effects

    /// What is left to do after the lock is let go.
    private struct WakeUps {
        var loops: [Int] = []
        var showsDisk = false
        var showsPeers = false
        var timer: Int64?
        var notices: [StepEffects.Notice] = []
    }

    /// Under the lock: puts the effects into their queues.
    private func file(_ state: inout State, _ wakeUps: inout WakeUps) {
        if !state.effects.disk.isEmpty {
            if state.disk.isEmpty { wakeUps.showsDisk = true }
            state.disk.takeAll(of: &state.effects.disk)
        }
        if !state.effects.peers.isEmpty {
            if state.peers.isEmpty { wakeUps.showsPeers = true }
            state.peers.takeAll(of: &state.effects.peers)
        }
        for id in state.effects.clients where state.core.isListed(id) {
            let loop = Int(state.loops[Int(id.slot)])
            if state.listed[loop].isEmpty { wakeUps.loops.append(loop) }
            state.listed[loop].append(id)
        }
        state.effects.clients.removeAllForReuse()
        if !state.effects.notices.isEmpty { swap(&wakeUps.notices, &state.effects.notices) }
        let deadline = state.core.deadline
        if deadline < state.timerDue ?? .max {
            state.timerDue = deadline
            wakeUps.timer = deadline
        }
    }

    private func carryOut(_ wakeUps: WakeUps) {
        if wakeUps.showsPeers { loops[0].execute { self.carryOutPeerOrders() } }
        if wakeUps.showsDisk { loops[0].execute { self.showDiskOrders() } }
        for loop in wakeUps.loops {
            loops[loop].execute { self.emptyOutboxes(ofLoop: loop) }
        }
        if let due = wakeUps.timer { scheduleTimer(due) }
        for notice in wakeUps.notices { tell(notice) }
    }

    private func tell(_ notice: StepEffects.Notice) {
        switch notice {
        case .digestMismatch(let zxid):
            logger.error(
                "the tree is not what its author had here; compare it with the other servers",
                metadata: ["zxid": "\(zxid)"])
        case .quotaExceeded(let excess):
            logger.warning(
                "a write passes a quota",
                metadata: [
                    "path": "\(excess.root)", "limit": "\(excess.limit.rawValue)",
                    "allowed": "\(excess.allowed)", "wanted": "\(excess.wanted)",
                ])
        case .roleChanged(let role): tell(role)
        case .readOnlyBegun: logger.notice("serves clients that only read, until there is a leader")
        case .unreadableTransaction(let zxid, let error):
            failed(
                LaunchError(
                    message:
                        "the leader's transaction \(zxid) cannot be read (\(error)); it may be of "
                        + "a later version, so update this server", exitCode: 1))
        }
    }

    /// Hands the log thread what has gathered, and wakes it if it is idle.
    ///
    /// This runs when the loop has read every socket that was ready: the writes of all of them go
    /// into one sync.
    private func showDiskOrders() {
        var orders: [StepEffects.Disk] = []
        state.withLock { swap(&orders, &$0.disk) }
        let wasIdle = diskQueue.withLock { queue in
            queue.orders.takeAll(of: &orders)
            let wasIdle = !queue.isThreadBusy
            queue.isThreadBusy = true
            return wasIdle
        }
        if wasIdle { disk.wake(self) }
    }

    /// On the loop: sends what the outboxes hold, all taken in one hold of the lock. What a client
    /// does not take stays in its outbox, which the core bounds, until the client can be written to.
    private func emptyOutboxes(ofLoop loop: Int) {
        let clients = clients[loop].value
        let outboxes = state.withLock { state in
            var listed: [ConnectionID] = []
            swap(&listed, &state.listed[loop])
            let now = Clock.now
            return listed.compactMap { id -> (ConnectionID, ServerCore.Outbox)? in
                guard clients[id]?.isWritable == true, state.core.isListed(id) else { return nil }
                return (id, state.core.takeOutbox(of: id, at: now))
            }
        }
        for (id, outbox) in outboxes { clients[id]?.send(outbox) }
    }

    // MARK: The timer

    private func scheduleTimer(_ due: Int64) {
        let delay = max(0, due - Clock.now.monotonicMilliseconds)
        loops[0].scheduleTask(in: .milliseconds(delay)) { self.timerFired() }
    }

    private static let lateMilliseconds: Int64 = 500
    private static let graceMilliseconds: Int64 = 200

    private func timerFired() {
        let now = Clock.now.monotonicMilliseconds
        let (isStopped, isLate) = state.withLock { state in
            let late = now - (state.timerDue ?? now)
            let isLate = late > Self.lateMilliseconds && !state.hasWaited
            state.hasWaited = isLate
            state.timerDue = isLate ? now + Self.graceMilliseconds : nil
            return (state.isStopped, isLate)
        }
        if isStopped { return }
        if isLate {
            // The process was stopped, or starved. What clients sent meanwhile is heard first, or
            // their sessions would expire while their pings lie in the sockets.
            logger.warning("the server was held up; sessions get time to be heard")
            return scheduleTimer(now + Self.graceMilliseconds)
        }
        enter { core, effects, now in core.step(.deadlinePassed, at: now, into: &effects) }
    }
}

extension Array {
    /// Appends what another holds, and empties it. Into an empty one nothing is copied.
    fileprivate mutating func takeAll(of other: inout [Element]) {
        if isEmpty {
            swap(&self, &other)
        } else {
            append(contentsOf: other)
            other.removeAllForReuse()
        }
    }
}

/// The handlers of one loop's connections, touched only on that loop.
final class LoopClients {
    private var handlers: [ConnectionID: ClientConnectionHandler] = [:]

    subscript(id: ConnectionID) -> ClientConnectionHandler? { handlers[id] }

    func add(_ handler: ClientConnectionHandler, at id: ConnectionID) { handlers[id] = handler }

    /// Each takes itself out as its channel closes.
    func resetAll() {
        for handler in Array(handlers.values) { handler.reset() }
    }

    func remove(_ id: ConnectionID) {
        handlers[id] = nil
        handlers.giveBackRoom()
    }
}
