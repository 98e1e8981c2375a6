import DequeModule
import Synchronization

/// Values on their way to readers that take them one by one. It is bounded by `merge`, which may
/// put a new value in the place of old ones, but never drops the last.
final class EventQueue<Element: Sendable>: Sendable {
    enum Step: Sendable {
        case element(Element)
        /// The end, with its reason.
        case end(ClientError?)
    }

    private struct State {
        var buffer: Deque<Element> = []
        var waiters: [(number: UInt64, continuation: CheckedContinuation<Step, Never>)] = []
        var nextNumber: UInt64 = 0
        var ending: Step?
    }

    private let state = Mutex(State())
    private let merge: @Sendable (inout Deque<Element>, Element) -> Void

    /// - Parameter merge: adds a value to what waits; whatever was added must leave something.
    init(merge: @escaping @Sendable (inout Deque<Element>, Element) -> Void) {
        self.merge = merge
    }

    func offer(_ element: Element) {
        let waiter = state.withLock { state -> CheckedContinuation<Step, Never>? in
            if state.ending != nil { return nil }
            if !state.waiters.isEmpty { return state.waiters.removeFirst().continuation }
            merge(&state.buffer, element)
            return nil
        }
        waiter?.resume(returning: .element(element))
    }

    /// What was offered before can still be taken.
    func finish(_ error: ClientError? = nil) {
        let waiters = state.withLock { state -> [CheckedContinuation<Step, Never>] in
            if state.ending != nil { return [] }
            state.ending = .end(error)
            defer { state.waiters = [] }
            return state.waiters.map(\.continuation)
        }
        for waiter in waiters { waiter.resume(returning: .end(error)) }
    }

    /// Waits for the next value. A task that is cancelled gets the end.
    func next() async -> Step {
        let number = state.withLock { state in
            state.nextNumber += 1
            return state.nextNumber
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let step = state.withLock { state -> Step? in
                    if let element = state.buffer.popFirst() { return .element(element) }
                    if let ending = state.ending { return ending }
                    if Task.isCancelled { return .end(nil) }
                    state.waiters.append((number, continuation))
                    return nil
                }
                if let step { continuation.resume(returning: step) }
            }
        } onCancel: {
            let waiter = state.withLock { state -> CheckedContinuation<Step, Never>? in
                guard let index = state.waiters.firstIndex(where: { $0.number == number }) else {
                    return nil
                }
                return state.waiters.remove(at: index).continuation
            }
            waiter?.resume(returning: .end(nil))
        }
    }
}
