import DequeModule

/// The states of a session: first the one it is in, then each that follows. Ends after the last.
///
/// A reader that is slow may miss states between, never the newest.
public struct SessionStates: AsyncSequence, Sendable {
    public typealias Element = SessionState
    public typealias Failure = Never

    private let driver: Driver

    init(driver: Driver) {
        self.driver = driver
    }

    /// Each iterator has states of its own.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(subscription: driver.subscribe())
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        private let subscription: StateSubscription

        init(subscription: StateSubscription) {
            self.subscription = subscription
        }

        /// Nil at the end, and when the task is cancelled.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async -> SessionState? {
            switch await subscription.queue.next(isolation: actor) {
            case .element(let state): state
            case .end: nil
            }
        }
    }
}

/// Keeps an iterator subscribed.
final class StateSubscription: Sendable {
    static let limit = 64
    let queue: EventQueue<SessionState>
    private let number: UInt64
    private let driver: Driver

    init(queue: EventQueue<SessionState>, number: UInt64, driver: Driver) {
        self.queue = queue
        self.number = number
        self.driver = driver
    }

    deinit {
        driver.unsubscribe(number)
    }

    static func makeQueue() -> EventQueue<SessionState> {
        EventQueue { buffer, state in
            if buffer.count >= limit { buffer.removeFirst() }
            buffer.append(state)
        }
    }
}
