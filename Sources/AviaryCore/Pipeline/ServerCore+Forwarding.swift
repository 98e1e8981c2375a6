import AviaryWire
import DequeModule
import NIOCore
import Zab

/// What a learner has its leader do for its clients.
///
/// Source: FollowerRequestProcessor, CommitProcessor and Learner.validateSession, ZooKeeper 3.9.5.
extension ServerCore {
    /// Gives the leader a write, or a session's beginning or end.
    mutating func forward(
        _ request: ForwardedRequest, for connection: ConnectionID?, at now: Now,
        into effects: inout StepEffects
    ) {
        guard let code = OpCode(rawValue: request.type) else { return }
        forwarded.add(
            ForwardedRequests.Write(
                session: request.session, cxid: request.cxid, request: code,
                connection: connection, arrivedAt: now.monotonicMilliseconds))
        drive(.forward(.request(request)), at: now, into: &effects)
    }

    /// A client's write, unread: what is wrong with it the leader says.
    mutating func forwardWrite(
        _ header: RequestHeader, _ code: OpCode, _ reader: consuming JuteReader,
        on slot: UInt32, at now: Now, reply: inout ByteBuffer, into effects: inout StepEffects
    ) {
        let body = reader.span(reader.position..<reader.position + reader.remaining)
        let request = ForwardedRequest(
            session: connections[slot].session, cxid: header.xid, type: code.rawValue, body: body,
            identities: connections[slot].identities)
        if code == .sync {
            forwardSync(request, on: slot, at: now, reply: &reply, into: &effects)
            return
        }
        if code == .closeSession { connections[slot].phase = .ending }
        wait(.inFlight(cost: body.byteCount), on: slot)
        forward(request, for: connections[slot].id, at: now, into: &effects)
    }

    private mutating func forwardSync(
        _ request: ForwardedRequest, on slot: UInt32, at now: Now, reply: inout ByteBuffer,
        into effects: inout StepEffects
    ) {
        var reader = JuteReader(request.body)
        guard let sync = try? PathRequest(from: &reader) else {
            refuse(request.cxid, .marshallingError, on: slot, at: now, reply: &reply)
            return
        }
        wait(.inFlight(cost: request.body.byteCount), on: slot)
        forwarded.syncs.append(
            InFlight(
                zxid: .zero, work: .sync(path: sync.path),
                caller: InFlight.Caller(
                    request: .sync, xid: request.cxid, connection: connections[slot].id,
                    arrivedAt: now.monotonicMilliseconds)))
        drive(.forward(.request(request)), at: now, into: &effects)
    }

    /// Asks the leader whether a session that has come here may go on.
    mutating func revalidate(
        _ session: SessionID, on slot: UInt32, at now: Now, into effects: inout StepEffects
    ) {
        forwarded.add(
            ForwardedRequests.Revalidation(session: session, connection: connections[slot].id))
        let timeout = connections[slot].timeoutMilliseconds
        drive(
            .forward(.revalidate(session, timeoutMilliseconds: timeout)), at: now, into: &effects)
    }

    mutating func receive(
        _ message: LeaderMessage, at now: Now, into effects: inout StepEffects
    ) {
        switch message {
        case .sync:
            if let sync = forwarded.syncs.popFirst() {
                completeSync(sync, at: now, into: &effects)
            }
        case .revalidated(let session, let isValid):
            guard let id = forwarded.takeRevalidation(of: session) else { return }
            revalidated(session, isValid, for: id, at: now, into: &effects)
        default: break
        }
    }

    /// Tells a client that waits for it whether its session goes on.
    mutating func revalidated(
        _ session: SessionID, _ isValid: Bool, for id: ConnectionID, at now: Now,
        into effects: inout StepEffects
    ) {
        guard connections.contains(id), connections[id.slot].phase == .establishing else { return }
        var reply = ByteBuffer()
        swap(&reply, &connections[id.slot].outbox)
        if isValid {
            resume(session, on: id.slot, at: now, reply: &reply, into: &effects)
            takeEarlyFrames(on: id.slot, at: now, reply: &reply, into: &effects)
        } else {
            refuseSession(on: id.slot, reply: &reply, into: &effects)
        }
        swap(&reply, &connections[id.slot].outbox)
        list(id.slot, in: &effects)
    }
}
