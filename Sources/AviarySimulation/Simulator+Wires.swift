import AviaryCore
import AviaryWire
import DequeModule
import NIOCore
import Zab

/// Connections: what is sent on one keeps its order.
extension Simulator {
    // MARK: Opening

    func connect(_ purpose: Wire.Purpose, from node: Int, life: Int, to member: Int) -> Wire {
        wireCount += 1
        let wire = Wire(
            id: wireCount, purpose: purpose, from: Wire.End(node: node, life: life),
            to: Wire.End(node: member, life: 0), at: now)
        schedule(.opened(wire), in: upTo(Int64(2 * knobs.linkDelay)))
        return wire
    }

    /// The connection reaches its other end, or is refused there.
    func open(_ wire: Wire) {
        guard wire.state == .opening, !wire[.initiator].isGone else { return }
        let (from, to) = (wire[.initiator].node, wire[.acceptor].node)
        let cutEnd = max(network.cutEnd(from: from, to: to), network.cutEnd(from: to, to: from))
        if cutEnd > now {
            let timeout = wire.openedAt + 4 * knobs.tick
            if cutEnd < timeout { return schedule(.opened(wire), at: cutEnd + upTo(knobs.tick)) }
            return refuse(wire, in: timeout - now)
        }
        guard let server = members[to].server else { return refuse(wire, in: upTo(1000)) }
        wire[.acceptor].life = server.life
        let isAccepted =
            switch wire.purpose {
            case .quorum: accept(learner: wire, at: server)
            case .client: accept(client: wire, at: server)
            }
        guard isAccepted else { return refuse(wire, in: upTo(1000)) }
        wire.state = .open
        opened(wire)
    }

    private func opened(_ wire: Wire) {
        switch wire.purpose {
        case .client: clients[wire[.initiator].node - members.count].connected(self)
        case .quorum(let link):
            guard let server = live(wire[.initiator].node, wire[.initiator].life) else { return }
            step(server) { core, now, effects in
                core.step(.quorum(.leaderConnected(link)), at: now, into: &effects)
            }
        }
    }

    private func refuse(_ wire: Wire, in delay: Int64) {
        wire.state = .refused
        wire[.acceptor].isGone = true
        put(.end, toward: .initiator, of: wire, at: now + delay)
    }

    // MARK: Sending

    func send(_ bytes: ByteBuffer, from side: Wire.Side, on wire: Wire) {
        guard wire.state == .open, !wire[side].isGone, bytes.readableBytes > 0 else { return }
        journal.mix(bytes)
        if side == .initiator { wire.sentToAcceptor += bytes.readableBytes }
        var rest = bytes
        // Now and then in two pieces, so that messages come in parts.
        if rest.readableBytes > 1, oneIn(6) {
            let count = 1 + random.below(rest.readableBytes - 1)
            if let piece = rest.readSlice(length: count) { put(.bytes(piece), from: side, wire) }
        }
        put(.bytes(rest), from: side, wire)
    }

    private func put(_ segment: Wire.Segment, from side: Wire.Side, _ wire: Wire) {
        put(segment, toward: side.other, of: wire, at: now + upTo(Int64(knobs.linkDelay)))
    }

    private func put(
        _ segment: Wire.Segment, toward side: Wire.Side, of wire: Wire, at time: Int64
    ) {
        let arrival = max(wire.pipes[side.rawValue].lastArrival, time)
        wire.pipes[side.rawValue].lastArrival = arrival
        wire.pipes[side.rawValue].segments.append((at: arrival, segment: segment))
        scheduleArrival(wire, side)
    }

    private func scheduleArrival(_ wire: Wire, _ side: Wire.Side) {
        guard !wire.pipes[side.rawValue].isScheduled,
            let first = wire.pipes[side.rawValue].segments.first
        else { return }
        scheduleArrival(wire, side, at: first.at)
    }

    private func scheduleArrival(_ wire: Wire, _ side: Wire.Side, at time: Int64) {
        wire.pipes[side.rawValue].isScheduled = true
        schedule(.arrive(wire, side), at: time)
    }

    // MARK: Arriving

    func arrive(_ wire: Wire, _ side: Wire.Side) {
        wire.pipes[side.rawValue].isScheduled = false
        guard let first = wire.pipes[side.rawValue].segments.first, !wire[side].isGone else {
            return
        }
        let (from, to) = (wire[side.other].node, wire[side].node)
        let due = max(first.at, network.cutEnd(from: from, to: to))
        if due > now { return scheduleArrival(wire, side, at: due) }
        let isBusy = !wire.pipes[side.rawValue].isReaderBusy && oneIn(knobs.busyReaders)
        wire.pipes[side.rawValue].isReaderBusy = isBusy
        if isBusy {
            return scheduleArrival(wire, side, at: now + upTo(Int64(knobs.linkDelay)))
        }
        if case .end = first.segment {
            hear(theEndOf: wire, side)
        } else {
            takeBytes(wire, side)
            scheduleArrival(wire, side)
            read(wire, side)
        }
    }

    /// All that has arrived by now, as one read of a socket brings it.
    private func takeBytes(_ wire: Wire, _ side: Wire.Side) {
        var writes = 0
        while let next = wire.pipes[side.rawValue].segments.first, next.at <= now,
            case .bytes(var bytes) = next.segment
        {
            wire.pipes[side.rawValue].segments.removeFirst()
            if side == .acceptor { wire.takenByAcceptor += bytes.readableBytes }
            wire[side].input.writeBuffer(&bytes)
            writes += 1
        }
        if case .quorum = wire.purpose, writes > 1 { statistics[.gatheredReads] += 1 }
    }

    private func read(_ wire: Wire, _ side: Wire.Side) {
        switch wire.purpose {
        case .client:
            if side == .initiator {
                clients[wire[.initiator].node - members.count].read(self)
            } else if let server = live(wire[side].node, wire[side].life) {
                readFromClient(wire, server)
            }
        case .quorum(let link):
            guard let server = live(wire[side].node, wire[side].life) else { return }
            if side == .initiator {
                readFromLeader(wire, link, server)
            } else {
                readFromLearner(wire, server)
            }
        }
    }

    private func hear(theEndOf wire: Wire, _ side: Wire.Side) {
        wire[side].isGone = true
        switch wire.purpose {
        case .client:
            if side == .initiator {
                clients[wire[.initiator].node - members.count].disconnected(self)
            } else if let server = live(wire[side].node, wire[side].life) {
                clientLost(wire, server)
            }
        case .quorum(let link):
            guard let server = live(wire[side].node, wire[side].life) else { return }
            if side == .initiator {
                leaderLost(wire, link, server)
            } else {
                learnerLost(wire, server)
            }
        }
    }

    // MARK: Ending

    /// One side closes. What it has sent arrives before the other hears of it; it itself is told
    /// nothing more.
    func close(_ wire: Wire, by side: Wire.Side) {
        if wire[side].isGone { return }
        wire[side].isGone = true
        if wire.state == .open { put(.end, from: side, wire) }
    }

    /// The connection breaks: what is on its way may be cut short, even in a message, and each side
    /// hears of it some time.
    func breakOff(_ wire: Wire, within limit: Int64) {
        for side in [Wire.Side.initiator, .acceptor] where !wire[side].isGone {
            cutShort(wire, toward: side, within: limit)
        }
    }

    /// One side is no more.
    func abandon(_ wire: Wire, by side: Wire.Side) {
        wire[side].isGone = true
        guard wire.state == .open, !wire[side.other].isGone else { return }
        // Now and then nothing tells the other that this machine is gone.
        let limit = oneIn(4) ? 20 * knobs.tick : knobs.tick
        cutShort(wire, toward: side.other, within: limit)
    }

    private func cutShort(_ wire: Wire, toward side: Wire.Side, within limit: Int64) {
        var segments = wire.pipes[side.rawValue].segments
        segments.removeLast(segments.count - random.below(segments.count + 1))
        if case .bytes(var bytes)? = segments.last?.segment, oneIn(2) {
            let at = segments.removeLast().at
            if let piece = bytes.readSlice(length: random.below(bytes.readableBytes + 1)) {
                segments.append((at: at, segment: .bytes(piece)))
            }
        }
        wire.pipes[side.rawValue].segments = segments
        put(.end, toward: side, of: wire, at: now + upTo(limit))
    }
}
