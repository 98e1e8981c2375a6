public import AviaryWire
import DequeModule

/// Events of one watch, in the order in which they happened.
///
/// A one-shot watch gives one event and ends. A persistent one goes on until the session ends, and
/// over connections: after each new one it gives ``WatchEvent/Kind/resync``.
///
/// When the watch and its iterators are dropped, the server is told to remove it, unless another
/// watch of this session needs it. Events that are not taken in time are merged: see
/// ``ClientConfiguration/watchBuffer``.
///
/// The sequence ends when the session is closed, and throws when it expires. Iterators of one watch
/// share its events.
public struct Watch: AsyncSequence, Sendable {
    public typealias Element = WatchEvent
    public typealias Failure = ClientError

    /// The path that is watched.
    public let path: Path
    private let token: WatchToken

    init(path: Path, token: WatchToken) {
        self.path = path
        self.token = token
    }

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(path: path, token: token)
    }

    /// Removes the watch now; its sequence ends.
    public func cancel() {
        token.unwatch()
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        private let path: Path
        private let token: WatchToken

        init(path: Path, token: WatchToken) {
            self.path = path
            self.token = token
        }

        /// Nil at the end, and when the task is cancelled.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(ClientError) -> WatchEvent? {
            switch await token.queue.events.next(isolation: actor) {
            case .element(let event): return event
            case .end(nil): return nil
            case .end(let error?):
                throw ClientError(error.code, error.outcome, operation: "watch", path: path)
            }
        }
    }
}

/// What keeps a watch alive: the driver is told when it is gone.
final class WatchToken: Sendable {
    let queue: WatchQueue
    private let driver: Driver

    init(queue: WatchQueue, driver: Driver) {
        self.queue = queue
        self.driver = driver
    }

    func unwatch() {
        driver.unwatch(queue.id)
        queue.events.finish()
    }

    deinit {
        driver.unwatch(queue.id)
    }
}

/// What the session holds of a watch.
package final class WatchQueue: Sendable {
    let id: WatchID
    let events: EventQueue<WatchEvent>
    private let isOneShot: Bool

    init(id: WatchID, registration: WatchRegistration, path: Path, limit: Int) {
        self.id = id
        switch registration {
        case .exists, .data, .children: isOneShot = true
        case .persistent, .recursive: isOneShot = false
        }
        events = EventQueue { buffer, event in
            Self.merge(event, into: &buffer, limit: Swift.max(limit, 2), path: path)
        }
    }

    func offer(_ event: WatchEvent) {
        events.offer(event)
        if isOneShot { events.finish() }
    }

    /// Two events of a node and kind, one right after the other, are one. When there is no room
    /// left, all that waited becomes one order to read again.
    static func merge(
        _ event: WatchEvent, into buffer: inout Deque<WatchEvent>, limit: Int, path: Path
    ) {
        if let last = buffer.last, last.kind == event.kind, last.path == event.path {
            buffer[buffer.count - 1].zxid = event.zxid ?? last.zxid
            return
        }
        if event.kind == .resync || buffer.count >= limit {
            buffer.removeAll(keepingCapacity: true)
            buffer.append(WatchEvent(kind: .resync, path: path, zxid: nil))
        }
        if event.kind != .resync { buffer.append(event) }
    }
}
