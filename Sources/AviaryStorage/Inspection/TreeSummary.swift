package import AviaryCore
package import AviaryWire

/// How much a tree, or a part of it, holds.
package struct TreeSummary: Hashable, Sendable {
    package private(set) var nodes = 0
    package private(set) var dataBytes = 0
    package private(set) var ephemerals = 0
    package private(set) var containers = 0
    /// Nodes with a time to live.
    package private(set) var expiring = 0

    package init() {}

    package init(_ snapshot: TreeSnapshot) {
        snapshot.forEachNode { _, node in add(node) }
    }

    package mutating func add(_ node: TreeSnapshot.Node) {
        nodes += 1
        dataBytes += node.data?.count ?? 0
        let owner = node.stat.owner
        if owner == .none { return }
        if owner.isContainer {
            containers += 1
        } else if owner.ttlMilliseconds != nil {
            expiring += 1
        } else {
            ephemerals += 1
        }
    }
}

/// The largest nodes and subtrees of a tree, the largest first; equal ones by path.
package struct LargestNodes: Hashable, Sendable {
    package struct Item: Hashable, Sendable {
        package let path: Path
        /// Of the node itself, or of all nodes from it down.
        package let dataBytes: Int
        /// 1, or all nodes from it down.
        package let nodes: Int
    }

    package private(set) var byData: [Item] = []
    package private(set) var subtrees: [Item] = []
    private let limit: Int

    /// A node whose children are being visited.
    private struct Open {
        let path: Path
        var dataBytes: Int
        var nodes = 1
    }

    /// - Parameters:
    ///   - limit: how many of each are wanted.
    ///   - top: only what is at or below it.
    package init(_ limit: Int, of snapshot: TreeSnapshot, below top: Path = .root) {
        self.limit = limit
        var open: [Open] = []
        var walk = snapshot.sorted
        while let node = walk.next() {
            let path = walk.path.isEmpty ? Path.root : Path(walk.path)
            if !path.isAtOrBelow(top) { continue }
            let size = node.data?.count ?? 0
            while let last = open.last, !path.isAtOrBelow(last.path) { close(&open) }
            Self.insert(Item(path: path, dataBytes: size, nodes: 1), into: &byData, limit)
            open.append(Open(path: path, dataBytes: size))
        }
        while !open.isEmpty { close(&open) }
    }

    private mutating func close(_ open: inout [Open]) {
        guard let done = open.popLast() else { return }
        if !open.isEmpty {
            open[open.count - 1].dataBytes += done.dataBytes
            open[open.count - 1].nodes += done.nodes
        }
        let item = Item(path: done.path, dataBytes: done.dataBytes, nodes: done.nodes)
        Self.insert(item, into: &subtrees, limit)
    }

    private static func insert(_ item: Item, into items: inout [Item], _ limit: Int) {
        if items.count == limit, let last = items.last, !precedes(item, last) { return }
        let place = items.firstIndex { precedes(item, $0) } ?? items.count
        items.insert(item, at: place)
        if items.count > limit { items.removeLast() }
    }

    private static func precedes(_ left: Item, _ right: Item) -> Bool {
        if left.dataBytes != right.dataBytes { return left.dataBytes > right.dataBytes }
        if left.nodes != right.nodes { return left.nodes > right.nodes }
        return left.path < right.path
    }
}
