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
                var reader = JuteReader(bytes.readableBytesSpan)
                do throws(WireError) {
                    let entry = try LogEntry(from: &reader)
                    apply(entry, for: next.caller, at: now, into: &effects)
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
        _ entry: LogEntry, for asked: InFlight.Caller, at now: Now, into effects: inout StepEffects
    ) {
        var caller = asked
        let result = apply(entry, into: &effects)
        if let write = forwarded.claim(entry.header) {
            caller.request = write.request
            caller.connection = write.connection
            caller.arrivedAt = write.arrivedAt
        }
        answer(caller, entry, result, at: now, into: &effects)
    }

    mutating func completeSync(
        _ sync: InFlight, at now: Now, into effects: inout StepEffects
    ) {
        guard case .sync(let path) = sync.work else { return }
        complete(sync.caller, at: now, into: &effects) { core, reply, slot in
            core.writeReply(
                sync.caller.xid, core.tree.lastProcessedZxid, to: &reply, slot, at: now,
                arrivedAt: sync.caller.arrivedAt
            ) { $0.writeJute(path) }
        }
    }

    private mutating func apply(
        _ entry: LogEntry, into effects: inout StepEffects
    ) -> TxnResult {
        statistics.commits += 1
        let result = tree.apply(entry.header, entry.txn, firing: &events)
        outstanding.forget(upTo: entry.header.zxid)
        check(entry, into: &effects)
        if !watches.isEmpty {
            for event in events { notify(event, entry.header.zxid, into: &effects) }
        }
        events.removeAllForReuse()
        return result
    }

    /// Source: DataTree.compareDigest and logZxidDigest, ZooKeeper 3.9.5.
    private mutating func check(_ entry: LogEntry, into effects: inout StepEffects) {
        let zxid = entry.header.zxid
        if let digest = entry.digest, digest.treeDigest != tree.digest, zxid > foreignUntil {
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
        _ event: WatchEvent, _ zxid: Zxid, into effects: inout StepEffects
    ) {
        watches.fire(event.type, at: event.path, into: &firedSlots)
        if firedSlots.isEmpty { return }
        statistics.countWatches(firedSlots.count, of: event.type)
        var frame = ByteBuffer()
        Self.writeNotification(event.type, event.path, zxid, to: &frame)
        let isOpen = event.acl == ACL.openToAll
        for slot in firedSlots {
            guard isOpen || access.permits(event.acl, .read, connections[slot].identities) else {
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
            complete(caller, at: now, into: &effects) { core, reply, slot in
                core.writeResult(caller, entry, result, to: &reply, slot, at: now)
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
        _ caller: InFlight.Caller, _ entry: LogEntry, _ result: TxnResult,
        to reply: inout ByteBuffer,
        _ slot: UInt32, at now: Now
    ) {
        var code: ZooKeeperError?
        if case .failed(let raw) = result {
            code = ZooKeeperError(rawValue: raw) ?? .runtimeInconsistency
        }
        writeReply(
            caller.xid, entry.header.zxid, error: code, to: &reply, slot, at: now,
            arrivedAt: caller.arrivedAt
        ) { reply in
            switch result {
            case .done, .failed: break
            case .created(let path, let stat):
                reply.writeJute(path)
                if caller.request != .create { stat.write(to: &reply) }
            case .changed(let stat): stat.write(to: &reply)
            case .multi(let results):
                guard case .multi(let parts) = entry.txn else { return }
                Self.writeMulti(parts, results, to: &reply)
            }
        }
    }

    private static func writeMulti(
        _ parts: [Txn.Part], _ results: [TxnResult], to reply: inout ByteBuffer
    ) {
        let pairs = zip(parts, results)
        let byteCount = pairs.reduce(MultiHeader.byteCount) {
            $0 + Self.byteCount(of: $1.1, $1.0)
        }
        reply.writeFields(byteCount: byteCount) { fields in
            for (part, result) in pairs { Self.write(result, part, to: &fields) }
            MultiHeader.end.write(to: &fields)
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
