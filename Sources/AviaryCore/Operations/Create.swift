import AviaryWire

extension ServerCore {
    /// Source: PrepRequestProcessor.pRequest2TxnCreate, ZooKeeper 3.9.5.
    mutating func prepareCreate(
        _ request: CreateRequest, _ code: OpCode, for asker: Asker
    ) throws(ZooKeeperError) -> CreateTxn {
        guard let mode = CreateMode(rawValue: request.flags) else { throw .badArguments }
        try checkTTL(request, mode, code)
        guard let parentLength = request.path.parentLength, !request.path.containsNull else {
            throw .badArguments
        }
        let acl = try access.stored(request.acl, for: asker.identities)
        var parent = try parentState(of: request.path, parentLength)
        try access.check(parent.acl, .create, asker.identities)
        var path = request.path
        if mode.isSequential { path = Path(path.bytes + Self.suffix(parent.stat.cversion)) }
        guard path.isValid else { throw .badArguments }
        if state(of: path.bytes.raw) != nil { throw .nodeExists }
        let parentOwner = parent.stat.owner.session(extendedTypes: settings.extendedTypes)
        if parentOwner != nil { throw .noChildrenForEphemerals }
        try checkQuota(at: path, nodes: 1, bytes: request.data?.count ?? 0, for: asker)

        let parentBefore = parent
        parent.stat.cversion &+= 1
        parent.stat.pzxid = asker.zxid
        parent.numChildren += 1
        outstanding.set(
            path.bytes, length: parentLength, to: parent, before: parentBefore, zxid: asker.zxid)
        let txn = CreateTxn(
            path: path, data: request.data, acl: acl,
            isEphemeral: code != .createContainer && code != .createTTL && mode.isEphemeral,
            parentCVersion: parent.stat.cversion, ttlMilliseconds: request.ttlMilliseconds ?? 0)
        outstanding.set(
            path.bytes, length: path.bytes.count, to: newState(txn, code, for: asker),
            before: nil, zxid: asker.zxid)
        return txn
    }

    private func newState(_ txn: CreateTxn, _ code: OpCode, for asker: Asker) -> NodeState {
        let stat = StatPersisted(
            createdBy: asker.zxid, at: asker.time,
            owner: txn.owner(code, session: asker.session))
        return NodeState(
            stat: stat, numChildren: 0, acl: txn.acl,
            content: NodeDigest.content(path: txn.path.bytes.raw, data: txn.data?.raw),
            dataLength: txn.data?.count ?? 0, isCounted: DataTree.isCounted(txn.path.bytes))
    }

    /// A time to live goes with createTTL and the modes that have one, and with nothing else.
    private func checkTTL(
        _ request: CreateRequest, _ mode: CreateMode, _ code: OpCode
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
