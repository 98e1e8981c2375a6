import AviaryWire
import NIOCore
import Zab

extension ServerCore {
    /// Applies what is decided, in order, and answers whoever asked for it.
    mutating func commit(upTo zxid: Zxid, at now: Now, into effects: inout StepEffects) {
        while let next = inFlight.popFirst(if: { $0.zxid <= zxid }) {
            switch next.work {
            case .multi(let entry): apply(entry, of: next, at: now, into: &effects)
            case .encoded(let bytes):
                var reader = JuteReader(bytes.readableBytesSpan)
                do throws(WireError) {
                    apply(try LogEntry(from: &reader), of: next, at: now, into: &effects)
                } catch {
                    // Nothing may be applied on top of a tree that lacks it.
                    effects.notices.append(.unreadableTransaction(next.zxid, error))
                    return
                }
            case .sync: completeSync(next, at: now, into: &effects)
            case .refusal(let session, let link):
                completeRefusal(of: session, for: next.connection, link, at: now, into: &effects)
            }
        }
        releaseHeld(into: &effects)
    }

    private mutating func apply(
        _ entry: LogEntry, of work: InFlight, at now: Now, into effects: inout StepEffects
    ) {
        var request = work
        let result = apply(entry, into: &effects)
        if let write = forwarded.claim(entry.header) {
            request.request = write.request
            request.connection = write.connection
            request.arrivedAt = write.arrivedAt
        }
        answer(request, entry, result, at: now, into: &effects)
    }

    mutating func completeSync(
        _ sync: InFlight, at now: Now, into effects: inout StepEffects
    ) {
        guard case .sync(let path) = sync.work else { return }
        complete(sync, at: now, into: &effects) { core, reply, slot in
            core.writeReply(
                sync.xid, core.tree.lastProcessedZxid, to: &reply, slot, at: now,
                arrivedAt: sync.arrivedAt
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
            connections[slot].outbox.writeImmutableBuffer(frame)
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
        let start = buffer.beginFrame()
        ReplyHeader(xid: SpecialXid.notification, zxid: zxid).write(to: &buffer)
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
        _ request: InFlight, _ entry: LogEntry, _ result: TxnResult, at now: Now,
        into effects: inout StepEffects
    ) {
        switch entry.txn {
        case .createSession:
            complete(request, at: now, into: &effects) { _, _, _ in }
        case .closeSession:
            complete(request, at: now, into: &effects) { core, reply, slot in
                core.writeReply(
                    request.xid, entry.header.zxid, to: &reply, slot, at: now,
                    arrivedAt: request.arrivedAt)
            }
            sessionEnded(entry.header.session, into: &effects)
        case .error(let code)
        where code == ZooKeeperError.sessionMoved.rawValue || request.request == .createSession:
            // Its client is at another server, or never got a session: there is nothing to say.
            // Source: FinalRequestProcessor.processRequest, ZooKeeper 3.9.5.
            if let id = request.connection, connections.contains(id) {
                close(id.slot, into: &effects)
            }
        default:
            complete(request, at: now, into: &effects) { core, reply, slot in
                core.writeResult(request, entry, result, to: &reply, slot, at: now)
            }
        }
    }

    /// Lets `body` write the reply of a request whose turn it is, and then answers what waited
    /// behind it.
    private mutating func complete(
        _ request: InFlight, at now: Now, into effects: inout StepEffects,
        body: (inout ServerCore, inout ByteBuffer, UInt32) -> Void
    ) {
        guard let id = request.connection, connections.contains(id),
            connections[id.slot].phase != .closing
        else { return }
        let slot = id.slot
        statistics.updateLatency.add(now.monotonicMilliseconds - request.arrivedAt)
        var reply = ByteBuffer()
        swap(&reply, &connections[slot].outbox)
        if request.request == .createSession {
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
        _ request: InFlight, _ entry: LogEntry, _ result: TxnResult, to reply: inout ByteBuffer,
        _ slot: UInt32, at now: Now
    ) {
        var code: ZooKeeperError?
        if case .failed(let raw) = result {
            code = ZooKeeperError(rawValue: raw) ?? .runtimeInconsistency
        }
        writeReply(
            request.xid, entry.header.zxid, error: code, to: &reply, slot, at: now,
            arrivedAt: request.arrivedAt
        ) { reply in
            switch result {
            case .done, .failed: break
            case .created(let path, let stat):
                reply.writeJute(path)
                if request.request != .create { stat.write(to: &reply) }
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
        for (part, result) in zip(parts, results) {
            switch result {
            case .failed(let error):
                MultiHeader(type: -1, done: false, error: error).write(to: &reply)
                reply.writeInteger(error)
            case .created(let path, let stat):
                let type: OpCode = part.type == .create ? .create : .create2
                MultiHeader(type: type.rawValue, done: false, error: 0).write(to: &reply)
                reply.writeJute(path)
                if type == .create2 { stat.write(to: &reply) }
            case .changed(let stat):
                MultiHeader(type: part.type.rawValue, done: false, error: 0).write(to: &reply)
                stat.write(to: &reply)
            case .done, .multi:
                MultiHeader(type: part.type.rawValue, done: false, error: 0).write(to: &reply)
            }
        }
        MultiHeader.end.write(to: &reply)
    }
}
