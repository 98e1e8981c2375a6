import AviaryCore
import AviaryStorage
import AviaryWire
import DequeModule
import NIOCore
import Zab

/// The quorum port: what leader and learners send each other, as bytes.
extension Simulator {
    func carryOut(_ order: StepEffects.Peer, of server: LiveServer) {
        switch order {
        case .vote(let notification, let other):
            send(notification, from: server.member, to: other)
        case .listen: listen(server)
        case .sendToLearner(let message, let link):
            if let wire = learner(link, of: server) { send(message, on: wire, of: server) }
        case .sendToLearners(let message, let links):
            for link in links { carryOut(.sendToLearner(message, link), of: server) }
        case .sendSnapshot(let zxid, let snapshot, let link):
            if let wire = learner(link, of: server) { send(snapshot, zxid, on: wire) }
        case .readLog(let start, let end, let link):
            readLog(from: start, through: end, for: link, of: server)
        case .disconnectLearner(let link):
            guard let wire = learner(link, of: server) else { return }
            server.learners.removeAll { $0 === wire }
            close(wire, by: .acceptor)
        case .disconnectLearners: disconnectLearners(of: server)
        case .connect(let leader, let link): connect(server, to: leader, link)
        case .sendToLeader(let message, let link):
            if let wire = leader(link, of: server) { send(message, on: wire, of: server) }
        case .disconnectLeader(let link):
            if server.welcome == .refusing { server.welcome = .parking }
            guard let wire = leader(link, of: server) else { return }
            server.leader = nil
            close(wire, by: .initiator)
        }
    }

    private func learner(_ link: LinkID, of server: LiveServer) -> Wire? {
        server.learners.first { $0.leaderLink == link }
    }

    private func leader(_ link: LinkID, of server: LiveServer) -> Wire? {
        guard let wire = server.leader, case .quorum(link) = wire.purpose else { return nil }
        return wire
    }

    // MARK: A leader's end

    func accept(learner wire: Wire, at server: LiveServer) -> Bool {
        switch server.welcome {
        case .refusing: return false
        case .listening: schedule(.announce(wire), in: 0)
        case .parking:
            server.parked.append(wire)
            schedule(.unpark(wire), in: 2 * knobs.tick)
        }
        return true
    }

    private func listen(_ server: LiveServer) {
        server.welcome = .listening
        for wire in server.parked { schedule(.announce(wire), in: 0) }
        server.parked = []
    }

    func announce(_ wire: Wire) {
        if wire[.acceptor].isGone { return }
        guard let server = live(wire[.acceptor].node, wire[.acceptor].life) else {
            return abandon(wire, by: .acceptor)
        }
        guard server.welcome == .listening else { return close(wire, by: .acceptor) }
        wire.isAnnounced = true
        server.learners.append(wire)
        step(server) { core, now, effects in
            core.step(.quorum(.learnerConnected(wire.leaderLink)), at: now, into: &effects)
        }
        readFromLearner(wire, server)
    }

    /// It has waited for long enough for this server to lead.
    func unpark(_ wire: Wire) {
        guard let server = live(wire[.acceptor].node, wire[.acceptor].life),
            server.parked.contains(where: { $0 === wire })
        else { return }
        server.parked.removeAll { $0 === wire }
        close(wire, by: .acceptor)
    }

    private func disconnectLearners(of server: LiveServer) {
        server.welcome = .parking
        for wire in server.learners { close(wire, by: .acceptor) }
        server.learners = []
    }

    func learnerLost(_ wire: Wire, _ server: LiveServer) {
        server.parked.removeAll { $0 === wire }
        guard server.learners.contains(where: { $0 === wire }) else { return }
        server.learners.removeAll { $0 === wire }
        step(server) { core, now, effects in
            core.step(.quorum(.learnerLost(wire.leaderLink)), at: now, into: &effects)
        }
    }

    func readFromLearner(_ wire: Wire, _ server: LiveServer) {
        guard wire.isAnnounced, !wire[.acceptor].isGone, violation == nil else { return }
        var lists: [[LearnerMessage]] = []
        takePackets(wire, .acceptor) { packets throws(WireError) in
            try packets.takeMessages(packetDecoder, into: &lists)
        }
        for messages in lists {
            for message in messages {
                note(
                    "\(Knobs.id(of: wire[.initiator].node)) -> "
                        + "\(members[server.member].id) \(message.words)")
                heard(message, on: wire, at: server)
            }
            step(server) { core, now, effects in
                core.step(
                    .quorum(.receivedFromLearner(messages, wire.leaderLink)), at: now,
                    into: &effects)
            }
        }
    }

    private func send(_ message: LeaderMessage, on wire: Wire, of server: LiveServer) {
        var bytes = ByteBuffer()
        for message in mistaken(message, to: wire, by: server) { message.write(to: &bytes) }
        send(bytes, from: .acceptor, on: wire)
    }

    private func send(_ snapshot: TreeSnapshot, _ zxid: Zxid, on wire: Wire) {
        var bytes = ByteBuffer()
        LeaderMessage.snap(zxid).write(to: &bytes)
        var writer = SnapshotStreamWriter(snapshot)
        var goesOn = true
        while goesOn {
            goesOn = writer.writeNext(to: &bytes, atLeast: knobs.snapshotPieceBytes)
            send(bytes, from: .acceptor, on: wire)
            bytes.clear()
        }
    }

    // MARK: A learner's end

    private func connect(_ server: LiveServer, to leader: ServerID, _ link: LinkID) {
        server.welcome = .refusing
        for wire in server.parked { close(wire, by: .acceptor) }
        server.parked = []
        if let old = server.leader { close(old, by: .initiator) }
        server.leader = connect(
            .quorum(link), from: server.member, life: server.life, to: Int(leader.rawValue) - 1)
    }

    func leaderLost(_ wire: Wire, _ link: LinkID, _ server: LiveServer) {
        guard server.leader === wire else { return }
        server.leader = nil
        step(server) { core, now, effects in
            core.step(.quorum(.leaderLost(link)), at: now, into: &effects)
        }
    }

    private func send(_ message: LearnerMessage, on wire: Wire, of server: LiveServer) {
        var bytes = ByteBuffer()
        message.write(to: &bytes)
        addForeign(message, to: &bytes)
        send(bytes, from: .initiator, on: wire)
        if case .ping = message {
            wire.touches.append((behind: wire.sentToAcceptor, sessions: server.touched))
            server.touched = []
        }
    }

    /// Some learners hand on what no client may ask for: Apache's do with `check`, and an ensemble of
    /// theirs never recovers from it (H.9 in the specification).
    private func addForeign(_ message: LearnerMessage, to bytes: inout ByteBuffer) {
        guard knobs.hasForeignRequests, case .request(var request) = message, oneIn(10) else {
            return
        }
        statistics[.foreignRequests] += 1
        let isCheck = oneIn(2)
        request = ForwardedRequest(
            session: request.session,
            cxid: isCheck ? Self.foreignCheckXid : Self.foreignCheckXid - 1,
            type: isCheck ? OpCode.check.rawValue : Int32(random.below(200)) + 200,
            body: request.body, identities: request.identities)
        LearnerMessage.request(request).write(to: &bytes)
    }

    func readFromLeader(_ wire: Wire, _ link: LinkID, _ server: LiveServer) {
        while !wire[.initiator].isGone, violation == nil {
            if let snapshot = wire.snapshot {
                guard takeTree(snapshot, wire, link, server) else { return }
            }
            var messages: [LeaderMessage] = []
            takePackets(wire, .initiator) { packets throws(WireError) in
                try packets.takeMessages(packetDecoder, into: &messages)
            }
            deliver(messages.flatMap { sabotaged($0, on: wire) }, wire, link, server)
            if wire.snapshot == nil { return }
        }
    }

    private func deliver(
        _ messages: [LeaderMessage], _ wire: Wire, _ link: LinkID, _ server: LiveServer
    ) {
        if messages.isEmpty { return }
        for message in messages {
            note(
                "\(Knobs.id(of: wire[.acceptor].node)) -> "
                    + "\(members[server.member].id) \(message.words)")
            count(message, to: server)
        }
        if case .snap(let zxid) = messages.last {
            wire.snapshot = (zxid, TreeReader(hashSeed: random.next()))
        }
        step(server) { core, now, effects in
            core.step(.quorum(.receivedFromLeader(messages, link)), at: now, into: &effects)
        }
    }

    private func count(_ message: LeaderMessage, to server: LiveServer) {
        switch message {
        case .diff: statistics[.diffs] += 1
        case .trunc: statistics[.truncs] += 1
        case .snap: statistics[.snaps] += 1
        case .upToDate where !members[server.member].isVoter:
            statistics[.observersSynchronized] += 1
        default: break
        }
    }

    /// - Returns: false if there is more to come.
    private func takeTree(
        _ snapshot: (zxid: Zxid, reader: TreeReader), _ wire: Wire, _ link: LinkID,
        _ server: LiveServer
    ) -> Bool {
        do throws(StorageError) {
            let tree = try snapshot.reader.take(
                &wire[.initiator].input, zxid: snapshot.zxid)
            guard let tree else { return false }
            wire.snapshot = nil
            step(server) { core, now, effects in
                guard let tree = tree.take() else { return }
                core.receive(
                    tree: tree, of: snapshot.zxid, over: link, at: now, into: &effects)
            }
            return true
        } catch {
            fail(.codec, "a leader's tree cannot be read: \(error.message)")
            return false
        }
    }

    // MARK: Both

    private func takePackets(
        _ wire: Wire, _ side: Wire.Side,
        _ take: (inout PacketBuffer) throws(WireError) -> Void
    ) {
        var packets = PacketBuffer()
        packets.bytes = wire[side].input
        do throws(WireError) {
            try take(&packets)
        } catch {
            fail(.codec, "what came over a link cannot be read: \(error)")
        }
        packets.tidy()
        wire[side].input = packets.bytes
    }

    private var packetDecoder: QuorumPacketDecoder {
        QuorumPacketDecoder(maximumLength: knobs.maximumTransactionBytes)
    }

    /// The links of a server that is no more.
    func dropLinks(of server: LiveServer) {
        for wire in server.learners + server.parked + server.clients {
            abandon(wire, by: .acceptor)
        }
        if let wire = server.leader { abandon(wire, by: .initiator) }
        for other in members.indices where other != server.member {
            breakElection(server.member, other)
        }
    }
}
