import AviaryWire

/// What all clients together were told.
struct ClientChecker {
    private(set) var violation: Violation?
    /// The highest zxid of a write that was answered.
    private(set) var lastWritten = Zxid.zero
    /// Sessions whose end was proposed.
    private var ended: Set<SessionID> = []

    mutating func wrote(_ zxid: Zxid) { lastWritten = max(lastWritten, zxid) }

    mutating func ended(_ session: SessionID) { ended.insert(session) }

    /// A server says that a session is not there any more.
    mutating func refused(_ session: SessionID, of client: String, at time: Int64) {
        if violation == nil, session != .none, !ended.contains(session) {
            violation = Violation(
                invariant: .refusedOnlyIfEnded,
                detail: "\(client) is refused session \(session), which nobody has ended",
                time: time)
        }
    }
}
