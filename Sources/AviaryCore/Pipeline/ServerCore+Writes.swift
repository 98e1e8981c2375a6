import AviaryWire
import NIOCore
import Zab

extension ServerCore {
    /// A request that takes its place among the transactions: checked against what is outstanding,
    /// proposed, and answered when it is committed. A refused one is proposed too, as an error.
    ///
    /// Source: PrepRequestProcessor.pRequest, ZooKeeper 3.9.5. Unlike there, a record is decoded
    /// before a zxid is taken.
    mutating func write(
        _ header: RequestHeader, _ reader: consuming JuteReader, on slot: UInt32, at now: Now,
        reply: inout ByteBuffer, into effects: inout StepEffects
    ) {
        guard let code = OpCode(rawValue: header.type) else { return }
        let session = connections[slot].session
        let connection = connections[slot].id
        let cost = reader.remaining
        if isTooLarge(cost) {
            statistics.largeRequestsRejected += 1
            close(slot, into: &effects)
            return
        }
        if makesLocalSessions && sessions[session]?.isLocal == true {
            let isEnsembles = localWrite(
                header, code, reader, on: slot, at: now, reply: &reply, into: &effects)
            guard isEnsembles else { return }
        }
        if isLearner {
            forwardWrite(
                header, code, reader, on: slot, at: now, reply: &reply, into: &effects)
            return
        }
        guard let state = sessions[session], !state.isClosing else {
            refuse(header.xid, .sessionExpired, on: slot, at: now, reply: &reply)
            return
        }
        let origin = Origin(
            session: session, identities: connections[slot].identities, xid: header.xid,
            connection: connection)
        if state.owner != .connection(connection) {
            wait(.inFlight(cost: cost), on: slot)
            proposeError(.sessionMoved, code, for: origin, at: now, into: &effects)
            return
        }
        switch code {
        case .closeSession:
            connections[slot].phase = .ending
            wait(.inFlight(cost: cost), on: slot)
            proposeClose(of: session, xid: header.xid, for: connection, at: now, into: &effects)
        case .sync:
            submitSync(header, reader, on: slot, at: now, reply: &reply)
        default:
            do throws(WireError) {
                let body = try WriteBody(code, reader)
                wait(.inFlight(cost: cost), on: slot)
                submit(body, for: origin, at: now, into: &effects)
            } catch {
                // What Apache stumbles over only after it has given a zxid.
                if code == .multi || error == .unexpectedNull {
                    wait(.inFlight(cost: cost), on: slot)
                    proposeError(
                        .marshallingError, code, for: origin, at: now, into: &effects)
                } else {
                    refuse(header.xid, .marshallingError, on: slot, at: now, reply: &reply)
                }
            }
        }
    }

    /// Whose request it is.
    struct Origin {
        let session: SessionID
        let identities: [Identity]
        let xid: Int32
        /// Nil if it was asked for at a learner.
        let connection: ConnectionID?
    }

    mutating func submit(
        _ body: borrowing WriteBody, for origin: Origin, at now: Now,
        into effects: inout StepEffects
    ) {
        let code = body.code
        let asker = Asker(
            session: origin.session, identities: origin.identities, zxid: lastProposed.next,
            time: now.wallMilliseconds)
        let header = TxnHeader(
            session: asker.session, cxid: origin.xid, zxid: asker.zxid, time: asker.time,
            type: code)
        var entry = LogEntryWriter(header, bodyByteCount: body.reader.remaining)
        var create2s: Set<Int>?
        do throws(ZooKeeperError) {
            if code == .multi {
                create2s = prepareMulti(body, for: asker, into: &entry)
            } else {
                var reader = body.reader
                try prepare(code, &reader, for: asker, into: &entry)
            }
            propose(
                entry.finish(TxnDigest(treeDigest: outstanding.digest)), as: code, create2s,
                xid: origin.xid, for: origin.connection, at: now, into: &effects)
        } catch {
            proposeError(error, code, for: origin, at: now, into: &effects)
        }
        if !notices.isEmpty {
            effects.notices += notices
            notices.removeAll()
        }
    }

    /// Checks an operation against what is outstanding, notes what it will change, and writes its
    /// record.
    mutating func prepare(
        _ code: OpCode, _ reader: inout JuteReader, for asker: Asker,
        into entry: inout LogEntryWriter
    ) throws(ZooKeeperError) {
        switch code {
        case .create, .create2, .createContainer, .createTTL:
            guard let body = try? CreateBody(code, from: &reader) else { throw .marshallingError }
            try prepareCreate(body, code, for: asker, into: &entry)
        case .delete:
            guard let body = try? VersionRecord(from: &reader) else { throw .marshallingError }
            try prepareDelete(body, for: asker, into: &entry)
        case .setData:
            guard let body = try? SetDataRecord(from: &reader) else { throw .marshallingError }
            try prepareSetData(body, for: asker, into: &entry)
        case .setACL:
            guard let body = try? SetACLRecord(from: &reader) else { throw .marshallingError }
            try prepareSetACL(body, for: asker, into: &entry)
        case .check:
            guard let body = try? VersionRecord(from: &reader) else { throw .marshallingError }
            try prepareCheck(body, for: asker, into: &entry)
        case .reconfig: throw settings.reconfigEnabled ? .unimplemented : .reconfigDisabled
        default: throw .unimplemented
        }
    }

    // MARK: Proposing

    /// Gives a transaction its zxid, encodes it once, and sends it on its way.
    mutating func propose(
        _ txn: Txn, as code: OpCode, session: SessionID, xid: Int32,
        for connection: ConnectionID?, at now: Now, into effects: inout StepEffects
    ) {
        var type = code
        var digest: TxnDigest? = TxnDigest(treeDigest: outstanding.digest)
        if case .error = txn {
            type = .error
            digest = nil
        }
        let header = TxnHeader(
            session: session, cxid: xid, zxid: lastProposed.next, time: now.wallMilliseconds,
            type: type)
        let entry = LogEntry(header: header, txn: txn, digest: digest)
        propose(entry.encoded, as: code, xid: xid, for: connection, at: now, into: &effects)
    }

    /// - Parameter entry: of the next zxid, which it takes.
    private mutating func propose(
        _ entry: ByteBuffer, as code: OpCode, _ create2s: Set<Int>? = nil, xid: Int32,
        for connection: ConnectionID?, at now: Now, into effects: inout StepEffects
    ) {
        let zxid = lastProposed.next
        lastProposed = zxid
        inFlight.append(
            InFlight(
                zxid: zxid, work: .transaction(entry, create2s: create2s),
                caller: InFlight.Caller(
                    request: code, xid: xid, connection: connection,
                    arrivedAt: now.monotonicMilliseconds)))
        statistics.proposals += 1
        statistics.proposalSizes.add(entry.readableBytes)
        drive(.propose(Proposal(zxid: zxid, bytes: entry)), at: now, into: &effects)
        if !isLeading { forgetUnproposed(zxid) }
    }

    /// A leader that is out of zxids gives up instead of proposing: this must not be applied when a
    /// later leader's first transaction is.
    private mutating func forgetUnproposed(_ zxid: Zxid) {
        precondition(inFlight.last?.zxid == zxid, "a leader stays if it has proposed")
        inFlight.removeLast()
        lastProposed = Zxid(zxid.rawValue - 1)
    }

    mutating func proposeError(
        _ error: ZooKeeperError, _ code: OpCode, for origin: Origin, at now: Now,
        into effects: inout StepEffects
    ) {
        propose(
            .error(error.rawValue), as: code, session: origin.session, xid: origin.xid,
            for: origin.connection, at: now, into: &effects)
    }

    /// Answers without a transaction, in the request's turn.
    mutating func refuse(
        _ xid: Int32, _ error: ZooKeeperError, on slot: UInt32, at now: Now,
        reply: inout ByteBuffer
    ) {
        if connections[slot].waiting.isEmpty {
            writeReply(xid, tree.lastProcessedZxid, error: error, to: &reply, slot, at: now)
        } else {
            wait(.refusal(xid: xid, error), on: slot)
        }
    }

    /// A sync is answered when everything proposed before it is committed.
    private mutating func submitSync(
        _ header: RequestHeader, _ source: consuming JuteReader, on slot: UInt32, at now: Now,
        reply: inout ByteBuffer
    ) {
        var reader = source
        let request: PathRequest
        do throws(WireError) {
            request = try PathRequest(from: &reader)
        } catch {
            refuse(header.xid, .marshallingError, on: slot, at: now, reply: &reply)
            return
        }
        if inFlight.isEmpty && connections[slot].waiting.isEmpty {
            writeReply(
                header.xid, tree.lastProcessedZxid, to: &reply, slot, at: now,
                byteCount: JuteFields.byteCount(of: request.path?.bytes)
            ) { $0.write(request.path?.bytes) }
            return
        }
        wait(.inFlight(cost: request.path?.bytes.count ?? 0), on: slot)
        inFlight.append(
            InFlight(
                zxid: lastProposed, work: .sync(path: request.path),
                caller: InFlight.Caller(
                    request: .sync, xid: header.xid, connection: connections[slot].id,
                    arrivedAt: now.monotonicMilliseconds)))
    }
}
