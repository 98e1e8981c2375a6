import AviaryCore
import AviaryWire
import DequeModule
import NIOCore
import Zab

/// A client's connection: found, kept alive, lost and found again elsewhere.
extension Simulator {
    /// A client does the next thing that it has to do.
    func act(_ client: SimulatedClient) {
        let think = 1 + client.random.below(knobs.thinkTime)
        schedule(.client(client.index), in: min(Int64(think), client.timeout / 4))
        switch client.phase {
        case .disconnected: client.connect(self)
        case .connecting, .greeting:
            if now - client.connectedAt > client.timeout { client.drop(self) }
        case .closing:
            if now - client.lastHeard > client.timeout { client.drop(self) }
        case .established:
            let isSilent = now - client.lastHeard > client.timeout * 2 / 3
            // Who can only read looks for a better server now and then.
            if isSilent || client.isTiredOfReading { return client.drop(self) }
            if isQuiet(for: client) || client.pending.count >= knobs.pipelineDepth {
                if now - client.lastSent > client.timeout / 3 { client.ping(self) }
            } else {
                client.ask(client.makeRequest(), self)
            }
        }
    }

    /// At the end, a client that has written is content: else short epochs would never end.
    private func isQuiet(for client: SimulatedClient) -> Bool {
        switch ending {
        case .quiet: true
        case .healed: client.hasWrittenSince
        case .faults, .done: false
        }
    }
}

extension SimulatedClient {
    private func node(_ simulator: Simulator) -> Int { simulator.members.count + index }

    var name: String { "client \(index + 1)" }

    // MARK: Connecting

    fileprivate func connect(_ simulator: Simulator) {
        // Rather than wait for a leader, some begin anew where they may read at least.
        if takesReadOnly, simulator.now - lastHeard > 2 * timeout, random.below(2) == 0 { forget() }
        phase = .connecting
        connectedAt = simulator.now
        let member = random.below(simulator.members.count)
        simulator.note("\(name) connects to \(simulator.members[member].id)")
        wire = simulator.connect(.client, from: node(simulator), life: 0, to: member)
    }

    func connected(_ simulator: Simulator) {
        guard phase == .connecting else { return }
        phase = .greeting
        let request = ConnectRequest(
            lastZxidSeen: lastZxidSeen, timeoutMilliseconds: knobs.sessionTimeoutMilliseconds,
            session: session, password: session == .none ? nil : session.password,
            readOnly: takesReadOnly)
        var frame = ByteBuffer()
        let start = frame.beginFrame()
        request.write(to: &frame)
        frame.endFrame(start)
        send(frame, simulator)
    }

    /// Gives the connection up; what was asked may or may not come to be.
    fileprivate func drop(_ simulator: Simulator) {
        simulator.note("\(name) gives up its connection")
        if let wire { simulator.close(wire, by: .initiator) }
        disconnected(simulator)
    }

    func disconnected(_ simulator: Simulator) {
        simulator.note("\(name) is disconnected")
        if phase == .closing || isReadOnly { forget() }
        isReadOnly = false
        wire = nil
        phase = .disconnected
        pending.removeAll()
        dataWatches.age()
        childWatches.age()
    }

    // MARK: Sending

    private func send(_ frame: ByteBuffer, _ simulator: Simulator) {
        guard let wire else { return }
        lastSent = simulator.now
        simulator.send(frame, from: .initiator, on: wire)
    }

    fileprivate func ping(_ simulator: Simulator) {
        var frame = ByteBuffer()
        let start = frame.beginFrame()
        RequestHeader(xid: SpecialXid.ping, type: OpCode.ping.rawValue).write(to: &frame)
        frame.endFrame(start)
        send(frame, simulator)
    }

    func ask(_ request: ClientOperation.Request, _ simulator: Simulator) {
        let operation = ClientOperation(
            xid: nextXid(), request: request, invokedAt: simulator.now,
            floor: simulator.contract.lastWritten, committed: simulator.checker.ledger.last,
            epochs: simulator.undisputedEpochs)
        var frame = ByteBuffer()
        let start = frame.beginFrame()
        operation.write(to: &frame)
        frame.endFrame(start)
        if frame.readableBytes > knobs.maximumFrameLength { return }
        pending.append(operation)
        if case .close = request { phase = .closing }
        simulator.note("\(name) asks \(operation.xid): \(operation.code)")
        send(frame, simulator)
    }

    // MARK: Receiving

    func read(_ simulator: Simulator) {
        while let wire, !wire[.initiator].isGone, simulator.violation == nil {
            guard
                let length = wire[.initiator].input.getInteger(
                    at: wire[.initiator].input.readerIndex, as: Int32.self),
                wire[.initiator].input.readableBytes >= 4 + Int(length),
                wire[.initiator].input.readInteger(as: Int32.self) == length,
                let frame = wire[.initiator].input.readSlice(length: Int(length))
            else { return }
            lastHeard = simulator.now
            do throws(WireError) {
                var reader = JuteReader(frame.readableBytesSpan)
                if phase == .greeting {
                    greeted(try ConnectResponse(from: &reader), simulator)
                } else {
                    let header = try ReplyHeader(from: &reader)
                    try take(header, reader, simulator)
                }
            } catch {
                simulator.fail(.codec, "\(name) is sent what it cannot read: \(error)")
            }
        }
    }

    private func greeted(_ response: ConnectResponse, _ simulator: Simulator) {
        guard response.session != .none else {
            simulator.note("\(name) learns that its session \(session) is no more")
            simulator.statistics[.sessionsRefused] += 1
            // A local session cannot go to another server.
            if !knobs.localSessions || simulator.checker.model.wasMade(session) {
                simulator.contract.refused(
                    session, of: name, isLive: simulator.checker.model.isLive(session),
                    at: simulator.now)
            }
            forget()
            return drop(simulator)
        }
        if session != .none {
            simulator.statistics[.reconnections] += 1
            if response.session != session {
                simulator.fail(
                    .refusedOnlyIfEnded,
                    "\(name) asks for session \(session) and is given \(response.session)")
            }
        }
        simulator.note("\(name) has session \(response.session)")
        let isNew = session == .none
        isReadOnly = response.readOnly == true
        if isReadOnly { simulator.statistics[.readOnlySessions] += 1 }
        if isNew {
            let isLocal = knobs.localSessions && !isReadOnly
            simulator.statistics[isLocal ? .localSessions : .sessionsMade] += 1
        }
        session = response.session
        phase = .established
        if isNew {
            lastXid = 0
            ask(.create(TreeModel.sequenceParent, data: [], .persistent), simulator)
        } else if !dataWatches.all.isEmpty || !childWatches.all.isEmpty {
            ask(
                .setWatches(
                    data: dataWatches.all.filter { !$0.isForCreation }.map(\.path),
                    exist: dataWatches.all.filter(\.isForCreation).map(\.path),
                    child: childWatches.all.map(\.path), since: lastZxidSeen), simulator)
        }
    }

    /// What a server without a leader shows may never have been decided, as in ZooKeeper; but it
    /// changes nothing.
    private func takeReadOnly(
        _ header: ReplyHeader, _ simulator: Simulator
    ) throws(WireError) {
        if header.xid == SpecialXid.ping { return }
        guard let operation = pending.popFirst(), operation.xid == header.xid else {
            return simulator.fail(
                .sessionOrder, "\(name) is answered \(header.xid), which is not its turn")
        }
        if operation.isWrite && header.error == 0 {
            simulator.fail(
                .readOnlyChangesNothing,
                "\(name) is told that \(operation.xid) is done, by a server without a leader")
        }
        if case .close = operation.request { drop(simulator) }
    }

    private func take(
        _ header: ReplyHeader, _ reader: consuming JuteReader, _ simulator: Simulator
    ) throws(WireError) {
        var reader = reader
        if header.xid == SpecialXid.notification {
            return hear(try WatchNotice(from: &reader), header.zxid, simulator)
        }
        if isReadOnly { return try takeReadOnly(header, simulator) }
        if header.zxid > .zero {
            if header.zxid < lastZxidSeen {
                simulator.fail(
                    .zxidsRise,
                    "\(name) sees zxid \(header.zxid) after \(lastZxidSeen), in answer to"
                        + " \(header.xid)")
            }
            lastZxidSeen = max(lastZxidSeen, header.zxid)
        }
        if header.xid == SpecialXid.ping { return checkWatches(header.zxid, simulator) }
        guard let operation = pending.popFirst(), operation.xid == header.xid else {
            return simulator.fail(
                .sessionOrder, "\(name) is answered \(header.xid), which is not its turn")
        }
        simulator.note(
            "\(name) is answered \(header.xid): zxid \(header.zxid), error \(header.error)")
        try judge(operation, header, reader, simulator)
        if operation.isWrite, header.error == 0, simulator.isHealed(since: operation.invokedAt) {
            hasWrittenSince = true
        }
        if case .close = operation.request {
            simulator.statistics[.sessionsClosed] += 1
            drop(simulator)
        }
    }
}

/// The body of a notification.
struct WatchNotice {
    let type: Int32
    let path: Path

    init(from reader: inout JuteReader) throws(WireError) {
        type = try reader.readInt()
        _ = try reader.readInt()
        path = try reader.readPath()
    }
}
