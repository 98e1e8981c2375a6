import AviaryWire

extension ServerCore {
    /// Source: PrepRequestProcessor.pRequest2Txn, case delete, ZooKeeper 3.9.5.
    mutating func prepareDelete(
        _ request: borrowing VersionRecord, for asker: Asker, into entry: inout LogEntryWriter
    ) throws(ZooKeeperError) {
        let path = request.path
        guard let parentLength = path.parentLength, !path.containsNull,
            !ReservedPath.isUndeletable(path)
        else { throw .badArguments }
        guard let parent = state(of: path.extracting(first: parentLength)) else { throw .noNode }
        try checkAccess(to: parent, .delete, for: asker)
        guard let node = state(of: path) else { throw .noNode }
        try checkVersion(request.version, against: node.stat.version)
        if node.numChildren > 0 { throw .notEmpty }
        recordDelete(of: path, parentLength, node, zxid: asker.zxid)
        entry.write(.delete, byteCount: JuteFields.byteCount(of: path)) { $0.write(path) }
    }

    /// Notes that a node will be gone, and its parent a child the poorer.
    mutating func recordDelete(
        of path: RawSpan, _ parentLength: Int, _ node: NodeState, zxid: Zxid
    ) {
        let parentPath = path.extracting(first: parentLength)
        guard let before = state(of: parentPath) else {
            preconditionFailure("a node that exists has a parent")
        }
        var parent = before
        parent.stat.pzxid = zxid
        parent.numChildren -= 1
        note(parent, at: parentPath, before: before, zxid: zxid)
        var gone = node
        gone.exists = false
        note(gone, at: path, before: node, zxid: zxid)
    }

    mutating func prepareSetData(
        _ request: borrowing SetDataRecord, for asker: Asker, into entry: inout LogEntryWriter
    ) throws(ZooKeeperError) {
        guard request.path.isValidPath else { throw .badArguments }
        let path = request.path.withoutRootSlash
        let hash = tree.hasher.hash(path)
        guard let before = state(of: path, hash: hash) else { throw .noNode }
        try checkAccess(to: before, .write, for: asker)
        let length = request.data?.byteCount ?? 0
        if length != before.dataLength {
            try checkQuota(
                at: request.path, nodes: 0, bytes: length - before.dataLength, for: asker)
        }
        try checkVersion(request.version, against: before.stat.version)
        var node = before
        node.stat.version &+= 1
        node.stat.mzxid = asker.zxid
        node.stat.mtime = asker.time
        node.dataLength = length
        node.content = NodeDigest.content(path: path, data: request.data)
        outstanding.set(path, hash: hash, to: node, before: before, zxid: asker.zxid)
        let record = SetDataRecord(
            path: request.path, data: request.data, version: node.stat.version)
        entry.write(.setData, byteCount: record.byteCount) { record.write(to: &$0) }
    }

    mutating func prepareSetACL(
        _ request: borrowing SetACLRecord, for asker: Asker, into entry: inout LogEntryWriter
    ) throws(ZooKeeperError) {
        guard request.path.isValidPath else { throw .badArguments }
        let path = request.path.withoutRootSlash
        let acl = try access.stored(request.acl, for: asker.identities)
        let hash = tree.hasher.hash(path)
        guard let before = state(of: path, hash: hash) else { throw .noNode }
        try checkAccess(to: before, .admin, for: asker)
        try checkVersion(request.version, against: before.stat.aversion)
        var node = before
        node.stat.aversion &+= 1
        outstanding.set(path, hash: hash, to: node, acl, before: before, zxid: asker.zxid)
        let record = SetACLRecord(path: request.path, acl: acl, version: node.stat.aversion)
        entry.write(.setACL, byteCount: record.byteCount) { record.write(to: &$0) }
    }

    func prepareCheck(
        _ request: borrowing VersionRecord, for asker: Asker, into entry: inout LogEntryWriter
    ) throws(ZooKeeperError) {
        guard request.path.isValidPath else { throw .badArguments }
        guard let node = state(of: request.path.withoutRootSlash) else { throw .noNode }
        try checkAccess(to: node, .read, for: asker)
        try checkVersion(request.version, against: node.stat.version)
        let record = VersionRecord(path: request.path, version: node.stat.version &+ 1)
        entry.write(.check, byteCount: record.byteCount) { record.write(to: &$0) }
    }

    /// All or nothing: after the first failure every operation becomes an error.
    ///
    /// Source: PrepRequestProcessor.pRequest, case multi, ZooKeeper 3.9.5.
    /// - Returns: which operations are a create2, as their records do not tell.
    mutating func prepareMulti(
        _ request: borrowing WriteBody, for asker: Asker, into entry: inout LogEntryWriter
    ) -> Set<Int> {
        outstanding.begin()
        var operations = MultiBody(request.reader)
        var create2s: Set<Int> = []
        for index in 0..<request.operationCount {
            let code = operations.nextOfRead()
            if code == .create2 { create2s.insert(index) }
            do throws(ZooKeeperError) {
                try prepare(code, &operations.reader, for: asker, into: &entry)
                if entry.byteCount > settings.maximumTransactionBytes {
                    entry.dropLast()
                    throw .marshallingError
                }
            } catch {
                outstanding.takeBack(asker.zxid)
                entry.writeError(error.rawValue)
                for _ in index + 1..<request.operationCount {
                    entry.writeError(ZooKeeperError.runtimeInconsistency.rawValue)
                }
                return create2s
            }
        }
        outstanding.keep()
        return create2s
    }
}
