import AviaryWire

extension DataTree {
    /// Counts again everything that is kept up to date change by change, and stops the program if
    /// it differs. For tests and fuzzing. O(nodes).
    package func checkInvariants() {
        var count = Recount()
        visit(.root, [], &count)
        forEachDescendant(of: .root) { visit($0, path(of: $0).bytes, &count) }
        precondition(count.nodes == nodes.count, "every node hangs from the root")
        precondition(index.count == nodes.count - 1, "every node but the root is in the index")
        precondition(digest == count.digest, "the digest is the sum of the nodes' digests")
        precondition(approximateDataSize == count.bytes, "the size is that of paths and data")
        precondition(ephemerals == count.ephemerals, "ephemeral nodes are filed by their session")
        precondition(
            ephemeralCount == count.ephemerals.values.reduce(0) { $0 + $1.count },
            "the ephemeral nodes are counted")
        precondition(reapable == count.reapable, "containers and TTL nodes are known")
        let keys = Set(acls.keyed.map(\.key))
        precondition(keys == count.aclKeys, "a list is in the table for as long as a node uses it")
    }

    private struct Recount {
        var nodes = 0
        var bytes = 0
        var digest: UInt64 = 0
        var ephemerals: [SessionID: Set<NodeID>] = [:]
        var reapable: Set<NodeID> = []
        var aclKeys: Set<Int64> = []
    }

    /// - Parameter path: empty for the root.
    private func visit(_ id: NodeID, _ path: [UInt8], _ count: inout Recount) {
        let node = nodes[id]
        count.nodes += 1
        count.bytes += path.count + node.dataLength
        if node.acl != .openToAll { count.aclKeys.insert(node.acl.snapshotKey) }
        if let owner = node.owner.session(extendedTypes: extendedTypes) {
            count.ephemerals[owner, default: []].insert(id)
        } else if node.owner != .none {
            count.reapable.insert(id)
        }
        precondition(find(path.raw) == id, "a node is found under its path")
        precondition(node.isCounted == Self.isCounted(path.raw), "the digest leaves /zookeeper out")
        if node.isCounted {
            let content = NodeDigest.content(path: path.raw, data: node.data)
            precondition(content == node.content, "a node's checksum is of its path and data")
            count.digest &+= NodeDigest.value(content: content, stat: node.stat)
        }
        checkChildren(of: id)
    }

    private func checkChildren(of id: NodeID) {
        var number: Int32 = 0
        var previous = NodeID.none
        var child = nodes[id].firstChild
        while child != .none {
            precondition(nodes[child].parent == id, "a child knows its parent")
            precondition(nodes[child].previousSibling == previous, "siblings know each other")
            number += 1
            previous = child
            child = nodes[child].nextSibling
        }
        precondition(nodes[id].numChildren == number, "children are counted")
    }
}
