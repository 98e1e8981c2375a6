import AviaryWire
import NIOCore

/// Sessions that only their own server knows: they begin and end without a transaction, and cannot be
/// moved. In read-only mode there are no others.
///
/// Source: UpgradeableSessionTracker, LearnerSessionTracker and QuorumZooKeeperServer, ZooKeeper 3.9.5.
extension ServerCore {
    var makesLocalSessions: Bool { settings.localSessions || isReadOnly }

    mutating func createLocalSession(
        _ id: SessionID, on slot: UInt32, at now: Now, reply: inout ByteBuffer,
        into effects: inout StepEffects
    ) {
        sessions.add(
            id, timeoutMilliseconds: connections[slot].timeoutMilliseconds,
            owner: .connection(connections[slot].id), isLocal: true, at: now)
        sessionCreated(on: slot, at: now, reply: &reply, into: &effects)
    }

    /// A write of a session that the other servers do not know.
    ///
    /// - Returns: whether it now is for the ensemble; otherwise it was dealt with.
    mutating func localWrite(
        _ header: RequestHeader, _ code: OpCode, _ reader: JuteReader, on slot: UInt32,
        at now: Now, reply: inout ByteBuffer, into effects: inout StepEffects
    ) -> Bool {
        if code == .closeSession {
            let frame = reader.span(0..<reader.position + reader.remaining)
            closeLocalSession(header, frame, on: slot, at: now, reply: &reply, into: &effects)
            return false
        }
        if isReadOnly {
            refuse(header.xid, .notReadOnly, on: slot, at: now, reply: &reply)
            return false
        }
        return upgradeIfNeeded(
            connections[slot].session, for: header, code, reader, on: slot, at: now,
            reply: &reply, into: &effects)
    }

    /// In its turn: the replies to what was asked before come first.
    private mutating func closeLocalSession(
        _ header: RequestHeader, _ frame: RawSpan, on slot: UInt32, at now: Now,
        reply: inout ByteBuffer, into effects: inout StepEffects
    ) {
        connections[slot].phase = .ending
        if connections[slot].waiting.isEmpty {
            localSessionClosed(header.xid, on: slot, at: now, reply: &reply, into: &effects)
        } else {
            wait(.frame([UInt8](copying: frame), cost: frame.byteCount), on: slot)
        }
    }

    mutating func localSessionClosed(
        _ xid: Int32, on slot: UInt32, at now: Now, reply: inout ByteBuffer,
        into effects: inout StepEffects
    ) {
        writeReply(xid, tree.lastProcessedZxid, to: &reply, slot, at: now)
        sessionEnded(connections[slot].session, into: &effects)
    }

    /// Makes a local session one that all servers know, if a request needs that.
    ///
    /// - Returns: false if it may not, and the request was refused.
    private mutating func upgradeIfNeeded(
        _ id: SessionID, for header: RequestHeader, _ code: OpCode, _ reader: JuteReader,
        on slot: UInt32, at now: Now, reply: inout ByteBuffer, into effects: inout StepEffects
    ) -> Bool {
        guard sessions[id]?.isLocal == true, Self.makesEphemeral(code, reader) else { return true }
        guard settings.localSessionsUpgrading else {
            refuse(header.xid, .ephemeralOnLocalSession, on: slot, at: now, reply: &reply)
            return false
        }
        sessions.upgrade(id)
        let timeout = connections[slot].timeoutMilliseconds
        if isLearner {
            forward(
                ForwardedRequest(creating: id, timeoutMilliseconds: timeout), for: nil, at: now,
                into: &effects)
        } else {
            propose(
                .createSession(timeoutMilliseconds: timeout), as: .createSession, session: id,
                xid: 0, for: nil, at: now, into: &effects)
        }
        return true
    }

    private static func makesEphemeral(_ code: OpCode, _ source: JuteReader) -> Bool {
        var reader = source
        switch code {
        case .create, .create2:
            return (try? CreateRequest(from: &reader))?.isEphemeral ?? false
        case .multi:
            let operations = (try? MultiRequest(from: &reader))?.operations ?? []
            return operations.contains { operation in
                guard case .create(let code, let create) = operation else { return false }
                return (code == .create || code == .create2) && create.isEphemeral
            }
        default: return false
        }
    }
}

extension CreateRequest {
    fileprivate var isEphemeral: Bool { CreateMode(rawValue: flags)?.isEphemeral ?? false }
}
