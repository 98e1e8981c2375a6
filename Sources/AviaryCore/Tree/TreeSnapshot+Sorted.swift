package import AviaryWire

extension TreeSnapshot {
    /// A walk in which each node is followed by its children, and siblings are in the order of their
    /// names' bytes. Two trees are walked in the same order.
    package var sorted: SortedWalk { SortedWalk(self) }

    /// The highest zxid that any node's stat shows.
    package var newestVisibleZxid: Zxid {
        var newest = Zxid.zero
        forEachNode { _, node in
            newest = max(newest, max(node.stat.czxid, max(node.stat.mzxid, node.stat.pzxid)))
        }
        return newest
    }

    package struct SortedWalk: Sendable {
        /// A node on the way, and how long the path of its parent is.
        private struct Step: Sendable {
            let id: NodeID
            let parentLength: Int
        }

        private let nodes: NodeTable
        /// What is still to be visited, the next one last.
        private var ahead = [Step(id: .root, parentLength: 0)]
        /// Of the node that was visited last; empty for the root.
        package private(set) var path: [UInt8] = []

        fileprivate init(_ snapshot: TreeSnapshot) {
            nodes = snapshot.nodes
        }

        /// Goes to the next node, which `path` then leads to; nil at the end.
        package mutating func next() -> TreeSnapshot.Node? {
            guard let step = ahead.popLast() else { return nil }
            path.removeLast(path.count - step.parentLength)
            if step.id != .root {
                nodes.appendName(of: step.id, to: &path)
            }
            addChildren(of: step.id)
            return TreeSnapshot.Node(nodes[step.id])
        }

        private mutating func addChildren(of id: NodeID) {
            var children: [Step] = []
            var child = nodes[id].firstChild
            while child != .none {
                children.append(Step(id: child, parentLength: path.count))
                child = nodes[child].nextSibling
            }
            let nodes = nodes
            children.sort { nodes[$1.id].name.precedes(nodes[$0.id].name) }
            ahead.append(contentsOf: children)
        }
    }
}

extension Path {
    /// Whether a node at this path comes before another in a sorted walk: by the bytes of the names
    /// on the way, and a node before those below it.
    package func precedesInWalk(_ other: Path) -> Bool {
        // No name holds a byte 0, so that a slash can count as one.
        func rank(_ byte: UInt8) -> UInt8 { byte == UInt8(ascii: "/") ? 0 : byte }
        for (left, right) in zip(bytes, other.bytes) where left != right {
            return rank(left) < rank(right)
        }
        return bytes.count < other.bytes.count
    }
}

extension RawSpan {
    /// Whether these bytes come before others.
    fileprivate func precedes(_ other: RawSpan) -> Bool {
        for offset in 0..<min(byteCount, other.byteCount) {
            let left = byte(at: offset)
            let right = other.byte(at: offset)
            if left != right { return left < right }
        }
        return byteCount < other.byteCount
    }
}
