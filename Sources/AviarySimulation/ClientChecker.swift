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
    ///
    /// - Parameter isLive: whether its end is not committed.
    mutating func refused(_ session: SessionID, of client: String, isLive: Bool, at time: Int64) {
        guard violation == nil, session != .none, isLive || !ended.contains(session) else { return }
        let reason = ended.contains(session) ? "whose end is not decided" : "which nobody has ended"
        violation = Violation(
            invariant: .refusedOnlyIfEnded,
            detail: "\(client) is refused session \(session), \(reason)", time: time)
    }
}
