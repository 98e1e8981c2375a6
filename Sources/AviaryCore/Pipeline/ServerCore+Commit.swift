import AviaryWire
import NIOCore
import Zab

extension ServerCore {
    /// Applies what is decided, in order, and answers whoever asked for it.
    mutating func commit(upTo zxid: Zxid, at now: Now, into effects: inout StepEffects) {
        while let next = inFlight.popFirst(if: { $0.zxid <= zxid }) {
            switch next.work {
            case .transaction(let bytes, let create2s):
                do throws(WireError) {
                    try apply(
                        bytes.readableBytesSpan, create2s, for: next.caller, at: now,
                        into: &effects)
                } catch {
                    // Nothing may be applied on top of a tree that lacks it.
                    effects.notices.append(.unreadableTransaction(next.zxid, error))
                    return
                }
            case .sync: completeSync(next, at: now, into: &effects)
            case .refusal(let session, let link):
                completeRefusal(
                    of: session, for: next.caller.connection, link, at: now, into: &effects)
            }
        }
        releaseHeld(into: &effects)
    }

    private mutating func apply(
        _ bytes: RawSpan, _ create2s: Set<Int>?, for asked: InFlight.Caller, at now: Now,
        into effects: inout StepEffects
    ) throws(WireError) {
        var reader = JuteReader(bytes)
        let header = try TxnHeader(from: &reader)
        var record = Record(reader, create2s)
        events.areWanted = !watches.isEmpty
        let result: TxnResult
        let digest: TxnDigest?
        if header.type == .closeSession {
            // Its record may be missing.
            let entry = try LogEntry(header, restFrom: &reader)
            result = tree.apply(header, entry.txn, firing: &events)
            digest = entry.digest
        } else {
            if header.type == .multi { record.parts = try TxnParts(from: &reader) }
            result = try tree.apply(header, record.parts, from: &reader, firing: &events)
            digest = try LogEntry.readDigest(from: &reader)
        }
        applied(header.zxid, digest, into: &effects)
        if events.areWanted { notifyOfEvents(header.zxid, into: &effects) }
        answer(caller(asked, of: header), header, result, of: record, at: now, into: &effects)
    }

    /// What replies take from a transaction beside its result.
    private struct Record: ~Escapable {
        /// After the header.
        let reader: JuteReader
        /// Of a multi.
        var parts: TxnParts?
        /// Which of the parts are one.
        let create2s: Set<Int>?

        @_lifetime(copy reader)
        init(_ reader: JuteReader, _ create2s: Set<Int>?) {
            self.reader = reader
            self.create2s = create2s
        }

        /// What most records begin with.
        var path: RawSpan {
            @_lifetime(copy self) get { Self.path(at: reader) }
        }

        /// What a client asked for with a part.
        func code(_ index: Int, of part: TxnParts.Part) -> OpCode {
            part.type == .create && create2s?.contains(index) == true ? .create2 : part.type
        }

        @_lifetime(copy self)
        func path(of part: TxnParts.Part) -> RawSpan {
            Self.path(at: JuteReader(reader.span(part.record)))
        }

        @_lifetime(copy source)
        private static func path(at source: JuteReader) -> RawSpan {
            var reader = source
            guard let range = try? reader.readRange() else { return source.span(0..<0) }
            return source.span(range)
        }
    }

    private mutating func notifyOfEvents(_ zxid: Zxid, into effects: inout StepEffects) {
        var fired = WatchEvents()
        swap(&fired, &events)
        for event in fired.list {
            notify(event.type, fired.path(of: event), event.acl, zxid, into: &effects)
        }
        fired.removeAll()
        swap(&fired, &events)
    }

    /// Who asked for a transaction, be it here or of our leader.
    private mutating func caller(
        _ asked: InFlight.Caller, of header: TxnHeader
    ) -> InFlight.Caller {
        guard let write = forwarded.claim(header) else { return asked }
        var caller = asked
        caller.request = write.request
        caller.connection = write.connection
        caller.arrivedAt = write.arrivedAt
        return caller
    }

    mutating func completeSync(
        _ sync: InFlight, at now: Now, into effects: inout StepEffects
    ) {
        guard case .sync(let path) = sync.work else { return }
        complete(sync.caller, at: now, into: &effects) { core, reply, slot in
            core.writeReply(
                sync.caller.xid, core.tree.lastProcessedZxid, to: &reply, slot, at: now,
                arrivedAt: sync.caller.arrivedAt,
                byteCount: JuteFields.byteCount(of: path?.bytes)
            ) { $0.write(path?.bytes) }
        }
    }

    /// A transaction is in the tree. What its digest says has to be true there.
    ///
    /// Source: DataTree.compareDigest and logZxidDigest, ZooKeeper 3.9.5.
    private mutating func applied(
        _ zxid: Zxid, _ digest: TxnDigest?, into effects: inout StepEffects
    ) {
        statistics.commits += 1
        outstanding.forget(upTo: zxid)
        if let digest, digest.treeDigest != tree.digest, zxid > foreignUntil {
            statistics.digestMismatches += 1
            effects.notices.append(.digestMismatch(zxid))
        }
        guard zxid.rawValue % Self.digestInterval == 0 else { return }
        if digests.count >= Self.digestsKept { digests.removeFirst() }
        digests.append((zxid, tree.digest))
    }

    private static let digestInterval: Int64 = 128
    private static let digestsKept = 1024

    // MARK: Watch events

    /// Puts an event into the outbox of each connection that watches and may read the node.
    private mutating func notify(
        _ type: WatchEventType, _ path: RawSpan, _ acl: [ACL], _ zxid: Zxid,
        into effects: inout StepEffects
    ) {
        watches.fire(type, at: path, into: &firedSlots)
        if firedSlots.isEmpty { return }
        statistics.countWatches(firedSlots.count, of: type)
        var frame = ByteBuffer()
        Self.writeNotification(type, path, zxid, to: &frame)
        let isOpen = acl == ACL.openToAll
        for slot in firedSlots {
            guard isOpen || access.permits(acl, .read, connections[slot].identities) else {
                continue
            }
            if connections[slot].outbox.readableBytes == 0 {
                // All who watch and have nothing else to hear share one frame.
                connections[slot].outbox = frame
            } else {
                connections[slot].outbox.writeImmutableBuffer(frame)
            }
            connections[slot].statistics.sent += 1
            statistics.packetsSent += 1
            statistics.watchBytes += frame.readableBytes
            limitOutbox(of: slot, into: &effects)
            list(slot, in: &effects)
        }
        firedSlots.removeAllForReuse()
    }

    static func writeNotification(
        _ type: WatchEventType, _ path: RawSpan, _ zxid: Zxid, to buffer: inout ByteBuffer
    ) {
        let syncConnected: Int32 = 3
        let start = buffer.beginReply(ReplyHeader(xid: SpecialXid.notification, zxid: zxid))
        buffer.writeInteger(type.rawValue)
        buffer.writeInteger(syncConnected)
        buffer.writeJute(path)
        buffer.endFrame(start)
    }

    /// A client that does not read what it is sent loses its connection, not our memory.
    private mutating func limitOutbox(of slot: UInt32, into effects: inout StepEffects) {
        if connections[slot].outbox.readableBytes > settings.maximumOutboxBytes {
            connections[slot].outbox.clear()
            close(slot, into: &effects)
        }
    }

    // MARK: Replies

    private mutating func answer(
        _ caller: InFlight.Caller, _ header: TxnHeader, _ result: TxnResult,
        of record: borrowing Record, at now: Now, into effects: inout StepEffects
    ) {
        switch header.type {
        case .createSession:
            complete(caller, at: now, into: &effects) { _, _, _ in }
        case .closeSession:
            complete(caller, at: now, into: &effects) { core, reply, slot in
                core.writeReply(
                    caller.xid, header.zxid, to: &reply, slot, at: now,
                    arrivedAt: caller.arrivedAt)
            }
            sessionEnded(header.session, into: &effects)
        case .error
        where result == .one(.failed(ZooKeeperError.sessionMoved.rawValue))
            || caller.request == .createSession:
            // Its client is at another server, or never got a session: there is nothing to say.
            // Source: FinalRequestProcessor.processRequest, ZooKeeper 3.9.5.
            if let id = caller.connection, connections.contains(id) {
                close(id.slot, into: &effects)
            }
        default:
            complete(caller, at: now, into: &effects) { core, reply, slot in
                core.writeResult(
                    caller, header.zxid, result, of: record, to: &reply, slot, at: now)
            }
        }
    }

    /// Lets `body` write the reply of a request whose turn it is, and then answers what waited
    /// behind it.
    private mutating func complete(
        _ caller: InFlight.Caller, at now: Now, into effects: inout StepEffects,
        body: (inout ServerCore, inout ByteBuffer, UInt32) -> Void
    ) {
        guard let id = caller.connection, connections.contains(id),
            connections[id.slot].phase != .closing
        else { return }
        let slot = id.slot
        statistics.updateLatency.add(now.monotonicMilliseconds - caller.arrivedAt)
        var reply = ByteBuffer()
        swap(&reply, &connections[slot].outbox)
        if caller.request == .createSession {
            sessionCreated(on: slot, at: now, reply: &reply, into: &effects)
        } else {
            guard case .inFlight? = popWaiting(on: slot) else {
                preconditionFailure("a connection waits for each of its writes in order")
            }
            body(&self, &reply, slot)
            answerWaiting(on: slot, at: now, reply: &reply, into: &effects)
        }
        swap(&reply, &connections[slot].outbox)
        limitOutbox(of: slot, into: &effects)
        list(slot, in: &effects)
    }

    private mutating func answerWaiting(
        on slot: UInt32, at now: Now, reply: inout ByteBuffer, into effects: inout StepEffects
    ) {
        while let next = connections[slot].waiting.first {
            switch next {
            case .inFlight: return
            case .refusal(let xid, let error):
                writeReply(xid, tree.lastProcessedZxid, error: error, to: &reply, slot, at: now)
            case .frame(let frame, _):
                if reply.readableBytes > settings.maximumOutboxBytes {
                    close(slot, into: &effects)
                    return
                }
                var reader = JuteReader(frame.raw)
                do throws(WireError) {
                    let header = try RequestHeader(from: &reader)
                    if header.type == OpCode.closeSession.rawValue {
                        localSessionClosed(
                            header.xid, on: slot, at: now, reply: &reply, into: &effects)
                    } else {
                        answer(header, reader, on: slot, at: now, reply: &reply)
                    }
                } catch {
                    close(slot, into: &effects)
                    return
                }
            }
            _ = popWaiting(on: slot)
        }
    }

    private mutating func writeResult(
        _ caller: InFlight.Caller, _ zxid: Zxid, _ result: TxnResult, of record: borrowing Record,
        to reply: inout ByteBuffer, _ slot: UInt32, at now: Now
    ) {
        switch result {
        case .one(.done):
            writeReply(
                caller.xid, zxid, to: &reply, slot, at: now, arrivedAt: caller.arrivedAt)
        case .one(.failed(let code)):
            writeReply(
                caller.xid, zxid, error: ZooKeeperError(rawValue: code) ?? .runtimeInconsistency,
                to: &reply, slot, at: now, arrivedAt: caller.arrivedAt)
        case .one(.created(let stat)):
            let hasStat = caller.request != .create
            let path = record.path
            writeReply(
                caller.xid, zxid, to: &reply, slot, at: now, arrivedAt: caller.arrivedAt,
                byteCount: JuteFields.byteCount(of: path) + (hasStat ? Stat.byteCount : 0)
            ) { fields in
                fields.write(path)
                if hasStat { stat.write(to: &fields) }
            }
        case .one(.changed(let stat)):
            writeReply(
                caller.xid, zxid, to: &reply, slot, at: now, arrivedAt: caller.arrivedAt,
                byteCount: Stat.byteCount
            ) { stat.write(to: &$0) }
        case .multi(let results):
            guard let parts = record.parts?.list else { return }
            var byteCount = MultiHeader.byteCount
            for index in parts.indices {
                byteCount += Self.byteCount(of: results[index], parts[index], index, record)
            }
            writeReply(
                caller.xid, zxid, to: &reply, slot, at: now, arrivedAt: caller.arrivedAt,
                byteCount: byteCount
            ) { fields in
                for index in parts.indices {
                    Self.write(results[index], parts[index], index, record, to: &fields)
                }
                MultiHeader.end.write(to: &fields)
            }
        }
    }

    private static func byteCount(
        of result: OperationResult, _ part: TxnParts.Part, _ index: Int,
        _ record: borrowing Record
    ) -> Int {
        switch result {
        case .failed: MultiHeader.byteCount + 4
        case .created:
            MultiHeader.byteCount + JuteFields.byteCount(of: record.path(of: part))
                + (record.code(index, of: part) == .create ? 0 : Stat.byteCount)
        case .changed: MultiHeader.byteCount + Stat.byteCount
        case .done: MultiHeader.byteCount
        }
    }

    private static func write(
        _ result: OperationResult, _ part: TxnParts.Part, _ index: Int,
        _ record: borrowing Record, to fields: inout JuteFields
    ) {
        switch result {
        case .failed(let error):
            MultiHeader(type: -1, done: false, error: error).write(to: &fields)
            fields.write(error)
        case .created(let stat):
            let form: OpCode = record.code(index, of: part) == .create ? .create : .create2
            MultiHeader(type: form.rawValue, done: false, error: 0).write(to: &fields)
            fields.write(record.path(of: part))
            if form == .create2 { stat.write(to: &fields) }
        case .changed(let stat):
            MultiHeader(type: part.type.rawValue, done: false, error: 0).write(to: &fields)
            stat.write(to: &fields)
        case .done:
            MultiHeader(type: part.type.rawValue, done: false, error: 0).write(to: &fields)
        }
    }
}
