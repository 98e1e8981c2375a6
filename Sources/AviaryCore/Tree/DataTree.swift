package import AviaryWire
package import NIOCore

/// The znodes, and where each path leads.
package struct DataTree: ~Copyable, Sendable {
    var nodes = NodeTable()
    package internal(set) var acls = ACLTable()
    /// From a path to its node; not part of a snapshot, or the next create would copy it.
    var index = HashIndex()
    let hasher: ByteHasher
    /// The ephemeral nodes of each session.
    var ephemerals: [SessionID: Set<NodeID>] = [:]
    package internal(set) var ephemeralCount = 0
    /// Containers and nodes with a time to live.
    var reapable: Set<NodeID> = []
    var quotas = QuotaTable()
    /// The timeouts, in milliseconds, of the sessions that live at `lastProcessedZxid`.
    package internal(set) var sessions: [SessionID: Int32] = [:]
    package internal(set) var lastProcessedZxid = Zxid.zero
    /// The sum of the nodes' digests, modulo 2^64.
    package internal(set) var digest: UInt64 = 0
    /// Bytes of paths and data, as `zk_approximate_data_size` has it.
    package internal(set) var approximateDataSize = 0
    /// Whether owners with the top byte 0xff are TTL nodes (`extendedTypesEnabled`).
    let extendedTypes: Bool

    /// A tree with no node at all, for a snapshot to be loaded into.
    ///
    /// - Parameter hashSeed: random, so that paths cannot be chosen to collide.
    package init(emptyWithHashSeed hashSeed: UInt64, extendedTypes: Bool) {
        self.hasher = ByteHasher(seed: hashSeed)
        self.extendedTypes = extendedTypes
    }

    /// The tree of a server that has never run.
    package init(hashSeed: UInt64, extendedTypes: Bool) {
        self.init(emptyWithHashSeed: hashSeed, extendedTypes: extendedTypes)
        var configStat = StatPersisted()
        configStat.aversion = -1
        load(path: [], data: [], acl: ACL.openToAll, stat: StatPersisted())
        for path: Path in ["/zookeeper", "/zookeeper/quota"] {
            load(path: path.bytes, data: [], acl: ACL.openToAll, stat: StatPersisted())
        }
        load(
            path: ReservedPath.config.bytes, data: [], acl: ACL.readableByAll, stat: configStat)
    }

    /// O(1): what is shared is copied chunk by chunk when it changes.
    package var snapshot: TreeSnapshot {
        TreeSnapshot(
            zxid: lastProcessedZxid, digest: digest, sessions: sessions, acls: acls, nodes: nodes)
    }

    /// Nodes without counting the root twice.
    package var nodeCount: Int { nodes.count }

    // MARK: Looking up

    /// The node at a path; `/` and the empty path are the root.
    package func find(_ path: RawSpan) -> NodeID? { find(path, hash: hasher.hash(path)) }

    /// - Parameter hash: what `hasher` gives for the path.
    func find(_ path: RawSpan, hash: UInt32) -> NodeID? {
        if path.byteCount <= 1 {
            if path.byteCount == 0 || path.byte(at: 0) == UInt8(ascii: "/") { return .root }
        }
        return index.find(hash: hash) { number in leads(to: NodeID(number), path) }
            .map { NodeID($0) }
    }

    package func find(_ path: Path) -> NodeID? { find(path.bytes.raw) }

    private func leads(to id: NodeID, _ path: RawSpan) -> Bool {
        var end = path.byteCount
        var id = id
        while id != .root {
            let parent = nodes.read(id) { node -> NodeID? in
                let start = end - node.nameLength
                guard start >= 1, path.byte(at: start - 1) == UInt8(ascii: "/"),
                    node.name.isEqual(to: path.extracting(start..<end))
                else { return nil }
                end = start - 1
                return node.parent
            }
            guard let parent else { return false }
            id = parent
        }
        return end == 0
    }

    /// The root's is `/`.
    package func path(of id: NodeID) -> Path {
        if id == .root { return .root }
        var names: [NodeID] = []
        var node = id
        while node != .root {
            names.append(node)
            node = nodes[node].parent
        }
        var bytes: [UInt8] = []
        for node in names.reversed() {
            nodes.appendName(of: node, to: &bytes)
        }
        return Path(bytes)
    }

    // MARK: Reading a node

    package func stat(of id: NodeID) -> Stat { nodes.read(id) { $0.clientStat } }

    package func persistedStat(of id: NodeID) -> StatPersisted { nodes[id].stat }

    package func aclID(of id: NodeID) -> ACLTable.ID { nodes.read(id) { $0.acl } }

    package func acl(of id: NodeID) -> [ACL] { acls[aclID(of: id)] }

    package func data(of id: NodeID) -> [UInt8]? { nodes[id].dataBytes }

    /// The data as a buffer, in which null stays null, and what a client sees besides.
    package func writeDataAndStat(of id: NodeID, to reply: inout ByteBuffer) {
        nodes.read(id) { node in
            reply.writeFields(byteCount: node.dataFieldByteCount + Stat.byteCount) { fields in
                node.writeData(to: &fields)
                node.clientStat.write(to: &fields)
            }
        }
    }

    /// The names of the children as a vector, in no particular order. O(children).
    package func writeChildren(of id: NodeID, to reply: inout ByteBuffer) {
        reply.writeInteger(nodes[id].numChildren)
        nodes.writeNames(from: nodes[id].firstChild, to: &reply)
    }

    /// All nodes below one. O(descendants).
    package func descendantCount(of id: NodeID) -> Int {
        var count = 0
        forEachDescendant(of: id) { _ in count += 1 }
        return count
    }

    /// Not the node itself.
    func forEachDescendant(of top: NodeID, _ body: (NodeID) -> Void) {
        var id = nodes[top].firstChild
        while id != .none {
            body(id)
            if nodes[id].firstChild != .none {
                id = nodes[id].firstChild
                continue
            }
            while id != top && nodes[id].nextSibling == .none { id = nodes[id].parent }
            if id == top { return }
            id = nodes[id].nextSibling
        }
    }

    /// The paths of a session's ephemeral nodes, sorted.
    package func ephemeralPaths(of session: SessionID) -> [Path] {
        (ephemerals[session] ?? []).map { path(of: $0) }.sorted()
    }

    /// Sessions that own ephemeral nodes, sorted.
    package var sessionsWithEphemerals: [SessionID] { ephemerals.keys.sorted() }

    // MARK: Loading a snapshot

    /// Puts in a node of a snapshot; parents come before their children.
    ///
    /// - Parameter path: empty for the root.
    /// - Returns: false if the parent is not there.
    @discardableResult
    package mutating func load(
        path: [UInt8], data: [UInt8]?, acl: [ACL], stat: StatPersisted
    ) -> Bool {
        let path = path.raw
        var parent = NodeID.none
        if !path.isEmpty {
            guard let parentLength = path.parentLength,
                let found = find(path.extracting(first: parentLength))
            else { return false }
            parent = found
        }
        insertNode(
            path: path, hash: hasher.hash(path), parent: parent, data: data?.raw, acl: acl,
            stat: stat)
        return true
    }

    package mutating func load(session: SessionID, timeoutMilliseconds: Int32) {
        sessions[session] = timeoutMilliseconds
    }

    /// A new leader's epoch has begun: nothing is missing up to here.
    mutating func startEpoch(_ zxid: Zxid) {
        lastProcessedZxid = max(lastProcessedZxid, zxid)
    }

    /// Sets what this server shows as its ensemble. The node is in no digest.
    ///
    /// - Parameter time: wall clock, milliseconds since 1970.
    mutating func setConfiguration(_ text: [UInt8], at time: Int64) {
        let path = ReservedPath.config.bytes
        guard let id = find(path.raw) else { return }
        approximateDataSize += text.count - nodes[id].dataLength
        nodes[id].setData(
            text.raw, content: NodeDigest.content(path: path.raw, data: text.raw), version: -1,
            by: nodes[id].stat.mzxid, at: time)
    }

    /// To be called once after the nodes and sessions of a snapshot.
    package mutating func finishLoading(zxid: Zxid) {
        lastProcessedZxid = zxid
    }
}

/// Nodes that a server makes for itself.
package enum ReservedPath {
    package static let zookeeper: Path = "/zookeeper"
    package static let quota: Path = "/zookeeper/quota"
    package static let config: Path = "/zookeeper/config"

    static func isUndeletable(_ path: RawSpan) -> Bool {
        path.isRoot || undeletable.contains { path.isEqual(to: $0.bytes.raw) }
    }

    private static let undeletable = [zookeeper, quota, config]
}

extension Znode {
    /// What the node adds to the tree's digest.
    var digestValue: UInt64 { digestValue(with: stat) }

    private func digestValue(with stat: StatPersisted) -> UInt64 {
        isCounted ? NodeDigest.value(content: content, stat: stat) : 0
    }

    /// - Returns: what is to be added to the tree's digest.
    mutating func changeStat(_ change: (inout StatPersisted) -> Void) -> UInt64 {
        let before = stat
        var after = before
        change(&after)
        stat = after
        return digestValue(with: after) &- digestValue(with: before)
    }

    var clientStat: Stat { stat.clientStat(dataLength: dataLength, numChildren: numChildren) }
}

extension StatPersisted {
    /// What a client sees of a node. Source: DataNode.copyStat, ZooKeeper 3.9.5.
    func clientStat(dataLength: Int, numChildren: Int32) -> Stat {
        var result = Stat()
        result.czxid = czxid
        result.mzxid = mzxid
        result.pzxid = pzxid
        result.ctime = ctime
        result.mtime = mtime
        result.version = version
        result.cversion = cversion &* 2 &- numChildren
        result.aversion = aversion
        let isPlainOwner = !owner.isContainer && owner.ttlMilliseconds == nil
        result.ephemeralOwner = isPlainOwner ? owner.rawValue : 0
        result.dataLength = Int32(dataLength)
        result.numChildren = numChildren
        return result
    }
}
