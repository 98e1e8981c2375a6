package import AviaryWire

/// The tree and the sessions as they were after one transaction. Taking one costs nothing but the
/// chunks that are changed while it lives.
package struct TreeSnapshot: Sendable {
    /// The last transaction that is in it.
    package let zxid: Zxid
    package let digest: UInt64
    /// Timeouts in milliseconds.
    package let sessions: [SessionID: Int32]
    package let acls: ACLTable
    let nodes: NodeTable

    package var nodeCount: Int { nodes.count }

    /// A node as a snapshot file holds it.
    package struct Node {
        package let data: [UInt8]?
        package let acl: ACLTable.ID
        package let stat: StatPersisted
        /// As clients see it.
        package let clientStat: Stat
    }

    /// Calls `body` for each node, parents before their children; the root's path is empty.
    package func forEachNode<Failure: Error>(
        _ body: (_ path: [UInt8], _ node: Node) throws(Failure) -> Void
    ) throws(Failure) {
        var path: [UInt8] = []
        var id = NodeID.root
        try body(path, node(id))
        while true {
            if nodes[id].firstChild != .none {
                id = nodes[id].firstChild
            } else {
                while id != .root && nodes[id].nextSibling == .none {
                    path.removeLast(nodes[id].nameLength + 1)
                    id = nodes[id].parent
                }
                if id == .root { return }
                path.removeLast(nodes[id].nameLength + 1)
                id = nodes[id].nextSibling
            }
            path.append(UInt8(ascii: "/"))
            path.append(contentsOf: nodes[id].bytes[..<nodes[id].nameLength])
            try body(path, node(id))
        }
    }

    private func node(_ id: NodeID) -> Node {
        Node(
            data: nodes[id].dataBytes, acl: nodes[id].acl, stat: nodes[id].stat,
            clientStat: nodes[id].clientStat)
    }
}
