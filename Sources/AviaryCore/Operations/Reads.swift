import AviaryWire
import NIOCore

extension ServerCore {
    /// Answers a request that changes nothing, from the tree as it is.
    ///
    /// Source: FinalRequestProcessor.processRequest, ZooKeeper 3.9.5.
    mutating func answer(
        _ header: RequestHeader, _ source: consuming JuteReader, on slot: UInt32, at now: Now,
        reply: inout ByteBuffer
    ) {
        var reader = source
        let code = OpCode(rawValue: header.type) ?? .error
        if code == .setWatches || code == .setWatches2 {
            answerSetWatches(header, reader, code, on: slot, at: now, reply: &reply)
            return
        }
        let xid = code == .ping ? SpecialXid.ping : header.xid
        let start = reply.beginReply(ReplyHeader(xid: xid, zxid: tree.lastProcessedZxid))
        let bodyStart = reply.writerIndex
        do throws(ZooKeeperError) {
            try writeBody(code, &reader, on: slot, to: &reply)
        } catch {
            // Only a multiRead has a body beside its error.
            if code != .multiRead { reply.moveWriterIndex(to: bodyStart) }
            reply.setInteger(error.rawValue, at: bodyStart - 4)
        }
        reply.endFrame(start)
        countReply(
            tree.lastProcessedZxid, bytes: reply.writerIndex - start, on: slot, at: now,
            arrivedAt: nil)
    }

    private mutating func writeBody(
        _ code: OpCode, _ reader: inout JuteReader, on slot: UInt32, to reply: inout ByteBuffer
    ) throws(ZooKeeperError) {
        switch code {
        case .getData, .exists, .getChildren, .getChildren2:
            let request = try readRequest(from: &reader)
            try writeNode(code, request, on: slot, to: &reply)
        case .ping: break
        case .getACL:
            try writeACL(try decode(PathRequest.self, from: &reader), on: slot, to: &reply)
        case .getAllChildrenNumber:
            let path = try decode(PathRequest.self, from: &reader).path
            guard let path else { throw .marshallingError }
            let id = try readable(path.bytes.raw, on: slot)
            let count = tree.descendantCount(of: id)
            turnWork += count / Self.nodesPerWork
            reply.writeInteger(Int32(truncatingIfNeeded: count))
        case .getEphemerals:
            writeEphemerals(
                try decode(PathRequest.self, from: &reader).path, on: slot, to: &reply)
        case .addWatch:
            let request = try decode(WatchRequest.self, from: &reader)
            try addWatch(request, on: slot)
            reply.writeInteger(Int32(0))
        case .checkWatches, .removeWatches:
            let request = try decode(WatchRequest.self, from: &reader)
            try findWatches(request, removing: code == .removeWatches, on: slot)
        case .whoAmI: writeIdentities(of: slot, to: &reply)
        case .multiRead:
            try writeMultiRead(
                try decode(MultiRequest.self, from: &reader), on: slot, to: &reply)
        default: throw .unimplemented
        }
    }

    // MARK: One node

    private mutating func writeNode(
        _ code: OpCode, _ request: borrowing ReadRequest, on slot: UInt32,
        to reply: inout ByteBuffer
    ) throws(ZooKeeperError) {
        if code == .exists { try checkExists(request, on: slot) }
        let id = try readable(request.path, on: slot)
        switch code {
        case .getData:
            tree.writeDataAndStat(of: id, to: &reply)
            if request.watch { watch(request.path, .data, on: slot) }
        case .exists:
            tree.stat(of: id).write(to: &reply)
        default:
            turnWork += Int(tree.nodes[id].numChildren) / Self.nodesPerWork
            tree.writeChildren(of: id, to: &reply)
            if code == .getChildren2 { tree.stat(of: id).write(to: &reply) }
            if request.watch { watch(request.path, .child, on: slot) }
        }
    }

    /// A missing node can be watched for, one that may not be read cannot.
    private mutating func checkExists(
        _ request: borrowing ReadRequest, on slot: UInt32
    ) throws(ZooKeeperError) {
        for offset in 0..<request.path.byteCount where request.path.byte(at: offset) == 0 {
            throw .badArguments
        }
        if tree.find(request.path) != nil { _ = try readable(request.path, on: slot) }
        if request.watch { watch(request.path, .data, on: slot) }
    }

    /// The node at a path, if the connection may read it.
    private mutating func readable(
        _ path: RawSpan, on slot: UInt32, needing permissions: Permissions = .read
    ) throws(ZooKeeperError) -> NodeID {
        guard let id = tree.find(path) else { throw .noNode }
        if tree.aclID(of: id) != .openToAll {
            let acl = tree.acl(of: id)
            turnWork += acl.count * connections[slot].identities.count / Self.comparisonsPerWork
            try access.check(acl, permissions, connections[slot].identities)
        }
        return id
    }

    private mutating func writeACL(
        _ request: PathRequest, on slot: UInt32, to reply: inout ByteBuffer
    ) throws(ZooKeeperError) {
        guard let path = request.path else { throw .marshallingError }
        let id = try readable(path.bytes.raw, on: slot, needing: [.read, .admin])
        let list = access.masked(tree.acl(of: id), for: connections[slot].identities)
        ACL.writeList(list, to: &reply)
        tree.stat(of: id).write(to: &reply)
    }

    private mutating func writeMultiRead(
        _ request: MultiRequest, on slot: UInt32, to reply: inout ByteBuffer
    ) throws(ZooKeeperError) {
        var error: ZooKeeperError?
        let start = reply.writerIndex
        for operation in request.operations {
            guard operation.isRead else {
                error = .marshallingError
                break
            }
            guard reply.writerIndex - start <= settings.maximumOutboxBytes else {
                reply.moveWriterIndex(to: start)
                error = .marshallingError
                break
            }
            turnWork += 1
            writeRead(operation, on: slot, to: &reply)
        }
        MultiHeader.end.write(to: &reply)
        if let error { throw error }
    }

    private mutating func writeRead(
        _ operation: MultiRequest.Operation, on slot: UInt32, to reply: inout ByteBuffer
    ) {
        do throws(ZooKeeperError) {
            switch operation {
            case .getData(let path, _):
                let id = try readable(path.bytes.raw, on: slot)
                MultiHeader(type: operation.opCode.rawValue, done: false, error: 0)
                    .write(to: &reply)
                tree.writeDataAndStat(of: id, to: &reply)
            case .getChildren(let path, _):
                let id = try readable(path.bytes.raw, on: slot)
                MultiHeader(type: operation.opCode.rawValue, done: false, error: 0)
                    .write(to: &reply)
                turnWork += Int(tree.nodes[id].numChildren) / Self.nodesPerWork
                tree.writeChildren(of: id, to: &reply)
            case .create, .delete, .setData, .check: throw .marshallingError
            }
        } catch {
            MultiHeader(type: -1, done: false, error: error.rawValue).write(to: &reply)
            reply.writeInteger(error.rawValue)
        }
    }

    /// Nodes looked at, and identities compared, in a hundred nanoseconds or so.
    private static let nodesPerWork = 4
    private static let comparisonsPerWork = 8

    // MARK: The connection itself

    private func writeEphemerals(
        _ prefix: ByteString?, on slot: UInt32, to reply: inout ByteBuffer
    ) {
        let blank = UInt8(ascii: " ")
        let trimmed = (prefix?.bytes ?? []).drop { $0 <= blank }.reversed().drop { $0 <= blank }
        let isAll = trimmed.isEmpty || Array(trimmed) == Path.root.bytes
        let paths = tree.ephemeralPaths(of: connections[slot].session).filter {
            isAll || $0.bytes.starts(with: prefix?.bytes ?? [])
        }
        reply.writeVector(paths) { $0.writeJute($1) }
    }

    private func writeIdentities(of slot: UInt32, to reply: inout ByteBuffer) {
        reply.writeVector(connections[slot].identities) { reply, identity in
            reply.writeJute(identity.scheme)
            let user = identity.id.bytes.prefix { $0 != UInt8(ascii: ":") }
            reply.writeJute(identity.scheme == "digest" ? Array(user) : identity.id.bytes)
        }
    }

    // MARK: Decoding

    @_lifetime(copy reader)
    private func readRequest(
        from reader: inout JuteReader
    ) throws(ZooKeeperError) -> ReadRequest {
        do throws(WireError) {
            return try ReadRequest(from: &reader)
        } catch {
            throw .marshallingError
        }
    }

    func decode<Record: WireRecord>(
        _ type: Record.Type, from reader: inout JuteReader
    ) throws(ZooKeeperError) -> Record {
        do throws(WireError) {
            return try Record(from: &reader)
        } catch {
            throw .marshallingError
        }
    }
}
