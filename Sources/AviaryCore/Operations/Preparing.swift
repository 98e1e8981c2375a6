import AviaryWire

/// Who asks for a write, and the place it would take.
struct Asker: Sendable {
    let session: SessionID
    let identities: [Identity]
    let zxid: Zxid
    /// Wall clock, milliseconds since 1970.
    let time: Int64
}

extension RawSpan {
    /// The root's path as it is kept: empty.
    var withoutRootSlash: RawSpan {
        @_lifetime(copy self) get { isRoot ? extracting(first: 0) : self }
    }
}

extension ServerCore {
    /// A node as it will be when all that is outstanding is applied; nil if there is none.
    ///
    /// - Parameter path: the root's is empty.
    func state(of path: RawSpan) -> NodeState? {
        state(of: path, hash: tree.hasher.hash(path))
    }

    /// - Parameter hash: of the path.
    func state(of path: RawSpan, hash: UInt32) -> NodeState? {
        if let state = outstanding.find(path, hash: hash) { return state.exists ? state : nil }
        guard let state = tree.find(path, hash: hash).map({ state(of: $0) }) else { return nil }
        return outstanding.isEnding(state.stat.owner) ? nil : state
    }

    /// A node of the tree as it is applied.
    func state(of id: NodeID) -> NodeState {
        tree.nodes.read(id) { node in
            NodeState(
                stat: node.stat, numChildren: node.numChildren, acl: .applied(node.acl),
                content: node.content, dataLength: node.dataLength, isCounted: node.isCounted)
        }
    }

    func checkAccess(
        to node: NodeState, _ needed: Permissions, for asker: Asker
    ) throws(ZooKeeperError) {
        if node.acl == .openToAll { return }
        try access.check(outstanding.acl(of: node, tree.acls), needed, asker.identities)
    }

    /// Notes what will be at a path.
    mutating func note(
        _ state: NodeState, at path: RawSpan, before: NodeState?, zxid: Zxid
    ) {
        outstanding.set(
            path, hash: tree.hasher.hash(path), to: state, before: before, zxid: zxid)
    }

    func checkVersion(_ asked: Int32, against actual: Int32) throws(ZooKeeperError) {
        if asked != -1 && asked != actual { throw .badVersion }
    }
}
