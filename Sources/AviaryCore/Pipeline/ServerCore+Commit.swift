import AviaryWire
import NIOCore
import Zab

extension ServerCore {
    /// Applies what is decided, in order, and answers whoever asked for it.
    mutating func commit(upTo zxid: Zxid, at now: Now, into effects: inout StepEffects) {
        while let next = inFlight.popFirst(if: { $0.zxid <= zxid }) {
            switch next.work {
            case .multi(let entry): apply(entry, for: next.caller, at: now, into: &effects)
            case .encoded(let bytes):
                do throws(WireError) {
                    try apply(
                        bytes.readableBytesSpan, for: next.caller, at: now, into: &effects)
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
        _ bytes: RawSpan, for caller: InFlight.Caller, at now: Now,
        into effects: inout StepEffects
    ) throws(WireError) {
        var reader = JuteReader(bytes)
        let header = try TxnHeader(from: &reader)
        if header.type == .setData {
            try applySetData(header, reader, for: caller, at: now, into: &effects)
        } else {
            let entry = try LogEntry(header, restFrom: &reader)
            apply(entry, for: caller, at: now, into: &effects)
        }
    }

    /// What is written most is applied from where it stands: path and data are not made arrays of.
    private mutating func applySetData(
        _ header: TxnHeader, _ source: consuming JuteReader, for asked: InFlight.Caller,
        at now: Now, into effects: inout StepEffects
    ) throws(WireError) {
        var reader = source
        let fields = try SetDataFields(from: &reader)
        let digest = try LogEntry.readDigest(from: &reader)
        let path = reader.span(fields.path)
        let changed = tree.apply(header, fields, in: reader)
        applied(header.zxid, digest, into: &effects)
        if let changed, !watches.isEmpty {
            notify(.nodeDataChanged, path, tree.acls[changed.acl], header.zxid, into: &effects)
        }
        let caller = caller(asked, of: header)
        let result: TxnResult = changed.map { .changed($0.stat) } ?? .noNode
        complete(caller, at: now, into: &effects) { core, reply, slot in
            core.writeResult(caller, header.zxid, result, to: &reply, slot, at: now)
        }
    }

    private mutating func apply(
        _ entry: LogEntry, for asked: InFlight.Caller, at now: Now, into effects: inout StepEffects
    ) {
        let result = tree.apply(entry.header, entry.txn, firing: &events)
        applied(entry.header.zxid, entry.digest, into: &effects)
        if !watches.isEmpty {
            for event in events {
                notify(event.type, event.path, event.acl, entry.header.zxid, into: &effects)
            }
        }
        events.removeAllForReuse()
        answer(caller(asked, of: entry.header), entry, result, at: now, into: &effects)
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
        _ caller: InFlight.Caller, _ entry: LogEntry, _ result: TxnResult, at now: Now,
        into effects: inout StepEffects
    ) {
        switch entry.txn {
        case .createSession:
            complete(caller, at: now, into: &effects) { _, _, _ in }
        case .closeSession:
            complete(caller, at: now, into: &effects) { core, reply, slot in
                core.writeReply(
                    caller.xid, entry.header.zxid, to: &reply, slot, at: now,
                    arrivedAt: caller.arrivedAt)
            }
            sessionEnded(entry.header.session, into: &effects)
        case .error(let code)
        where code == ZooKeeperError.sessionMoved.rawValue || caller.request == .createSession:
            // Its client is at another server, or never got a session: there is nothing to say.
            // Source: FinalRequestProcessor.processRequest, ZooKeeper 3.9.5.
            if let id = caller.connection, connections.contains(id) {
                close(id.slot, into: &effects)
            }
        default:
            var parts: [Txn.Part] = []
            if case .multi(let those) = entry.txn { parts = those }
            complete(caller, at: now, into: &effects) { core, reply, slot in
                core.writeResult(
                    caller, entry.header.zxid, result, of: parts, to: &reply, slot, at: now)
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

    /// - Parameter parts: of a multi.
    private mutating func writeResult(
        _ caller: InFlight.Caller, _ zxid: Zxid, _ result: TxnResult, of parts: [Txn.Part] = [],
        to reply: inout ByteBuffer, _ slot: UInt32, at now: Now
    ) {
        switch result {
        case .done:
            writeReply(
                caller.xid, zxid, to: &reply, slot, at: now, arrivedAt: caller.arrivedAt)
        case .failed(let code):
            writeReply(
                caller.xid, zxid, error: ZooKeeperError(rawValue: code) ?? .runtimeInconsistency,
                to: &reply, slot, at: now, arrivedAt: caller.arrivedAt)
        case .created(let path, let stat):
            let hasStat = caller.request != .create
            let byteCount =
                JuteFields.byteCount(of: path.bytes.raw) + (hasStat ? Stat.byteCount : 0)
            writeReply(
                caller.xid, zxid, to: &reply, slot, at: now, arrivedAt: caller.arrivedAt,
                byteCount: byteCount
            ) { fields in
                fields.write(path.bytes.raw)
                if hasStat { stat.write(to: &fields) }
            }
        case .changed(let stat):
            writeReply(
                caller.xid, zxid, to: &reply, slot, at: now, arrivedAt: caller.arrivedAt,
                byteCount: Stat.byteCount
            ) { stat.write(to: &$0) }
        case .multi(let results):
            let pairs = zip(parts, results)
            let byteCount = pairs.reduce(MultiHeader.byteCount) {
                $0 + Self.byteCount(of: $1.1, $1.0)
            }
            writeReply(
                caller.xid, zxid, to: &reply, slot, at: now, arrivedAt: caller.arrivedAt,
                byteCount: byteCount
            ) { fields in
                for (part, result) in pairs { Self.write(result, part, to: &fields) }
                MultiHeader.end.write(to: &fields)
            }
        }
    }

    private static func byteCount(of result: TxnResult, _ part: Txn.Part) -> Int {
        switch result {
        case .failed: MultiHeader.byteCount + 4
        case .created(let path, _):
            MultiHeader.byteCount + 4 + path.bytes.count
                + (part.type == .create ? 0 : Stat.byteCount)
        case .changed: MultiHeader.byteCount + Stat.byteCount
        case .done, .multi: MultiHeader.byteCount
        }
    }

    private static func write(
        _ result: TxnResult, _ part: Txn.Part, to fields: inout JuteFields
    ) {
        switch result {
        case .failed(let error):
            MultiHeader(type: -1, done: false, error: error).write(to: &fields)
            fields.write(error)
        case .created(let path, let stat):
            let type: OpCode = part.type == .create ? .create : .create2
            MultiHeader(type: type.rawValue, done: false, error: 0).write(to: &fields)
            fields.write(path.bytes)
            if type == .create2 { stat.write(to: &fields) }
        case .changed(let stat):
            MultiHeader(type: part.type.rawValue, done: false, error: 0).write(to: &fields)
            stat.write(to: &fields)
        case .done, .multi:
            MultiHeader(type: part.type.rawValue, done: false, error: 0).write(to: &fields)
        }
    }
}
