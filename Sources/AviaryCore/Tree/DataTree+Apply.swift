package import AviaryWire

/// What applying an operation gave, for the reply to whoever asked.
package enum OperationResult: Hashable, Sendable {
    case done
    /// The stat right after the operation.
    case created(Stat)
    case changed(Stat)
    /// A `ZooKeeperError`'s raw value, or 0 for the parts of a failed multi before the failing one.
    case failed(Int32)

    static let noNode = OperationResult.failed(ZooKeeperError.noNode.rawValue)
}

/// What applying a transaction gave.
package enum TxnResult: Hashable, Sendable {
    case one(OperationResult)
    case multi([OperationResult])
}

extension DataTree {
    /// Applies a committed transaction: of this server's log, or decided just now.
    ///
    /// A transaction may already be in the tree (Apache writes snapshots while it applies), so
    /// nothing here fails: what does not fit is left alone.
    /// Source: DataTree.processTxn, ZooKeeper 3.9.5.
    @discardableResult
    package mutating func apply(_ header: TxnHeader, _ txn: Txn) -> TxnResult {
        var events = WatchEvents()
        return apply(header, txn, firing: &events)
    }

    mutating func apply(
        _ header: TxnHeader, _ txn: Txn, firing events: inout WatchEvents
    ) -> TxnResult {
        let result =
            if case .multi(let parts) = txn {
                TxnResult.multi(applyParts(header, parts, firing: &events))
            } else {
                TxnResult.one(applyPart(header, header.type, txn, firing: &events))
            }
        if header.zxid > lastProcessedZxid { lastProcessedZxid = header.zxid }
        return result
    }

    /// The same from where it stands: no arrays are made of paths and data.
    ///
    /// - Parameters:
    ///   - parts: of a multi.
    ///   - reader: after the header; for what is not a multi, then after the record.
    mutating func apply(
        _ header: TxnHeader, _ parts: TxnParts?, from reader: inout JuteReader,
        firing events: inout WatchEvents
    ) throws(WireError) -> TxnResult {
        let result =
            if let parts {
                TxnResult.multi(try applyParts(header, parts, reader, firing: &events))
            } else {
                TxnResult.one(
                    try applyRecord(header, header.type, from: &reader, firing: &events))
            }
        if header.zxid > lastProcessedZxid { lastProcessedZxid = header.zxid }
        return result
    }

    private mutating func applyParts(
        _ header: TxnHeader, _ parts: TxnParts, _ reader: borrowing JuteReader,
        firing events: inout WatchEvents
    ) throws(WireError) -> [OperationResult] {
        for part in parts.list {
            var inner = JuteReader(reader.span(part.record))
            try Self.readOver(part.type, &inner)
        }
        var results: [OperationResult] = []
        results.reserveCapacity(parts.list.count)
        for part in parts.list {
            var inner = JuteReader(reader.span(part.record))
            if parts.haveFailed {
                results.append(.failed(part.type == .error ? try inner.readInt() : 0))
            } else {
                results.append(
                    try applyRecord(header, part.type, from: &inner, firing: &events))
            }
        }
        return results
    }

    /// So that a multi is not applied in part: throws whatever `applyRecord` would throw.
    private static func readOver(
        _ type: OpCode, _ reader: inout JuteReader
    ) throws(WireError) {
        switch type {
        case .create, .create2, .createContainer, .createTTL:
            _ = try CreateRecord(type, from: &reader)
        case .setData: _ = try SetDataRecord(from: &reader)
        case .check: _ = try VersionRecord(from: &reader)
        default: _ = try Txn(type: type, from: &reader)
        }
    }

    private mutating func applyRecord(
        _ header: TxnHeader, _ type: OpCode, from reader: inout JuteReader,
        firing events: inout WatchEvents
    ) throws(WireError) -> OperationResult {
        switch type {
        case .create, .create2, .createContainer, .createTTL:
            let record = try CreateRecord(type, from: &reader)
            return applyCreate(header, type, record, firing: &events)
        case .setData:
            return applySetData(header, try SetDataRecord(from: &reader), firing: &events)
        case .delete, .deleteContainer:
            let path = try reader.readPresentRange()
            return applyDelete(reader.span(path), header.zxid, firing: &events)
        case .check:
            _ = try VersionRecord(from: &reader)
            return .done
        default:
            return applyPart(header, type, try Txn(type: type, from: &reader), firing: &events)
        }
    }

    private mutating func applyPart(
        _ header: TxnHeader, _ type: OpCode, _ txn: Txn, firing events: inout WatchEvents
    ) -> OperationResult {
        switch txn {
        case .create(let create):
            return applyCreate(header, type, create.record, firing: &events)
        case .delete(let path): return applyDelete(path.bytes.raw, header.zxid, firing: &events)
        case .setData(let path, let data, let version):
            let record = SetDataRecord(path: path.bytes.raw, data: data?.raw, version: version)
            return applySetData(header, record, firing: &events)
        case .setACL(let path, let acl, let version): return applySetACL(path, acl, version)
        case .check, .createSession, .closeSession:
            applySession(header, txn, firing: &events)
            return .done
        case .error(let code): return .failed(code)
        case .multi: preconditionFailure("no multi is part of another")
        }
    }

    private mutating func applyParts(
        _ header: TxnHeader, _ parts: [Txn.Part], firing events: inout WatchEvents
    ) -> [OperationResult] {
        let hasFailed = parts.contains { $0.type == .error }
        return parts.map { part in
            if hasFailed {
                if case .error(let code) = part.txn { return .failed(code) }
                return .failed(0)
            }
            return applyPart(header, part.type, part.txn, firing: &events)
        }
    }

    // MARK: Operations

    private mutating func applyCreate(
        _ header: TxnHeader, _ type: OpCode, _ create: borrowing CreateRecord,
        firing events: inout WatchEvents
    ) -> OperationResult {
        let path = create.path
        guard let parentLength = path.parentLength,
            let parent = find(path.extracting(first: parentLength))
        else { return .noNode }
        let hash = hasher.hash(path)
        let existing = find(path, hash: hash)
        let (hasExisted, parentCVersion) = (existing != nil, create.parentCVersion)
        updateStat(of: parent) { stat in
            if hasExisted && parentCVersion == nil { return }
            let cversion = parentCVersion ?? stat.cversion &+ 1
            if cversion > stat.cversion {
                stat.cversion = cversion
                stat.pzxid = header.zxid
            }
        }
        if let existing {
            setACL(of: existing, create.acl)
            return .failed(ZooKeeperError.nodeExists.rawValue)
        }
        let stat = StatPersisted(
            createdBy: header.zxid, at: header.time,
            owner: create.owner(type, session: header.session))
        insertNode(
            path: path, hash: hash, parent: parent, data: create.data, acl: create.acl, stat: stat)
        let dataLength = create.data?.byteCount ?? 0
        countQuota(ofCreated: path, bytes: dataLength)
        events.add(.nodeCreated, at: path, acl: create.acl)
        events.add(
            .nodeChildrenChanged, atParentOf: path, parentLength: parentLength,
            acl: acls[aclID(of: parent)])
        return .created(stat.clientStat(dataLength: dataLength, numChildren: 0))
    }

    private mutating func applyDelete(
        _ path: RawSpan, _ zxid: Zxid, firing events: inout WatchEvents
    ) -> OperationResult {
        guard let parentLength = path.parentLength,
            let parent = find(path.extracting(first: parentLength))
        else { return .noNode }
        let id = find(path)
        updateStat(of: parent) { if zxid > $0.pzxid { $0.pzxid = zxid } }
        guard let id, id != .root else { return .noNode }
        let acl = acls[nodes[id].acl]
        let dataLength = nodes[id].dataLength
        removeDescendants(of: id)
        removeNode(id, path: path)
        countQuota(ofDeleted: path, bytes: dataLength)
        events.add(.nodeDeleted, at: path, acl: acl)
        events.add(
            .nodeChildrenChanged, atParentOf: path, parentLength: parentLength,
            acl: acls[aclID(of: parent)])
        return .done
    }

    private mutating func applySetData(
        _ header: TxnHeader, _ record: borrowing SetDataRecord, firing events: inout WatchEvents
    ) -> OperationResult {
        let path = record.path
        guard let id = find(path) else { return .noNode }
        let content = NodeDigest.content(path: id == .root ? RawSpan() : path, data: record.data)
        let change = nodes[id].setData(
            record.data, content: content, version: record.version, by: header.zxid,
            at: header.time)
        digest &+= change.digest
        approximateDataSize += change.growth
        countQuota(at: path, nodes: 0, bytes: change.growth)
        events.add(.nodeDataChanged, at: path, acl: acls[change.acl])
        return .changed(change.stat)
    }

    private mutating func applySetACL(
        _ path: Path, _ acl: [ACL], _ version: Int32
    ) -> OperationResult {
        guard let id = find(path) else { return .noNode }
        setACL(of: id, acl)
        updateStat(of: id) { $0.aversion = version }
        return .changed(nodes[id].clientStat)
    }

    private mutating func applySession(
        _ header: TxnHeader, _ txn: Txn, firing events: inout WatchEvents
    ) {
        switch txn {
        case .createSession(let timeout): sessions[header.session] = timeout
        case .closeSession(let listed):
            for path in listed ?? [] {
                _ = applyDelete(path.bytes.raw, header.zxid, firing: &events)
            }
            for path in ephemeralPaths(of: header.session) {
                _ = applyDelete(path.bytes.raw, header.zxid, firing: &events)
            }
            sessions[header.session] = nil
            sessions.giveBackRoom()
        default: break
        }
    }

    // MARK: Nodes

    /// - Parameter hash: of the path.
    mutating func insertNode(
        path: RawSpan, hash: UInt32, parent: NodeID, data: RawSpan?, acl: [ACL],
        stat: StatPersisted
    ) {
        let nameStart = (path.parentLength ?? -1) + 1
        let isCounted = Self.isCounted(path)
        let content = NodeDigest.content(path: path, data: data)
        let id = nodes.insert(
            Znode(
                name: path.extracting(droppingFirst: nameStart), data: data, stat: stat,
                acl: acls.use(acl), parent: parent, isCounted: isCounted, content: content))
        precondition(path.isEmpty == (id == .root), "the root is the first node and no other is")
        if parent != .none {
            link(id, under: parent)
            index.insert(hash: hash, id.rawValue)
        }
        if let owner = stat.owner.session(extendedTypes: extendedTypes) {
            ephemerals[owner, default: []].insert(id)
            ephemeralCount += 1
        } else if stat.owner != .none {
            reapable.insert(id)
        }
        if isCounted { digest &+= NodeDigest.value(content: content, stat: stat) }
        approximateDataSize += path.byteCount + (data?.byteCount ?? 0)
    }

    /// Whether the tree's digest covers a path: not what is below `/zookeeper`.
    static func isCounted(_ path: RawSpan) -> Bool {
        let prefix = uncountedPrefix
        return path.byteCount <= prefix.count
            || !path.extracting(first: prefix.count).isEqual(to: prefix.raw)
    }

    private static let uncountedPrefix = ReservedPath.zookeeper.bytes + [UInt8(ascii: "/")]

    private mutating func removeNode(_ id: NodeID, path: RawSpan) {
        precondition(nodes[id].firstChild == .none, "only a node without children is deleted")
        digest &-= digestValue(of: id)
        approximateDataSize -= path.byteCount + nodes[id].dataLength
        if let owner = nodes[id].owner.session(extendedTypes: extendedTypes) {
            ephemerals[owner]?.remove(id)
            if ephemerals[owner]?.isEmpty == true {
                ephemerals[owner] = nil
                ephemerals.giveBackRoom()
            }
            ephemeralCount -= 1
        } else if nodes[id].owner != .none {
            reapable.remove(id)
        }
        acls.release(nodes[id].acl)
        index.remove(hash: hasher.hash(path), id.rawValue)
        unlink(id)
        nodes.remove(id)
    }

    /// Apache writes snapshots while it applies: they may show children under a node that the log
    /// deletes first, and creates again, with those children, later.
    private mutating func removeDescendants(of id: NodeID) {
        while nodes[id].firstChild != .none {
            var leaf = nodes[id].firstChild
            while nodes[leaf].firstChild != .none { leaf = nodes[leaf].firstChild }
            removeNode(leaf, path: path(of: leaf).bytes.raw)
        }
    }

    private mutating func link(_ id: NodeID, under parent: NodeID) {
        let first = nodes[parent].firstChild
        nodes[id].nextSibling = first
        if first != .none { nodes[first].previousSibling = id }
        nodes[parent].changeChildren(by: 1, first: id)
    }

    private mutating func unlink(_ id: NodeID) {
        let parent = nodes[id].parent
        let previous = nodes[id].previousSibling
        let next = nodes[id].nextSibling
        if previous != .none { nodes[previous].nextSibling = next }
        if next != .none { nodes[next].previousSibling = previous }
        let first = previous == .none ? next : nodes[parent].firstChild
        nodes[parent].changeChildren(by: -1, first: first)
    }

    private mutating func setACL(of id: NodeID, _ acl: [ACL]) {
        let old = nodes[id].acl
        nodes[id].acl = acls.use(acl)
        acls.release(old)
    }

    private mutating func updateStat(of id: NodeID, _ change: (inout StatPersisted) -> Void) {
        digest &+= nodes[id].changeStat(change)
    }

    func digestValue(of id: NodeID) -> UInt64 { nodes.read(id) { $0.digestValue } }
}

extension CreateRecord {
    /// Who the node belongs to, which also says what kind it is.
    func owner(_ type: OpCode, session: SessionID) -> NodeOwner {
        switch type {
        case .createContainer: .container
        case .createTTL: .ttl(milliseconds: ttlMilliseconds & NodeOwner.maximumTTL)
        default: isEphemeral ? .session(session) : .none
        }
    }
}
