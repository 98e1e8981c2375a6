import AviaryWire
package import NIOCore

extension ServerCore {
    /// Takes all whole frames that a socket read brought, and leaves the beginning of the next.
    ///
    /// Whole frames are left too if the replies so far are enough to send, or too much is
    /// outstanding; the outbox tells.
    package mutating func receive(
        _ input: inout ByteBuffer, on id: ConnectionID, at now: Now,
        into effects: inout StepEffects
    ) {
        guard connections.contains(id) else {
            input.clear()
            return
        }
        let slot = id.slot
        turnWork = 0
        connections[slot].hasFrames = false
        connections[slot].isLate = takeHold(on: slot, at: now)
        let before = statistics.packetsReceived
        var reply = ByteBuffer()
        swap(&reply, &connections[slot].outbox)
        let consumed = receiveFrames(
            in: input.readableBytesSpan, on: slot, at: now, reply: &reply, into: &effects)
        swap(&reply, &connections[slot].outbox)
        if let consumed {
            input.moveReaderIndex(forwardBy: consumed)
        } else {
            input.clear()
            close(slot, into: &effects)
        }
        statistics.bytesReceived += consumed ?? 0
        if statistics.packetsReceived > before {
            sessions.touch(connections[slot].session, at: now)
        }
        if connections[slot].outbox.readableBytes > 0 { list(slot, in: &effects) }
    }

    /// - Returns: how many bytes were taken; nil if the connection is to be closed.
    private mutating func receiveFrames(
        in bytes: RawSpan, on slot: UInt32, at now: Now, reply: inout ByteBuffer,
        into effects: inout StepEffects
    ) -> Int? {
        var offset = 0
        do throws(WireError) {
            while let range = try frames.nextFrame(in: bytes, from: offset) {
                if connections[slot].phase == .closing { return bytes.byteCount }
                let isEnough =
                    reply.readableBytes >= settings.maximumReplyBatchBytes
                    || turnWork >= settings.maximumTurnWork
                if isEnough || isThrottled(slot, frameBytes: range.count) {
                    connections[slot].hasFrames = true
                    connections[slot].leftFrameBytes = range.count
                    break
                }
                statistics.packetsReceived += 1
                connections[slot].statistics.received += 1
                try receive(
                    frame: bytes.extracting(range), on: slot, at: now, reply: &reply,
                    into: &effects)
                turnWork += Self.workPerFrame
                offset = range.upperBound
            }
            return offset
        } catch {
            return nil
        }
    }

    private static let workPerFrame = 8

    private mutating func receive(
        frame: RawSpan, on slot: UInt32, at now: Now, reply: inout ByteBuffer,
        into effects: inout StepEffects
    ) throws(WireError) {
        switch connections[slot].phase {
        case .established:
            try request(frame, on: slot, at: now, reply: &reply, into: &effects)
        case .new: try handshake(frame, on: slot, at: now, reply: &reply, into: &effects)
        case .establishing:
            wait(.frame([UInt8](copying: frame), cost: frame.byteCount), on: slot)
        case .ending, .closing, .vacant: break
        }
    }

    /// A request on a connection whose session is established.
    mutating func request(
        _ frame: RawSpan, on slot: UInt32, at now: Now, reply: inout ByteBuffer,
        into effects: inout StepEffects
    ) throws(WireError) {
        var reader = JuteReader(frame)
        let header = try RequestHeader(from: &reader)
        let code = OpCode(rawValue: header.type)
        connections[slot].statistics.lastCxid = header.xid
        connections[slot].statistics.lastOperation = code
        switch code {
        case .auth:
            try authenticate(header, reader, on: slot, reply: &reply, into: &effects)
        case .sasl: try sasl(header, reader, on: slot, reply: &reply, into: &effects)
        case _ where lacksAuthentication(slot):
            writeReply(
                header.xid, .zero, error: .sessionClosedRequireAuth, to: &reply, slot, at: now)
            close(slot, into: &effects)
        case _ where connections[slot].isLate && code != .ping && code != .closeSession:
            statistics.throttledOperations += 1
            refuse(header.xid, .throttledOp, on: slot, at: now, reply: &reply)
        case .create, .create2, .createContainer, .createTTL, .delete, .setData, .setACL, .multi,
            .sync, .closeSession, .reconfig:
            write(header, reader, on: slot, at: now, reply: &reply, into: &effects)
        case .exists, .getData, .getChildren, .getChildren2, .getACL, .ping, .setWatches,
            .setWatches2, .addWatch, .checkWatches, .removeWatches, .getEphemerals,
            .getAllChildrenNumber, .multiRead, .whoAmI:
            if connections[slot].waiting.isEmpty {
                answer(header, reader, on: slot, at: now, reply: &reply)
                statistics.readLatency.add(0)
            } else if let code {
                let cost = frame.byteCount + estimatedReplyBytes(code, reader)
                wait(.frame([UInt8](copying: frame), cost: cost), on: slot)
            }
        case .notification, .check, .deleteContainer, .createSession, .error, nil:
            // Apache sends this before whatever is pending, and closes.
            writeReply(
                header.xid, Zxid(-1), error: .unimplemented, to: &reply, slot, at: now)
            close(slot, into: &effects)
        }
    }

    private mutating func authenticate(
        _ header: RequestHeader, _ reader: consuming JuteReader, on slot: UInt32,
        reply: inout ByteBuffer, into effects: inout StepEffects
    ) throws(WireError) {
        var reader = reader
        let packet = try AuthPacket(from: &reader)
        let identities = packet.scheme.flatMap { scheme in
            authentication.identities(
                scheme: scheme, auth: packet.auth, remote: connections[slot].remote)
        }
        var answer = ReplyHeader(xid: header.xid, zxid: .zero)
        if identities.map({ add($0, to: slot) }) != true {
            answer.error = ZooKeeperError.authFailed.rawValue
            statistics.authFailures += 1
            close(slot, into: &effects)
        }
        reply.writeReply(answer)
    }

    // MARK: Replies

    /// Writes one reply frame and counts it.
    ///
    /// - Parameter byteCount: what `body` writes.
    @inline(__always)
    mutating func writeReply(
        _ xid: Int32, _ zxid: Zxid, error: ZooKeeperError? = nil, to reply: inout ByteBuffer,
        _ slot: UInt32, at now: Now, arrivedAt: Int64? = nil, byteCount: Int = 0,
        body: (inout JuteFields) -> Void = { _ in }
    ) {
        let header = ReplyHeader(xid: xid, zxid: zxid, error: error?.rawValue ?? 0)
        let start = reply.writerIndex
        reply.writeReply(header, byteCount: byteCount, body: body)
        countReply(
            zxid, bytes: reply.writerIndex - start, on: slot, at: now, arrivedAt: arrivedAt)
    }

    mutating func countReply(
        _ zxid: Zxid, bytes: Int, on slot: UInt32, at now: Now, arrivedAt: Int64?
    ) {
        let latency = now.monotonicMilliseconds - (arrivedAt ?? now.monotonicMilliseconds)
        statistics.packetsSent += 1
        statistics.latency.add(latency)
        statistics.responseSizes.add(bytes)
        connections[slot].statistics.sent += 1
        connections[slot].statistics.lastZxid = zxid
        connections[slot].statistics.lastResponseAt = now.monotonicMilliseconds
        connections[slot].statistics.latency.add(latency)
    }
}
