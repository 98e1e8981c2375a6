import AviaryWire
import Synchronization

/// A request that has its place in the order of requests, and its reply, when there is one.
///
/// Dropping it does not take the request back.
public struct Pending<Reply: Sendable>: Sendable {
    private let cell: ReplyCell<Reply>
    private let sequence: UInt64
    private let driver: Driver

    init(cell: ReplyCell<Reply>, sequence: UInt64, driver: Driver) {
        self.cell = cell
        self.sequence = sequence
        self.driver = driver
    }

    /// Waits for the reply. A task that is cancelled takes the request back if it has not been sent,
    /// and stops waiting for it if it has.
    ///
    /// On an actor, tasks that were told something before have their turn before this one, also when
    /// the reply is there already.
    public var value: Reply {
        get async throws(ClientError) {
            try await result(isolation: #isolation).get()
        }
    }

    /// The closure stays on the isolation only because it captures it. Off it and back, tasks may
    /// overtake each other.
    func result(isolation: isolated (any Actor)?) async -> Result<Reply, ClientError> {
        if isolation == nil, let result = cell.result { return result }
        return await withTaskCancellationHandler {
            _ = isolation
            let waiter = Handover<Result<Reply, ClientError>>()
            if let result = cell.wait(waiter) { waiter.give(result) }
            return await waiter.value
        } onCancel: {
            driver.cancel(sequence)
        }
    }
}

/// Takes a reply, or the reason why there is none.
protocol ReplySink: AnyObject, Sendable {
    /// - Parameter body: what follows the header.
    func reply(_ header: ReplyHeader, _ body: RawSpan, from driver: Driver)
    func fail(_ code: ClientError.Code, _ outcome: ClientError.Outcome, detail: String?)
}

/// A request's reply, once it is there, and who waits for it.
final class ReplyCell<Reply: Sendable>: ReplySink {
    typealias Outcome = Result<Reply, ClientError>

    private enum State {
        case new
        case awaited(Handover<Outcome>)
        /// By several tasks, which is rare.
        case awaitedByMany([Handover<Outcome>])
        case done(Outcome)
    }

    private let request: Request<Reply>
    private let watch: WatchQueue?
    private let measurement: Measurement
    private let state = Mutex(State.new)

    init(_ request: Request<Reply>, watch: WatchQueue?) {
        self.request = request
        self.watch = watch
        measurement = Measurement(request.operation)
    }

    var result: Outcome? {
        state.withLock { state in
            if case .done(let outcome) = state { outcome } else { nil }
        }
    }

    /// - Returns: the result, if it is there; the waiter is not kept then.
    func wait(_ waiter: Handover<Outcome>) -> Outcome? {
        state.withLock { state in
            switch state {
            case .new: state = .awaited(waiter)
            case .awaited(let first): state = .awaitedByMany([first, waiter])
            case .awaitedByMany(let waiters): state = .awaitedByMany(waiters + [waiter])
            case .done(let outcome): return outcome
            }
            return nil
        }
    }

    func reply(_ header: ReplyHeader, _ body: RawSpan, from driver: Driver) {
        if header.error != 0, header.error != request.expectedError {
            finish(.failure(error(.init(serverCode: header.error))))
            return
        }
        var context = ReplyContext(
            error: header.error, zxid: header.zxid, chroot: driver.chroot)
        if let watch {
            let path = request.operation.path ?? .root
            context.watch = Watch(path: path, token: WatchToken(queue: watch, driver: driver))
        }
        var reader = JuteReader(body)
        do throws(WireError) {
            finish(judge(try request.decode(&reader, context)))
        } catch {
            finish(.failure(self.error(.protocolViolation, unreadable)))
        }
    }

    func fail(_ code: ClientError.Code, _ outcome: ClientError.Outcome, detail: String?) {
        finish(.failure(error(code, outcome, detail: detail)))
    }

    private func judge(_ reply: Reply) -> Outcome {
        switch request.complaint?(reply) {
        case nil: .success(reply)
        case .unreadable?: .failure(error(.protocolViolation, unreadable))
        case .refused(let index, let code)?:
            .failure(error(.init(serverCode: code), failedOperation: index))
        }
    }

    /// What is to be thought of a request whose reply cannot be read.
    private var unreadable: ClientError.Outcome {
        request.operation.opCode.isWrite ? .unknown : .notDone
    }

    private func error(
        _ code: ClientError.Code, _ outcome: ClientError.Outcome = .notDone,
        failedOperation: Int? = nil, detail: String? = nil
    ) -> ClientError {
        ClientError(
            code, outcome, operation: request.operation.name, path: request.operation.path,
            failedOperation: failedOperation, detail: detail)
    }

    private func finish(_ outcome: Outcome) {
        let before = state.withLock { state -> State in
            let before = state
            if case .done = before { return before }
            state = .done(outcome)
            return before
        }
        if case .done = before { return }
        // First, so that whoever has a reply finds it measured.
        measurement.end(outcome)
        switch before {
        case .new, .done: break
        case .awaited(let waiter): waiter.give(outcome)
        case .awaitedByMany(let waiters): for waiter in waiters { waiter.give(outcome) }
        }
    }
}
