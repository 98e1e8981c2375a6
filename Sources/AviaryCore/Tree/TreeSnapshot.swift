package import AviaryWire
package import NIOCore

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

        init(_ node: Znode) {
            data = node.dataBytes
            acl = node.acl
            stat = node.stat
            clientStat = node.clientStat
        }
    }

    /// Calls `body` for each node, parents before their children; the root's path is empty.
    package func forEachNode<Failure: Error>(
        _ body: (_ path: [UInt8], _ node: Node) throws(Failure) -> Void
    ) throws(Failure) {
        var cursor = self.cursor
        repeat {
            try body(cursor.path, node(cursor.id))
        } while cursor.advance()
    }

    /// A walk over the nodes from the root on.
    package var cursor: Cursor { Cursor(nodes: nodes) }

    /// Where a walk over the nodes is: parents come before their children.
    package struct Cursor: Sendable {
        private let nodes: NodeTable
        fileprivate var id = NodeID.root
        /// Empty for the root.
        fileprivate var path: [UInt8] = []
        private var isAtEnd = false

        fileprivate init(nodes: NodeTable) {
            self.nodes = nodes
        }

        /// Goes to the next node; false if there is none.
        fileprivate mutating func advance() -> Bool {
            if nodes[id].firstChild != .none {
                id = nodes[id].firstChild
            } else {
                while id != .root && nodes[id].nextSibling == .none {
                    path.removeLast(nodes[id].nameLength + 1)
                    id = nodes[id].parent
                }
                if id == .root { return false }
                path.removeLast(nodes[id].nameLength + 1)
                id = nodes[id].nextSibling
            }
            nodes.appendName(of: id, to: &path)
            return true
        }

        private static var aclKeyByteCount: Int { 8 }

        /// Writes nodes as a snapshot has them, path and record, until there are so many bytes.
        ///
        /// - Returns: false when all nodes are written.
        package mutating func writeNext(to buffer: inout ByteBuffer, atLeast count: Int) -> Bool {
            while !isAtEnd {
                nodes.read(id) { node in
                    let byteCount =
                        JuteFields.byteCount(of: path.raw) + node.dataFieldByteCount
                        + Self.aclKeyByteCount + StatPersisted.byteCount
                    buffer.writeFields(byteCount: byteCount) { fields in
                        fields.write(path.raw)
                        node.writeData(to: &fields)
                        fields.write(node.acl.snapshotKey)
                        node.stat.write(to: &fields)
                    }
                }
                isAtEnd = !advance()
                if buffer.readableBytes >= count { return true }
            }
            return false
        }
    }

    private func node(_ id: NodeID) -> Node { Node(nodes[id]) }
}
