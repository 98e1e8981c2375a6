package import AviaryWire
import DequeModule
import NIOCore
import Zab

extension ServerCore {
    /// A connection's first frame: a new session, or one that goes on here.
    ///
    /// Source: ZooKeeperServer.processConnectRequest, 3.9.5. Unlike there, the password is checked
    /// before the session's other connection is closed, so that nobody can cut off a stranger.
    mutating func handshake(
        _ frame: RawSpan, on slot: UInt32, at now: Now, reply: inout ByteBuffer,
        into effects: inout StepEffects
    ) throws(WireError) {
        var reader = JuteReader(frame)
        let request = try ConnectRequest(from: &reader)
        guard servesClients else {
            close(slot, into: &effects)
            return
        }
        statistics.connectionRequests += 1
        let isAdmitted = connectionThrottle.admits(renewal: request.session != .none, at: now)
        statistics.connectionTokenDeficit.add(Int64(connectionThrottle.deficit))
        guard isAdmitted else {
            statistics.connectionsRejected += 1
            close(slot, into: &effects)
            return
        }
        if request.lastZxidSeen > tree.lastProcessedZxid {
            statistics.unsuccessfulHandshakes += 1
            close(slot, into: &effects)
            return
        }
        if isReadOnly && request.readOnly != true {
            close(slot, into: &effects)
            return
        }
        connections[slot].readOnlyByte = request.readOnly == nil ? nil : isReadOnly
        connections[slot].timeoutMilliseconds = min(
            max(request.timeoutMilliseconds, settings.minimumSessionTimeoutMilliseconds),
            settings.maximumSessionTimeoutMilliseconds)
        if request.session == .none {
            createSession(on: slot, at: now, reply: &reply, into: &effects)
        } else {
            reattach(request, on: slot, at: now, reply: &reply, into: &effects)
        }
    }

    private mutating func createSession(
        on slot: UInt32, at now: Now, reply: inout ByteBuffer, into effects: inout StepEffects
    ) {
        let id = sessions.makeID()
        let timeout = connections[slot].timeoutMilliseconds
        connections[slot].session = id
        connections[slot].phase = .establishing
        connections[slot].statistics.lastOperation = .createSession
        let connection = connections[slot].id
        if makesLocalSessions {
            createLocalSession(id, on: slot, at: now, reply: &reply, into: &effects)
            return
        }
        if isLearner {
            forward(
                ForwardedRequest(creating: id, timeoutMilliseconds: timeout), for: connection,
                at: now, into: &effects)
            return
        }
        sessions.add(
            id, timeoutMilliseconds: timeout, owner: .connection(connection), at: now)
        propose(
            .createSession(timeoutMilliseconds: timeout), as: .createSession, session: id, xid: 0,
            for: connection, at: now, into: &effects)
    }

    private mutating func reattach(
        _ request: ConnectRequest, on slot: UInt32, at now: Now, reply: inout ByteBuffer,
        into effects: inout StepEffects
    ) {
        let id = request.session
        statistics.revalidations += 1
        if barred.contains(id) {
            close(slot, into: &effects)
            return
        }
        let isKnown = sessions[id].map { !$0.isClosing } ?? false
        if isReadOnly && !isKnown {
            // Whether the session lives, the leader would have to say.
            close(slot, into: &effects)
            return
        }
        guard request.password == id.password else {
            refuseSession(on: slot, reply: &reply, into: &effects)
            return
        }
        if isKnown && (!isLearner || sessions[id]?.isLocal == true) {
            resume(id, on: slot, at: now, reply: &reply, into: &effects)
        } else if isLearner {
            connections[slot].session = id
            connections[slot].phase = .establishing
            revalidate(id, on: slot, at: now, into: &effects)
        } else {
            connections[slot].session = id
            connections[slot].phase = .establishing
            let isDecided = decideEnd(
                of: id, for: connections[slot].id, at: now, into: &effects)
            if isDecided { refuseSession(on: slot, reply: &reply, into: &effects) }
        }
    }

    // MARK: Sessions that are no more

    /// Sees to it that a client is told that its session is no more. A leader cannot say so by itself:
    /// it may be one of the past, which lets sessions expire that live on under another. So it tells
    /// the client when a quorum has taken the session's end, or, of a session that is not known,
    /// anything.
    ///
    /// Deviation: ZooKeeper tells it at once (SessionTrackerImpl.touchSession,
    /// LearnerHandler's REVALIDATE, 3.9.5), and a client may hear of an expiry that never comes to
    /// be: its ephemeral nodes stay, for nobody.
    ///
    /// - Returns: whether it can be told now; else it is, once it is decided.
    mutating func decideEnd(
        of id: SessionID, for connection: ConnectionID? = nil, over link: LinkID? = nil,
        at now: Now, into effects: inout StepEffects
    ) -> Bool {
        if sessions[id] == nil && voterCount > 1 {
            let nobody = Origin(session: id, identities: [], xid: 0, connection: nil)
            proposeError(.sessionExpired, .createSession, for: nobody, at: now, into: &effects)
        }
        if inFlight.isEmpty { return true }
        inFlight.append(
            InFlight(
                zxid: lastProposed, work: .refusal(of: id, over: link),
                caller: InFlight.Caller(
                    request: .createSession, xid: 0, connection: connection,
                    arrivedAt: now.monotonicMilliseconds)))
        return false
    }

    mutating func completeRefusal(
        of id: SessionID, for connection: ConnectionID?, _ link: LinkID?, at now: Now,
        into effects: inout StepEffects
    ) {
        if let link {
            drive(.answer(.revalidated(id, isValid: false), link), at: now, into: &effects)
        }
        if let connection {
            revalidated(id, false, for: connection, at: now, into: &effects)
        }
    }

    mutating func refuseSession(
        on slot: UInt32, reply: inout ByteBuffer, into effects: inout StepEffects
    ) {
        connections[slot].session = .none
        writeConnectResponse(.refused(readOnly: connections[slot].readOnlyByte), to: &reply)
        statistics.unsuccessfulHandshakes += 1
        close(slot, into: &effects)
    }

    /// A session goes on over this connection, and over no other.
    mutating func resume(
        _ id: SessionID, on slot: UInt32, at now: Now, reply: inout ByteBuffer,
        into effects: inout StepEffects
    ) {
        let connection = connections[slot].id
        if let other = sessions[id]?.connection, other != connection, connections.contains(other) {
            close(other.slot, into: &effects)
        }
        let timeout = connections[slot].timeoutMilliseconds
        let owner = SessionTracker.Owner.connection(connection)
        if sessions[id] == nil {
            sessions.add(id, timeoutMilliseconds: timeout, owner: owner, at: now)
        } else {
            sessions.attach(id, to: owner, timeoutMilliseconds: timeout, at: now)
        }
        connections[slot].session = id
        connections[slot].phase = .established
        writeConnectResponse(
            ConnectResponse(
                timeoutMilliseconds: timeout, session: id, password: id.password,
                readOnly: connections[slot].readOnlyByte), to: &reply)
    }

    /// The createSession of a connection is committed.
    mutating func sessionCreated(
        on slot: UInt32, at now: Now, reply: inout ByteBuffer, into effects: inout StepEffects
    ) {
        let id = connections[slot].session
        let timeout = connections[slot].timeoutMilliseconds
        if sessions[id] == nil {
            let owner = SessionTracker.Owner.connection(connections[slot].id)
            sessions.add(id, timeoutMilliseconds: timeout, owner: owner, at: now)
        }
        writeConnectResponse(
            ConnectResponse(
                timeoutMilliseconds: timeout, session: id, password: id.password,
                readOnly: connections[slot].readOnlyByte), to: &reply)
        connections[slot].phase = .established
        takeEarlyFrames(on: slot, at: now, reply: &reply, into: &effects)
    }

    /// What the client sent before its session was established.
    mutating func takeEarlyFrames(
        on slot: UInt32, at now: Now, reply: inout ByteBuffer, into effects: inout StepEffects
    ) {
        var early: [[UInt8]] = []
        while case .frame(let frame, _)? = popWaiting(on: slot) { early.append(frame) }
        for frame in early {
            guard connections[slot].phase == .established else { return }
            if reply.readableBytes > settings.maximumOutboxBytes {
                close(slot, into: &effects)
                return
            }
            do throws(WireError) {
                try request(frame.raw, on: slot, at: now, reply: &reply, into: &effects)
            } catch {
                close(slot, into: &effects)
            }
        }
    }

    private mutating func writeConnectResponse(
        _ response: ConnectResponse, to reply: inout ByteBuffer
    ) {
        let start = reply.beginFrame()
        response.write(to: &reply)
        reply.endFrame(start)
        statistics.packetsSent += 1
    }

    /// Closes the sessions whose time is up.
    mutating func expireSessions(at now: Now, into effects: inout StepEffects) {
        for id in sessions.expired(at: now) { expire(id, at: now, into: &effects) }
    }

    /// Ends a session as if its time were up.
    ///
    /// - Returns: false if there is no such session, or it is not for this server to end it: only a
    ///   leader ends sessions that all servers know.
    @discardableResult
    package mutating func expire(
        _ id: SessionID, at now: Now, into effects: inout StepEffects
    ) -> Bool {
        guard let session = sessions[id], !session.isClosing, session.isLocal || isLeading
        else { return false }
        statistics.sessionsExpired += 1
        if session.isLocal {
            sessionEnded(id, into: &effects)
        } else {
            proposeClose(of: id, xid: 0, for: nil, at: now, into: &effects)
        }
        return true
    }

    /// Closes the connection that a session has here. The session lives on until it times out.
    ///
    /// - Returns: whether there was one.
    package mutating func cutOff(_ id: SessionID, into effects: inout StepEffects) -> Bool {
        guard let connection = sessions[id]?.connection, connections.contains(connection)
        else { return false }
        close(connection.slot, into: &effects)
        return true
    }

    /// Nothing of the session is taken any more; its end comes with the commit.
    mutating func proposeClose(
        of id: SessionID, xid: Int32, for connection: ConnectionID?, at now: Now,
        into effects: inout StepEffects
    ) {
        sessions.markClosing(id)
        let zxid = lastProposed.next
        let txn = prepareCloseSession(id, zxid: zxid)
        propose(
            txn, as: .closeSession, session: id, xid: xid, for: connection, at: now,
            into: &effects)
    }

    /// A session's end is committed: whichever connection it still has is closed.
    mutating func sessionEnded(_ id: SessionID, into effects: inout StepEffects) {
        if let connection = sessions[id]?.connection, connections.contains(connection) {
            close(connection.slot, into: &effects)
        }
        sessions.remove(id)
    }
}
