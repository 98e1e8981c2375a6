package import AviaryWire

/// What applying a transaction gave, for the reply to whoever asked.
package enum TxnResult: Hashable, Sendable {
    case done
    /// The path, and the stat right after the operation.
    case created(Path, Stat)
    case changed(Stat)
    case multi([TxnResult])
    /// A `ZooKeeperError`'s raw value, or 0 for the parts of a failed multi before the failing one.
    case failed(Int32)

    static let noNode = TxnResult.failed(ZooKeeperError.noNode.rawValue)
}

extension DataTree {
    /// Applies a committed transaction: of this server's log, or decided just now.
    ///
    /// A transaction may already be in the tree (Apache writes snapshots while it applies), so
    /// nothing here fails: what does not fit is left alone.
    /// Source: DataTree.processTxn, ZooKeeper 3.9.5.
    package mutating func apply(
        _ header: TxnHeader, _ txn: Txn, firing events: inout [WatchEvent]
    ) -> TxnResult {
        let result = applyPart(header, type: header.type, txn, firing: &events)
        if header.zxid > lastProcessedZxid { lastProcessedZxid = header.zxid }
        return result
    }

    /// The same for a setData, whose record may stay where it is.
    ///
    /// - Returns: what the node is then; nil if there is none.
    mutating func apply(
        _ header: TxnHeader, _ fields: SetDataFields, in reader: borrowing JuteReader
    ) -> Znode.DataChange? {
        let path = reader.span(fields.path)
        let changed =
            if let data = fields.data {
                applySetData(header, path, reader.span(data), fields.version)
            } else {
                applySetData(header, path, nil, fields.version)
            }
        if header.zxid > lastProcessedZxid { lastProcessedZxid = header.zxid }
        return changed
    }

    private mutating func applyPart(
        _ header: TxnHeader, type: OpCode, _ txn: Txn, firing events: inout [WatchEvent]
    ) -> TxnResult {
        switch txn {
        case .create(let create): return applyCreate(header, type, create, firing: &events)
        case .delete(let path): return applyDelete(path, header.zxid, firing: &events)
        case .setData(let path, let data, let version):
            let changed = applySetData(header, path.bytes.raw, data?.raw, version)
            guard let changed else { return .noNode }
            events.append(WatchEvent(.nodeDataChanged, at: path, acl: acls[changed.acl]))
            return .changed(changed.stat)
        case .setACL(let path, let acl, let version): return applySetACL(path, acl, version)
        case .check, .createSession, .closeSession:
            applySession(header, txn, firing: &events)
            return .done
        case .error(let code): return .failed(code)
        case .multi(let parts):
            let hasFailed = parts.contains { $0.type == .error }
            return .multi(
                parts.map { part in
                    if hasFailed {
                        if case .error(let code) = part.txn { return .failed(code) }
                        return .failed(0)
                    }
                    return applyPart(header, type: part.type, part.txn, firing: &events)
                })
        }
    }

    // MARK: Operations

    private mutating func applyCreate(
        _ header: TxnHeader, _ type: OpCode, _ create: CreateTxn, firing events: inout [WatchEvent]
    ) -> TxnResult {
        guard let parentLength = create.path.parentLength,
            let parent = find(create.path.bytes.raw.extracting(first: parentLength))
        else { return .noNode }
        let existing = find(create.path)
        updateStat(of: parent) { stat in
            if existing != nil && create.parentCVersion == nil { return }
            let cversion = create.parentCVersion ?? stat.cversion &+ 1
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
        let id = insertNode(
            path: create.path.bytes, parent: parent, data: create.data, acl: create.acl, stat: stat)
        if path(create.path, isBelow: ReservedPath.quota) {
            noteQuotaNode(created: create.path)
        } else {
            countQuota(at: create.path, nodes: 1, bytes: Int64(create.data?.count ?? 0))
        }
        events.append(WatchEvent(.nodeCreated, at: create.path, acl: create.acl))
        events.append(
            WatchEvent(
                .nodeChildrenChanged, atParentOf: create.path, parentLength: parentLength,
                acl: acls[nodes[parent].acl]))
        return .created(create.path, nodes[id].clientStat)
    }

    private mutating func applyDelete(
        _ path: Path, _ zxid: Zxid, firing events: inout [WatchEvent]
    ) -> TxnResult {
        guard let parentLength = path.parentLength,
            let parent = find(path.bytes.raw.extracting(first: parentLength))
        else { return .noNode }
        let id = find(path)
        updateStat(of: parent) { if zxid > $0.pzxid { $0.pzxid = zxid } }
        guard let id, id != .root else { return .noNode }
        let acl = acls[nodes[id].acl]
        let dataLength = nodes[id].dataLength
        removeDescendants(of: id)
        removeNode(id, path: path)
        if self.path(path, isBelow: ReservedPath.quota) {
            noteQuotaNode(deleted: path)
        } else {
            countQuota(at: path, nodes: -1, bytes: -Int64(dataLength))
        }
        events.append(WatchEvent(.nodeDeleted, at: path, acl: acl))
        events.append(
            WatchEvent(
                .nodeChildrenChanged, atParentOf: path, parentLength: parentLength,
                acl: acls[nodes[parent].acl]))
        return .done
    }

    private mutating func applySetData(
        _ header: TxnHeader, _ path: RawSpan, _ data: RawSpan?, _ version: Int32
    ) -> Znode.DataChange? {
        guard let id = find(path) else { return nil }
        let content = NodeDigest.content(path: id == .root ? RawSpan() : path, data: data)
        let change = nodes[id].setData(
            data, content: content, version: version, by: header.zxid, at: header.time)
        digest &+= change.digest
        approximateDataSize += change.growth
        if !quotas.isEmpty {
            countQuota(at: Path([UInt8](copying: path)), nodes: 0, bytes: Int64(change.growth))
        }
        return change
    }

    private mutating func applySetACL(
        _ path: Path, _ acl: [ACL], _ version: Int32
    ) -> TxnResult {
        guard let id = find(path) else { return .noNode }
        setACL(of: id, acl)
        updateStat(of: id) { $0.aversion = version }
        return .changed(nodes[id].clientStat)
    }

    private mutating func applySession(
        _ header: TxnHeader, _ txn: Txn, firing events: inout [WatchEvent]
    ) {
        switch txn {
        case .createSession(let timeout): sessions[header.session] = timeout
        case .closeSession(let listed):
            for path in listed ?? [] { _ = applyDelete(path, header.zxid, firing: &events) }
            for path in ephemeralPaths(of: header.session) {
                _ = applyDelete(path, header.zxid, firing: &events)
            }
            sessions[header.session] = nil
            sessions.giveBackRoom()
        default: break
        }
    }

    // MARK: Nodes

    @discardableResult
    mutating func insertNode(
        path: [UInt8], parent: NodeID, data: [UInt8]?, acl: [ACL], stat: StatPersisted
    ) -> NodeID {
        let span = path.raw
        let nameStart = path.isEmpty ? 0 : (path.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1
        let id = nodes.insert(
            Znode(
                name: span.extracting(droppingFirst: nameStart), data: data?.raw, stat: stat,
                acl: acls.use(acl), parent: parent, isCounted: Self.isCounted(path),
                content: NodeDigest.content(path: span, data: data?.raw)))
        precondition(path.isEmpty == (id == .root), "the root is the first node and no other is")
        if parent != .none {
            link(id, under: parent)
            index.insert(hash: hasher.hash(span), id.rawValue)
        }
        if let owner = stat.owner.session(extendedTypes: extendedTypes) {
            ephemerals[owner, default: []].insert(id)
            ephemeralCount += 1
        } else if stat.owner != .none {
            reapable.insert(id)
        }
        digest &+= digestValue(of: id)
        approximateDataSize += path.count + (data?.count ?? 0)
        return id
    }

    /// Whether the tree's digest covers a path: not what is below `/zookeeper`.
    static func isCounted(_ path: [UInt8]) -> Bool {
        let prefix = uncountedPrefix
        return path.count <= prefix.count
            || !path.raw.extracting(first: prefix.count).isEqual(to: prefix.raw)
    }

    private static let uncountedPrefix = ReservedPath.zookeeper.bytes + [UInt8(ascii: "/")]

    private mutating func removeNode(_ id: NodeID, path: Path) {
        precondition(nodes[id].firstChild == .none, "only a node without children is deleted")
        digest &-= digestValue(of: id)
        approximateDataSize -= path.bytes.count + nodes[id].dataLength
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
        index.remove(hash: hasher.hash(path.bytes.raw), id.rawValue)
        unlink(id)
        nodes.remove(id)
    }

    /// Apache writes snapshots while it applies: they may show children under a node that the log
    /// deletes first, and creates again, with those children, later.
    private mutating func removeDescendants(of id: NodeID) {
        while nodes[id].firstChild != .none {
            var leaf = nodes[id].firstChild
            while nodes[leaf].firstChild != .none { leaf = nodes[leaf].firstChild }
            removeNode(leaf, path: path(of: leaf))
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
        let (before, after) = nodes.change(id) { node in
            let before = node.digestValue
            change(&node.stat)
            return (before, node.digestValue)
        }
        digest = digest &- before &+ after
    }

    func digestValue(of id: NodeID) -> UInt64 { nodes.read(id) { $0.digestValue } }

    private func path(_ path: Path, isBelow prefix: Path) -> Bool {
        let length = prefix.bytes.count
        return path.bytes.count > length
            && path.bytes.raw.extracting(first: length).isEqual(to: prefix.bytes.raw)
    }
}

extension CreateTxn {
    /// Who the node belongs to, which also says what kind it is.
    func owner(_ type: OpCode, session: SessionID) -> NodeOwner {
        switch type {
        case .createContainer: .container
        case .createTTL: .ttl(milliseconds: ttlMilliseconds & NodeOwner.maximumTTL)
        default: isEphemeral ? .session(session) : .none
        }
    }
}
