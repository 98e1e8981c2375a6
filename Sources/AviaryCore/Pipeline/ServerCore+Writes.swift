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
            let request: WriteRequest
            do throws(WireError) {
                request = try WriteRequest(code, from: reader)
            } catch {
                // What Apache stumbles over only after it has given a zxid.
                if code == .multi || error == .unexpectedNull {
                    wait(.inFlight(cost: cost), on: slot)
                    proposeError(
                        .marshallingError, code, for: origin, at: now, into: &effects)
                } else {
                    refuse(header.xid, .marshallingError, on: slot, at: now, reply: &reply)
                }
                return
            }
            wait(.inFlight(cost: cost), on: slot)
            submit(request, code, for: origin, at: now, into: &effects)
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
        _ request: WriteRequest, _ code: OpCode, for origin: Origin, at now: Now,
        into effects: inout StepEffects
    ) {
        let asker = Asker(
            session: origin.session, identities: origin.identities, zxid: lastProposed.next,
            time: now.wallMilliseconds)
        do throws(ZooKeeperError) {
            let txn = try prepare(request, code, for: asker)
            propose(
                txn, as: code, session: asker.session, xid: origin.xid,
                for: origin.connection, at: now, into: &effects)
        } catch {
            proposeError(error, code, for: origin, at: now, into: &effects)
        }
        if !notices.isEmpty {
            effects.notices += notices
            notices.removeAll()
        }
    }

    /// The decoded body of a write.
    enum WriteRequest {
        case create(CreateRequest)
        case delete(VersionRequest)
        case setData(SetDataRequest)
        case setACL(SetACLRequest)
        case multi(MultiRequest)
        case reconfig(ReconfigRequest)

        init(_ code: OpCode, from source: consuming JuteReader) throws(WireError) {
            var reader = source
            switch code {
            case .create, .create2, .createContainer:
                self = .create(try CreateRequest(from: &reader))
            case .createTTL: self = .create(try CreateRequest(withTTLFrom: &reader))
            case .delete: self = .delete(try VersionRequest(from: &reader))
            case .setData: self = .setData(try SetDataRequest(from: &reader))
            case .setACL: self = .setACL(try SetACLRequest(from: &reader))
            case .multi:
                let multi = try MultiRequest(from: &reader)
                if let first = multi.operations.first, first.isRead {
                    throw .unknownType(first.opCode.rawValue)
                }
                self = .multi(multi)
            case .reconfig: self = .reconfig(try ReconfigRequest(from: &reader))
            default: throw .unknownType(code.rawValue)
            }
        }
    }

    private mutating func prepare(
        _ request: WriteRequest, _ code: OpCode, for asker: Asker
    ) throws(ZooKeeperError) -> Txn {
        switch request {
        case .create(let create): return .create(try prepareCreate(create, code, for: asker))
        case .delete(let delete): return try prepareDelete(delete, for: asker)
        case .setData(let setData): return try prepareSetData(setData, for: asker)
        case .setACL(let setACL): return try prepareSetACL(setACL, for: asker)
        case .multi(let multi): return prepareMulti(multi, for: asker)
        case .reconfig: throw settings.reconfigEnabled ? .unimplemented : .reconfigDisabled
        }
    }

    // MARK: Proposing

    /// Gives a transaction its zxid, encodes it once, and sends it on its way.
    mutating func propose(
        _ txn: Txn, as code: OpCode, session: SessionID, xid: Int32,
        for connection: ConnectionID?, at now: Now, into effects: inout StepEffects
    ) {
        let zxid = lastProposed.next
        lastProposed = zxid
        var type = code
        var digest: TxnDigest? = TxnDigest(treeDigest: outstanding.digest)
        if case .error = txn {
            type = .error
            digest = nil
        }
        let header = TxnHeader(
            session: session, cxid: xid, zxid: zxid, time: now.wallMilliseconds, type: type)
        let entry = LogEntry(header: header, txn: txn, digest: digest)
        let bytes = entry.encoded
        inFlight.append(
            InFlight(
                zxid: zxid, work: code == .multi ? .multi(entry) : .encoded(bytes),
                caller: InFlight.Caller(
                    request: code, xid: xid, connection: connection,
                    arrivedAt: now.monotonicMilliseconds)))
        statistics.proposals += 1
        statistics.proposalSizes.add(bytes.readableBytes)
        drive(.propose(Proposal(zxid: zxid, bytes: bytes)), at: now, into: &effects)
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
