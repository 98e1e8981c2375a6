/// Where a session stands.
public enum SessionState: Hashable, Sendable {
    /// No server has answered yet.
    case connecting
    /// A server serves the session.
    case connected
    /// The connection broke; another is being sought. The session may live on, or have expired:
    /// whoever holds something by it (a lock, a lead) must not act until it is known.
    case suspended
    /// A server that has no quorum serves reads, because
    /// ``ClientConfiguration/allowsReadOnly`` is set.
    case readOnly
    /// Connected again. The session is another one only if the last was of a read-only server.
    case reconnected(sameSession: Bool)
    /// The ensemble has ended the session, with its ephemeral nodes and watches.
    case expired
    /// ``ZooKeeper/close()`` was called, or the task of ``ZooKeeper/run()`` cancelled.
    case closed
    /// The ensemble does not believe the credentials; the session is over for this client.
    case authenticationFailed

    /// Whether a server serves the session.
    public var isConnected: Bool {
        switch self {
        case .connected, .reconnected, .readOnly: true
        case .connecting, .suspended, .expired, .closed, .authenticationFailed: false
        }
    }

    /// Whether no other state follows.
    public var isFinal: Bool {
        switch self {
        case .expired, .closed, .authenticationFailed: true
        case .connecting, .connected, .reconnected, .readOnly, .suspended: false
        }
    }
}
