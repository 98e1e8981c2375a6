import AviaryWire

/// Who asks for a write, and the place it would take.
struct Asker: Sendable {
    let session: SessionID
    let identities: [Identity]
    let zxid: Zxid
    /// Wall clock, milliseconds since 1970.
    let time: Int64
}

extension ServerCore {
    /// A node as it will be when all that is outstanding is applied; nil if there is none.
    func state(of path: RawSpan) -> NodeState? {
        let isRoot = path.byteCount == 1 && path.byte(at: 0) == UInt8(ascii: "/")
        let path = isRoot ? path.extracting(first: 0) : path
        let hash = tree.hasher.hash(path)
        if let state = outstanding.find(path, hash: hash) { return state.exists ? state : nil }
        guard let id = tree.find(path, hash: hash),
            !outstanding.isEnding(tree.nodes.read(id) { $0.owner })
        else {
            return nil
        }
        return state(of: id)
    }

    /// A node of the tree as it is applied.
    func state(of id: NodeID) -> NodeState {
        let acl = tree.acl(of: id)
        return tree.nodes.read(id) { node in
            NodeState(
                stat: node.stat, numChildren: node.numChildren, acl: acl, content: node.content,
                dataLength: node.dataLength, isCounted: node.isCounted)
        }
    }

    /// The node that will hold, or holds, one at this path.
    ///
    /// - Parameter parentLength: as `Path.parentLength` has it.
    func parentState(
        of path: Path, _ parentLength: Int
    ) throws(ZooKeeperError) -> NodeState {
        guard let parent = state(of: path.bytes.raw.extracting(first: parentLength)) else {
            throw .noNode
        }
        return parent
    }

    func checkVersion(_ asked: Int32, against actual: Int32) throws(ZooKeeperError) {
        if asked != -1 && asked != actual { throw .badVersion }
    }
}
