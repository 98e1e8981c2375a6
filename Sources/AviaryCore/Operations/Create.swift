import AviaryWire

extension ServerCore {
    /// Source: PrepRequestProcessor.pRequest2TxnCreate, ZooKeeper 3.9.5.
    mutating func prepareCreate(
        _ request: borrowing CreateBody, _ code: OpCode, for asker: Asker,
        into entry: inout LogEntryWriter
    ) throws(ZooKeeperError) {
        guard let mode = CreateMode(rawValue: request.flags) else { throw .badArguments }
        try checkTTL(request, mode, code)
        guard let parentLength = request.path.parentLength, !request.path.containsNull else {
            throw .badArguments
        }
        let acl = try access.stored(request.acl, for: asker.identities)
        let hash = tree.hasher.hash(request.path.extracting(first: parentLength))
        let parent = Parent(pathLength: parentLength, hash: hash)
        guard let before = state(of: request.path.extracting(first: parentLength), hash: hash)
        else { throw .noNode }
        try checkAccess(to: before, .create, for: asker)
        let isEphemeral = code != .createContainer && code != .createTTL && mode.isEphemeral
        let parentCVersion = before.stat.cversion &+ 1
        let ttl = request.ttlMilliseconds ?? 0
        if mode.isSequential {
            let path = [UInt8](copying: request.path) + Self.suffix(before.stat.cversion)
            let record = CreateRecord(
                path: path.raw, data: request.data, acl: acl, isEphemeral: isEphemeral,
                parentCVersion: parentCVersion, ttlMilliseconds: ttl)
            try prepare(record, code, below: parent, before, for: asker, into: &entry)
        } else {
            let record = CreateRecord(
                path: request.path, data: request.data, acl: acl, isEphemeral: isEphemeral,
                parentCVersion: parentCVersion, ttlMilliseconds: ttl)
            try prepare(record, code, below: parent, before, for: asker, into: &entry)
        }
    }

    /// Where the parent's path is in that of a new node.
    private struct Parent {
        let pathLength: Int
        let hash: UInt32
    }

    private mutating func prepare(
        _ record: borrowing CreateRecord, _ code: OpCode, below place: Parent,
        _ before: NodeState, for asker: Asker, into entry: inout LogEntryWriter
    ) throws(ZooKeeperError) {
        let path = record.path
        guard path.isValidPath else { throw .badArguments }
        let hash = tree.hasher.hash(path)
        if path.isRoot || state(of: path, hash: hash) != nil { throw .nodeExists }
        let parentOwner = before.stat.owner.session(extendedTypes: settings.extendedTypes)
        if parentOwner != nil { throw .noChildrenForEphemerals }
        let dataLength = record.data?.byteCount ?? 0
        try checkQuota(at: path, nodes: 1, bytes: dataLength, for: asker)

        var parent = before
        parent.stat.cversion &+= 1
        parent.stat.pzxid = asker.zxid
        parent.numChildren += 1
        outstanding.set(
            path.extracting(first: place.pathLength), hash: place.hash, to: parent,
            before: before, zxid: asker.zxid)
        let stat = StatPersisted(
            createdBy: asker.zxid, at: asker.time,
            owner: record.owner(code, session: asker.session))
        let node = NodeState(
            stat: stat, numChildren: 0, acl: .openToAll,
            content: NodeDigest.content(path: path, data: record.data),
            dataLength: dataLength, isCounted: DataTree.isCounted(path))
        outstanding.set(
            path, hash: hash, to: node, record.acl, before: nil, zxid: asker.zxid)
        entry.write(code, byteCount: record.byteCount(code)) { record.write(code, to: &$0) }
    }

    /// A time to live goes with createTTL and the modes that have one, and with nothing else.
    private func checkTTL(
        _ request: borrowing CreateBody, _ mode: CreateMode, _ code: OpCode
    ) throws(ZooKeeperError) {
        if mode.isTTL && !settings.extendedTypes { throw .unimplemented }
        guard mode.isTTL == (code == .createTTL) else { throw .badArguments }
        if let ttl = request.ttlMilliseconds, !(1...NodeOwner.maximumTTL).contains(ttl) {
            throw .badArguments
        }
    }

    /// The parent's count of creates, in at least ten digits.
    private static func suffix(_ number: Int32) -> [UInt8] {
        let digits = [UInt8](String(number).utf8)
        return [UInt8](repeating: UInt8(ascii: "0"), count: max(0, 10 - digits.count)) + digits
    }
}
