import AviaryWire
import Logging
import NIOCore
import Synchronization

/// Carries out what a `ClientSession` orders: connections, timers, replies to those who wait.
///
/// The session is under one lock. Any thread may put requests in; what follows from them is done by
/// one event loop, in order. Nothing is called out to under the lock.
final class Driver: Sendable {
    typealias Session = ClientSession<any ReplySink, WatchQueue>

    struct State: Sendable {
        var session: Session
        /// The loop has been told to look here.
        var isPumpDue = false
        /// The loop is busy with a burst of effects.
        var isCarryingOut = false
        /// It is to look again when it is done with that.
        var isMoreDue = false
        var channel: (any Channel)?
        /// The connection that the channel is, or is to be.
        var attempt: UInt64 = 0
        var timer: Scheduled<Void>?
        var timerDeadline: NIODeadline?
        /// The newest state that those who look have been told.
        var toldState = SessionState.connecting
        var observers: [UInt64: EventQueue<SessionState>] = [:]
        var nextObserver: UInt64 = 0
        var waitersForEnd: [Handover<Void>] = []
    }

    let state: Mutex<State>
    let loop: any EventLoop
    let chroot: Path?
    let logger: Logger
    let transport: Transport
    private let watchLimit: Int
    private let nextWatch = Atomic<UInt64>(1)

    init(
        _ settings: SessionSettings, watchLimit: Int, loop: any EventLoop, transport: Transport,
        seed: UInt64, logger: Logger
    ) {
        let session = Session(settings, seed: seed, at: .now())
        state = Mutex(State(session: session))
        self.loop = loop
        chroot = settings.chroot
        self.logger = logger
        self.transport = transport
        self.watchLimit = watchLimit
    }

    // MARK: what any thread may call

    func start() {
        enter { $0.start(at: .now()) }
    }

    func close() {
        enter { $0.close(at: .now()) }
    }

    func cancel(_ sequence: UInt64) {
        enter { $0.cancel(sequence) }
    }

    func unwatch(_ id: WatchID) {
        enter { $0.unwatch(id, at: .now()) }
    }

    func submit<Reply>(_ request: Request<Reply>, timeout: Duration?) -> Pending<Reply> {
        var queue: WatchQueue?
        if let registration = request.watch {
            queue = makeQueue(registration, request.operation.path ?? .root)
        }
        let cell = ReplyCell(request, watch: queue)
        let watch = queue.flatMap { queue in
            request.watch.map { NewWatch(id: queue.id, watcher: queue, registration: $0) }
        }
        let timeout = timeout.map { TimeAmount($0) }
        let sequence = enter { session in
            session.submit(
                request.operation, isAbsolute: request.isAbsolute, ticket: cell, watch: watch,
                timeout: timeout, at: .now())
        }
        return Pending(cell: cell, sequence: sequence, driver: self)
    }

    private func makeQueue(_ registration: WatchRegistration, _ path: Path) -> WatchQueue {
        let number = nextWatch.wrappingAdd(1, ordering: .relaxed).oldValue
        return WatchQueue(
            id: WatchID(number), registration: registration, path: path, limit: watchLimit)
    }

    /// Steps the session; the loop sees to what it orders, once for all that gathers until then.
    private func enter<Value: Sendable>(_ body: (inout Session) -> Value) -> Value {
        let (value, isFirst) = state.withLock { state in
            let value = body(&state.session)
            let isFirst = !state.isPumpDue
            state.isPumpDue = true
            return (value, isFirst)
        }
        if isFirst { loop.execute { self.pump() } }
        return value
    }
}

// MARK: what the loop does

extension Driver {
    /// What is taken out of the session in one hold of the lock.
    private struct Burst {
        var effects: [Session.Effect]
        var outbox: ByteBuffer?
        var channel: (any Channel)?
        /// When the timer is to be set to, if it is not already.
        var deadline: NIODeadline?
    }

    /// Does what the session has ordered.
    func pump() {
        step { _ in }
    }

    /// - Returns: false if nothing was taken, because a burst is being carried out: come again.
    func received(_ bytes: inout ByteBuffer, on attempt: UInt64) -> Bool {
        let now = NIODeadline.now()
        let taken = unsafe bytes.withUnsafeReadableBytes { raw -> (Int, Burst?)? in
            let span = unsafe RawSpan(_unsafeBytes: raw)
            return state.withLock { state in
                if state.isCarryingOut { return nil }
                let consumed = state.session.receive(span, on: attempt, at: now)
                return (consumed, Self.take(from: &state))
            }
        }
        guard let (consumed, burst) = taken else { return false }
        if let burst { carryOut(burst, bytes) }
        bytes.moveReaderIndex(forwardBy: consumed)
        if let more = state.withLock({ Self.takeMore(from: &$0) }) { carryOut(all: more) }
        return true
    }

    func connectionLost(_ attempt: UInt64) {
        step { $0.connectionLost(attempt, at: .now()) }
    }

    private func step(_ body: (inout Session) -> Void) {
        let burst = state.withLock { state in
            body(&state.session)
            return Self.take(from: &state)
        }
        if let burst { carryOut(all: burst) }
    }

    /// Carries out the burst, and what comes up meanwhile.
    private func carryOut(all burst: Burst) {
        var next: Burst? = burst
        while let burst = next {
            carryOut(burst, ByteBuffer())
            next = state.withLock { Self.takeMore(from: &$0) }
        }
    }

    /// What came up while the last burst was carried out.
    private static func takeMore(from state: inout State) -> Burst? {
        state.isMoreDue ? take(from: &state) : nil
    }

    /// - Returns: nil while a burst is carried out, to whose end this one must wait: closing and
    ///   writing may call back here.
    private static func take(from state: inout State) -> Burst? {
        state.isMoreDue = state.isCarryingOut
        if state.isCarryingOut { return nil }
        state.isCarryingOut = true
        var burst = Burst(effects: state.session.effects)
        if !burst.effects.isEmpty { state.session.effects = [] }
        state.isPumpDue = false
        if let channel = state.channel, state.session.outbox.readableBytes > 0,
            channel.isWritable
        {
            burst.outbox = state.session.takeOutbox()
            burst.channel = channel
        }
        if let deadline = state.session.deadline,
            state.timerDeadline.map({ deadline < $0 }) ?? true
        {
            state.timerDeadline = deadline
            burst.deadline = deadline
        }
        return burst
    }

    /// - Parameter bytes: what the effects' ranges are of.
    private func carryOut(_ burst: Burst, _ bytes: ByteBuffer) {
        if let outbox = burst.outbox, let channel = burst.channel {
            channel.writeAndFlush(outbox, promise: nil)
        }
        unsafe bytes.withUnsafeReadableBytes { raw in
            let span = unsafe RawSpan(_unsafeBytes: raw)
            for effect in burst.effects { carryOut(effect, span) }
        }
        if let deadline = burst.deadline { setTimer(deadline) }
        state.withLock { $0.isCarryingOut = false }
    }

    private func carryOut(_ effect: Session.Effect, _ bytes: RawSpan) {
        switch effect {
        case .reply(let sink, let header, let body):
            sink.reply(header, bytes.extracting(body), from: self)
        case .fail(let sink, let code, let outcome, let detail):
            sink.fail(code, outcome, detail: detail)
        case .event(let queue, let event): queue.offer(event)
        case .endWatch(let queue, let code): queue.events.finish(code.map { ClientError($0) })
        case .enter(let state): tell(state)
        case .connect(let host, let attempt, let limit): connect(host, attempt, limit)
        case .disconnect(let attempt): disconnect(attempt)
        case .probe(let host, let number): probe(host, number)
        }
    }

    private func setTimer(_ deadline: NIODeadline) {
        let timer = loop.scheduleTask(deadline: deadline) { self.timerFired(deadline) }
        let old = state.withLock { state in
            let old = state.timer
            state.timer = timer
            return old
        }
        old?.cancel()
    }

    private func timerFired(_ deadline: NIODeadline) {
        state.withLock { state in
            if state.timerDeadline == deadline { state.timerDeadline = nil }
            state.session.timePassed(at: .now())
        }
        pump()
    }
}
