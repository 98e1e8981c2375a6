import AviaryWire

extension ServerCore {
    /// Source: PrepRequestProcessor.pRequest2Txn, case delete, ZooKeeper 3.9.5.
    mutating func prepareDelete(
        _ request: VersionRequest, for asker: Asker
    ) throws(ZooKeeperError) -> Txn {
        let path = request.path
        guard let parentLength = path.parentLength, !path.containsNull,
            !ReservedPath.isUndeletable(path)
        else { throw .badArguments }
        let parent = try parentState(of: path, parentLength)
        try access.check(parent.acl, .delete, asker.identities)
        guard let node = state(of: path.bytes.raw) else { throw .noNode }
        try checkVersion(request.version, against: node.stat.version)
        if node.numChildren > 0 { throw .notEmpty }
        recordDelete(of: path, parentLength, node, zxid: asker.zxid)
        return .delete(path)
    }

    /// Notes that a node will be gone, and its parent a child the poorer.
    mutating func recordDelete(
        of path: Path, _ parentLength: Int, _ node: NodeState, zxid: Zxid
    ) {
        guard let before = state(of: path.bytes.raw.extracting(first: parentLength)) else {
            preconditionFailure("a node that exists has a parent")
        }
        var parent = before
        parent.stat.pzxid = zxid
        parent.numChildren -= 1
        outstanding.set(path.bytes, length: parentLength, to: parent, before: before, zxid: zxid)
        var gone = node
        gone.exists = false
        outstanding.set(
            path.bytes, length: path.bytes.count, to: gone, before: node, zxid: zxid)
    }

    mutating func prepareSetData(
        _ request: SetDataRequest, for asker: Asker
    ) throws(ZooKeeperError) -> Txn {
        let path = request.path
        guard path.isValid else { throw .badArguments }
        guard let before = state(of: path.bytes.raw) else { throw .noNode }
        try access.check(before.acl, .write, asker.identities)
        let length = request.data?.count ?? 0
        if length != before.dataLength {
            try checkQuota(at: path, nodes: 0, bytes: length - before.dataLength, for: asker)
        }
        try checkVersion(request.version, against: before.stat.version)
        var node = before
        node.stat.version &+= 1
        node.stat.mzxid = asker.zxid
        node.stat.mtime = asker.time
        node.dataLength = length
        let isRoot = path == .root
        node.content = NodeDigest.content(
            path: isRoot ? RawSpan() : path.bytes.raw, data: request.data?.raw)
        outstanding.set(
            path.bytes, length: isRoot ? 0 : path.bytes.count, to: node, before: before,
            zxid: asker.zxid)
        return .setData(path: path, data: request.data, version: node.stat.version)
    }

    mutating func prepareSetACL(
        _ request: SetACLRequest, for asker: Asker
    ) throws(ZooKeeperError) -> Txn {
        let path = request.path
        guard path.isValid else { throw .badArguments }
        let acl = try access.stored(request.acl, for: asker.identities)
        guard let before = state(of: path.bytes.raw) else { throw .noNode }
        try access.check(before.acl, .admin, asker.identities)
        try checkVersion(request.version, against: before.stat.aversion)
        var node = before
        node.acl = acl
        node.stat.aversion &+= 1
        outstanding.set(
            path.bytes, length: path == .root ? 0 : path.bytes.count, to: node, before: before,
            zxid: asker.zxid)
        return .setACL(path: path, acl: acl, version: node.stat.aversion)
    }

    func prepareCheck(
        _ request: VersionRequest, for asker: Asker
    ) throws(ZooKeeperError) -> Txn {
        guard request.path.isValid else { throw .badArguments }
        guard let node = state(of: request.path.bytes.raw) else { throw .noNode }
        try access.check(node.acl, .read, asker.identities)
        try checkVersion(request.version, against: node.stat.version)
        return .check(path: request.path, version: node.stat.version &+ 1)
    }

    /// All or nothing: after the first failure every operation becomes an error.
    ///
    /// Source: PrepRequestProcessor.pRequest, case multi, ZooKeeper 3.9.5.
    mutating func prepareMulti(_ request: MultiRequest, for asker: Asker) -> Txn {
        outstanding.begin()
        var parts: [Txn.Part] = []
        parts.reserveCapacity(request.operations.count)
        var hasFailed = false
        var bytes = LogEntry.frameByteCount + Txn.multi([]).byteCount(type: .multi)
        for operation in request.operations {
            if hasFailed {
                let code = ZooKeeperError.runtimeInconsistency.rawValue
                parts.append(Txn.Part(type: .error, txn: .error(code)))
                continue
            }
            do throws(ZooKeeperError) {
                let txn = try prepare(operation, for: asker)
                let part = Txn.Part(type: operation.opCode, txn: txn)
                bytes += part.byteCount
                if bytes > settings.maximumTransactionBytes { throw .marshallingError }
                parts.append(part)
            } catch {
                hasFailed = true
                outstanding.takeBack(asker.zxid)
                parts.append(Txn.Part(type: .error, txn: .error(error.rawValue)))
            }
        }
        if !hasFailed { outstanding.keep() }
        return .multi(parts)
    }

    private mutating func prepare(
        _ operation: MultiRequest.Operation, for asker: Asker
    ) throws(ZooKeeperError) -> Txn {
        switch operation {
        case .create(let code, let create):
            return .create(try prepareCreate(create, code, for: asker))
        case .delete(let delete): return try prepareDelete(delete, for: asker)
        case .setData(let setData): return try prepareSetData(setData, for: asker)
        case .check(let check): return try prepareCheck(check, for: asker)
        case .getData, .getChildren: preconditionFailure("reads were refused when decoded")
        }
    }
}
