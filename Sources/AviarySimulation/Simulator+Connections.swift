import AviaryCore
import AviaryWire
import NIOCore
import Zab

/// A server's end of its clients' connections, as `ClientConnectionHandler` has it.
extension Simulator {
    func accept(client wire: Wire, at server: LiveServer) -> Bool {
        let remote = RemoteAddress(host: "127.0.0.1", port: wire.id)
        wire.connection = server.core.connect(
            from: remote, at: members[server.member].now(at: now))
        setTimer(server)
        guard wire.connection != nil else { return false }
        server.clients.append(wire)
        return true
    }

    func clientLost(_ wire: Wire, _ server: LiveServer) {
        server.clients.removeAll { $0 === wire }
        guard let id = wire.connection else { return }
        step(server) { core, _, effects in core.disconnect(id, into: &effects) }
    }

    func readFromClient(_ wire: Wire, _ server: LiveServer) {
        guard let id = wire.connection, !wire[.acceptor].isGone, !refusesEarly(wire, server) else {
            return
        }
        let before = server.core.statistics.packetsReceived
        var input = wire[.acceptor].input
        wire[.acceptor].input = ByteBuffer()
        step(server) { core, now, effects in
            core.receive(&input, on: id, at: now, into: &effects)
        }
        wire[.acceptor].input = input
        if server.core.statistics.packetsReceived > before { heardClient(of: wire, at: server) }
        take(server.core.takeOutbox(of: id, at: members[server.member].now(at: now)), wire, server)
    }

    func emptyOutbox(of id: ConnectionID, _ server: LiveServer) {
        guard server.core.isListed(id),
            let wire = server.clients.first(where: { $0.connection == id })
        else { return }
        take(server.core.takeOutbox(of: id, at: members[server.member].now(at: now)), wire, server)
    }

    private func take(_ outbox: ServerCore.Outbox, _ wire: Wire, _ server: LiveServer) {
        send(outbox.bytes, from: .acceptor, on: wire)
        switch outbox.next {
        case .read, .wait: break
        case .takeMore: schedule(.arriveMore(wire), in: 20)
        case .close:
            clientLost(wire, server)
            close(wire, by: .acceptor)
        }
    }

    /// Frames that were left with the driver get their turn.
    func takeMore(_ wire: Wire) {
        guard let server = live(wire[.acceptor].node, wire[.acceptor].life) else { return }
        readFromClient(wire, server)
    }

    // MARK: Who was heard

    /// A session's client was heard by the server that it is connected to.
    private func heardClient(of wire: Wire, at server: LiveServer) {
        let client = clients[wire[.initiator].node - members.count]
        guard client.wire === wire, let session = client.establishedSession else { return }
        if server.core.role == .leading {
            server.heard[session] = now
        } else if !server.touched.contains(session) {
            server.touched.append(session)
        }
    }

    /// A leader hears of sessions from its learners.
    func heard(_ message: LearnerMessage, on wire: Wire, at server: LiveServer) {
        switch message {
        case .ping:
            // The pings that are read by now: their last byte was not behind this.
            let read = wire.takenByAcceptor - wire[.acceptor].input.readableBytes
            while let first = wire.touches.first, first.behind <= read {
                wire.touches.removeFirst()
                for session in first.sessions { server.heard[session] = now }
            }
        case .revalidate(let session, _):
            statistics[.revalidations] += 1
            server.heard[session] = now
        case .request(let request) where request.type == OpCode.createSession.rawValue:
            server.heard[request.session] = now
        case .request: statistics[.writesForwarded] += 1
        default: break
        }
    }

    /// A leader ends a session that nobody has closed.
    func checkExpiry(of session: SessionID, by server: LiveServer) {
        statistics[.sessionsExpired] += 1
        let member = members[server.member]
        let timeout = Int64(knobs.sessionTimeoutMilliseconds) * 1000
        let heard = max(server.heard[session] ?? server.leadsSince, server.leadsSince)
        let silence = member.clock.monotonic(at: now) - member.clock.monotonic(at: heard)
        note("\(member.id) lets \(session) expire, silent for \(silence / 1000) ms")
        if silence + 1000 < timeout {
            fail(
                .expiredOnlyIfSilent,
                "\(member.id) ends session \(session), which was heard \(silence / 1000) ms ago and"
                    + " has \(timeout / 1000) ms")
        }
    }
}
