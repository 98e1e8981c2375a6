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
        var waiters: [Handover<Step>] = []
        var ending: Step?
    }

    private let state = Mutex(State())
    private let merge: @Sendable (inout Deque<Element>, Element) -> Void

    /// - Parameter merge: adds a value to what waits; whatever was added must leave something.
    init(merge: @escaping @Sendable (inout Deque<Element>, Element) -> Void) {
        self.merge = merge
    }

    func offer(_ element: Element) {
        let waiter = state.withLock { state -> Handover<Step>? in
            if state.ending != nil { return nil }
            if !state.waiters.isEmpty { return state.waiters.removeFirst() }
            merge(&state.buffer, element)
            return nil
        }
        waiter?.give(.element(element))
    }

    /// What was offered before can still be taken.
    func finish(_ error: ClientError? = nil) {
        let waiters = state.withLock { state -> [Handover<Step>] in
            if state.ending != nil { return [] }
            state.ending = .end(error)
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.give(.end(error)) }
    }

    /// Waits for the next value. A task that is cancelled gets the end.
    ///
    /// The closure stays on the isolation only because it captures it. Off it and back, tasks may
    /// overtake each other.
    func next(isolation: isolated (any Actor)? = #isolation) async -> Step {
        let waiter = Handover<Step>()
        return await withTaskCancellationHandler {
            _ = isolation
            let step = state.withLock { state -> Step? in
                if let element = state.buffer.popFirst() { return .element(element) }
                if let ending = state.ending { return ending }
                if Task.isCancelled { return .end(nil) }
                state.waiters.append(waiter)
                return nil
            }
            if let step { return step }
            return await waiter.value
        } onCancel: {
            let isWaiting = state.withLock { state in
                guard let index = state.waiters.firstIndex(where: { $0 === waiter }) else {
                    return false
                }
                state.waiters.remove(at: index)
                return true
            }
            if isWaiting { waiter.give(.end(nil)) }
        }
    }
}
