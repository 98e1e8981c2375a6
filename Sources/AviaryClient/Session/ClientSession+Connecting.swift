import AviaryWire
import DequeModule
package import NIOCore

extension ClientSession {
    mutating func beginAttempt(at now: NIODeadline) {
        attempt += 1
        let limit = attemptLimit
        phase = .connecting(until: now + limit)
        effects.append(.connect(hosts.next(), attempt: attempt, limit: limit))
    }

    /// The driver has a connection to the host it was to connect to.
    package mutating func connectionMade(_ attempt: UInt64, at now: NIODeadline) {
        guard attempt == self.attempt, case .connecting(let until) = phase else { return }
        phase = .handshaking(until: until)
        lastHeard = now
        lastSent = now
        outbox = ByteBuffer()
        let request = ConnectRequest(
            lastZxidSeen: lastZxid,
            timeoutMilliseconds: Int32(
                clamping: settings.sessionTimeout.nanoseconds / 1_000_000),
            session: isKnownToQuorum ? sessionID : .none,
            password: isKnownToQuorum ? password : [UInt8](repeating: 0, count: 16),
            readOnly: settings.allowsReadOnly)
        let start = outbox.beginFrame()
        request.write(to: &outbox)
        outbox.endFrame(start)
    }

    /// The connection could not be made, or is gone.
    package mutating func connectionLost(_ attempt: UInt64, at now: NIODeadline) {
        guard attempt == self.attempt else { return }
        switch phase {
        case .idle, .waiting, .ended: break
        case .connecting, .handshaking, .authenticating, .connected: lose(at: now)
        }
    }

    /// Gives the connection up, and what was sent on it.
    mutating func lose(at now: NIODeadline) {
        let wasConnected = phase == .connected
        effects.append(.disconnect(attempt: attempt))
        attempt += 1
        outbox = ByteBuffer()
        probing = nil
        sasl = nil
        watches.forgetUnderWay()
        if closeDeadline != nil {
            end(.closed)
            return
        }
        if wasConnected {
            enter(.suspended)
            // What is sent after this is not to overtake what was asked before it.
            failSent(.connectionLost)
            failQueued(.connectionLost)
        } else {
            failSent(.connectionLost)
            hosts.failed()
        }
        phase = .waiting(until: now + hosts.pause(using: &random))
    }

    mutating func receiveHandshake(
        _ reader: inout JuteReader, at now: NIODeadline
    ) throws(WireError) {
        let response = try ConnectResponse(from: &reader)
        guard response.timeoutMilliseconds > 0, response.session != .none else {
            // No server refuses a session that it has yet to make.
            if isKnownToQuorum { end(.sessionExpired) } else { lose(at: now) }
            return
        }
        wasSameSession = response.session == sessionID
        sessionID = response.session
        password = response.password
        negotiatedTimeout = .milliseconds(Int64(response.timeoutMilliseconds))
        isReadOnly = response.readOnly ?? false
        if !isReadOnly { isKnownToQuorum = true }
        for packet in credentials { sendCredential(packet, at: now) }
        if settings.sasl != nil {
            phase = .authenticating(until: now + attemptLimit)
            beginSASL(at: now)
        } else {
            becomeConnected(sameSession: wasSameSession, at: now)
        }
    }

    /// Everything that waited goes out: first the watches, then the requests.
    mutating func becomeConnected(sameSession: Bool, at now: NIODeadline) {
        phase = .connected
        hosts.succeeded()
        if isReadOnly {
            enter(.readOnly)
            beginProbing(at: now)
        } else if hasBeenConnected {
            enter(.reconnected(sameSession: sameSession))
        } else {
            enter(.connected)
        }
        hasBeenConnected = true
        let pieces = watches.rearming(after: lastZxid, pieceBytes: settings.rearmingPieceBytes)
        for piece in pieces {
            send(.setWatches(piece.request), purpose: .rearming(piece.persistent), at: now)
        }
        queuedBytes = 0
        while let request = queued.popFirst() { send(request, at: now) }
    }

    mutating func ping(at now: NIODeadline) {
        write(.ping, xid: SpecialXid.ping, at: now)
    }
}
