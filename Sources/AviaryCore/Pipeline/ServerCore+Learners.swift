import AviaryWire
import NIOCore
import Zab

/// What a leader does for the clients of its learners.
///
/// Source: LearnerHandler.run and LeaderZooKeeperServer, ZooKeeper 3.9.5.
extension ServerCore {
    mutating func receive(
        _ message: LearnerMessage, over link: LinkID, at now: Now, into effects: inout StepEffects
    ) {
        // What came before it with the same read may have ended the leadership.
        guard isLeading else { return }
        switch message {
        case .request(let request): take(request, over: link, at: now, into: &effects)
        case .ping(_, let touched):
            for touch in touched { sessions.touch(touch.session, at: now) }
        case .revalidate(let session, let timeout):
            // A session that only this server knows cannot go on anywhere else.
            let isValid = sessions[session].map { !$0.isClosing && !$0.isLocal } ?? false
            if isValid {
                hand(session, to: link, timeout, at: now, into: &effects)
            } else if !decideEnd(of: session, over: link, at: now, into: &effects) {
                return
            }
            drive(
                .answer(.revalidated(session, isValid: isValid), link), at: now, into: &effects)
        default: break
        }
    }

    /// A session's client is at a learner now, and no longer here.
    private mutating func hand(
        _ session: SessionID, to link: LinkID, _ timeoutMilliseconds: Int32, at now: Now,
        into effects: inout StepEffects
    ) {
        if let connection = sessions[session]?.connection, connections.contains(connection) {
            close(connection.slot, into: &effects)
        }
        sessions.attach(
            session, to: .learner(link), timeoutMilliseconds: timeoutMilliseconds, at: now)
    }

    /// Every request but a sync becomes a transaction, if only an error: the learner waits for one
    /// (spec H.29).
    private mutating func take(
        _ request: ForwardedRequest, over link: LinkID, at now: Now,
        into effects: inout StepEffects
    ) {
        let code = OpCode(rawValue: request.type)
        let origin = Origin(
            session: request.session, identities: request.identities ?? [], xid: request.cxid,
            connection: nil)
        // An Apache leader takes any, and an opcode 13 ends the ensemble (spec H.9).
        guard let code, code.isForwardable else {
            proposeError(.unimplemented, code ?? .error, for: origin, at: now, into: &effects)
            return
        }
        if code == .sync {
            drive(.answerSync(link), at: now, into: &effects)
            return
        }
        if code == .createSession {
            createSession(request, over: link, for: origin, at: now, into: &effects)
            return
        }
        if let error = refusal(of: request.session, over: link) {
            proposeError(error, code, for: origin, at: now, into: &effects)
            return
        }
        if code == .closeSession {
            proposeClose(
                of: request.session, xid: request.cxid, for: nil, at: now, into: &effects)
            return
        }
        do throws(WireError) {
            let body = try WriteBody(code, JuteReader(request.body))
            submit(body, for: origin, at: now, into: &effects)
        } catch {
            proposeError(.marshallingError, code, for: origin, at: now, into: &effects)
        }
    }

    private mutating func refusal(of id: SessionID, over link: LinkID) -> ZooKeeperError? {
        switch sessions.standing(of: id, to: .learner(link)) {
        case .valid: return nil
        case .moved: return .sessionMoved
        case .closing: return .sessionExpired
        case .unknown:
            // It may be local to that learner.
            let isOwn = id.rawValue >> 56 & 0xff == settings.server.rawValue & 0xff
            return settings.localSessions && !isOwn ? nil : .sessionExpired
        }
    }

    private mutating func createSession(
        _ request: ForwardedRequest, over link: LinkID, for origin: Origin, at now: Now,
        into effects: inout StepEffects
    ) {
        var reader = JuteReader(request.body)
        guard let timeout = try? reader.readInt(), timeout > 0, request.session != .none else {
            proposeError(.marshallingError, .createSession, for: origin, at: now, into: &effects)
            return
        }
        let owner = SessionTracker.Owner.learner(link)
        sessions.add(request.session, timeoutMilliseconds: timeout, owner: owner, at: now)
        propose(
            .createSession(timeoutMilliseconds: timeout), as: .createSession,
            session: request.session, xid: request.cxid, for: nil, at: now, into: &effects)
    }
}

extension OpCode {
    /// What a learner gives its leader. Source: FollowerRequestProcessor, ZooKeeper 3.9.5.
    fileprivate var isForwardable: Bool {
        switch self {
        case .create, .create2, .createContainer, .createTTL, .delete, .deleteContainer, .setData,
            .setACL, .multi, .sync, .reconfig, .createSession, .closeSession:
            true
        default: false
        }
    }
}
