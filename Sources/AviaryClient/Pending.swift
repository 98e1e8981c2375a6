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
    public var value: Reply {
        get async throws(ClientError) {
            if let result = cell.result { return try result.get() }
            let result: Result<Reply, ClientError> = await withTaskCancellationHandler {
                await unsafe withUnsafeContinuation { continuation in
                    let waiter = unsafe ReplyWaiter(continuation)
                    if let result = cell.wait(waiter) { waiter.resume(result) }
                }
            } onCancel: {
                driver.cancel(sequence)
            }
            return try result.get()
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
        case awaited(ReplyWaiter<Reply>)
        /// By several tasks, which is rare.
        case awaitedByMany([ReplyWaiter<Reply>])
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
    func wait(_ waiter: ReplyWaiter<Reply>) -> Outcome? {
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
        switch before {
        case .new: break
        case .awaited(let waiter): waiter.resume(outcome)
        case .awaitedByMany(let waiters): for waiter in waiters { waiter.resume(outcome) }
        case .done: return
        }
        measurement.end(outcome)
    }
}

/// A task that waits for a reply. It is resumed once: whoever takes it out of the cell's state does.
@safe
struct ReplyWaiter<Reply: Sendable>: Sendable {
    private let continuation: UnsafeContinuation<Result<Reply, ClientError>, Never>

    init(_ continuation: UnsafeContinuation<Result<Reply, ClientError>, Never>) {
        unsafe self.continuation = continuation
    }

    func resume(_ result: Result<Reply, ClientError>) {
        unsafe continuation.resume(returning: result)
    }
}
