package import AviaryCore
package import AviaryWire

/// A part of a tree that is to become a tree of its own, at its path or at another.
package struct Subtree: Hashable, Sendable {
    package let path: Path
    package let newPath: Path

    /// - Throws: `misplaced` if one of the paths cannot be used, with the reason.
    package init(path: Path, newPath: Path?) throws(StorageError) {
        self.path = path
        self.newPath = newPath ?? path
        for path in [self.path, self.newPath] {
            guard path.isValid else {
                throw StorageError(.misplaced, "\(path) is not a path; write one as in /app/config")
            }
            if Self.isReserved(path) {
                throw StorageError(
                    .misplaced,
                    "\(path) belongs to the server itself and is not restored by its own")
            }
        }
        if self.newPath == .root && self.path != .root {
            throw StorageError(
                .misplaced, "\(self.path) cannot become the root; name a path below it")
        }
    }

    private static func isReserved(_ path: Path) -> Bool {
        path == ReservedPath.zookeeper
            || path.bytes.starts(with: ReservedPath.zookeeper.bytes + [UInt8(ascii: "/")])
    }

    /// The subtree without its ephemeral nodes, below the nodes that lead to it, and no sessions.
    ///
    /// If it keeps its path, what leads to it is as it was; else that is new, empty and open to all.
    /// The root and the nodes that every server has are as they were.
    package func extract(
        from source: borrowing DataTree, _ settings: Recovery.Settings
    ) throws(StorageError) -> DataTree {
        guard let top = source.find(path) else {
            throw StorageError(
                .missing, "there is no \(path) in the tree of \(source.lastProcessedZxid)")
        }
        let topStat = source.persistedStat(of: top)
        if topStat.owner.session(extendedTypes: settings.extendedTypes) != nil {
            throw StorageError(
                .misplaced, "\(path) is an ephemeral node, and those are not restored")
        }
        let zxid = source.lastProcessedZxid
        let acls = source.snapshot.acls
        var tree = DataTree(
            emptyWithHashSeed: settings.hashSeed, extendedTypes: settings.extendedTypes)
        var kept = source.snapshot.sorted
        while let node = kept.next() {
            guard let place = place(of: Path(kept.path)),
                node.stat.owner.session(extendedTypes: settings.extendedTypes) == nil
            else { continue }
            if place == newPath && path != newPath {
                addAncestors(of: place, to: &tree, zxid, topStat.mtime)
            }
            tree.load(path: place.bytes, data: node.data, acl: acls[node.acl], stat: node.stat)
        }
        tree.finishLoading(zxid: zxid)
        tree.recountQuotas()
        return tree
    }

    /// Where a node of the source goes, the root's path being empty; nil if nowhere.
    private func place(of source: Path) -> Path? {
        if Self.isReserved(source) {
            let own = [ReservedPath.zookeeper, ReservedPath.quota, ReservedPath.config]
            return own.contains(source) ? source : nil
        }
        if source.isAtOrBelow(path) {
            let rest = path == .root ? source.bytes[...] : source.bytes.dropFirst(path.bytes.count)
            let base = newPath == .root ? [] : newPath.bytes
            return Path(base + rest)
        }
        if source.bytes.isEmpty || path == newPath && path.isAtOrBelow(source) { return source }
        return nil
    }

    /// Those that a new path needs and the source did not have.
    private func addAncestors(
        of place: Path, to tree: inout DataTree, _ zxid: Zxid, _ time: Int64
    ) {
        guard let parent = place.parent, parent != .root else {
            // The old root has moved.
            if tree.nodeCount == 0 {
                tree.load(path: [], data: [], acl: ACL.openToAll, stat: StatPersisted())
            }
            return
        }
        addAncestors(of: parent, to: &tree, zxid, time)
        if tree.find(parent) != nil { return }
        var stat = StatPersisted(createdBy: zxid, at: time, owner: .none)
        stat.cversion = 1
        tree.load(path: parent.bytes, data: [], acl: ACL.openToAll, stat: stat)
    }
}

extension Path {
    /// Whether this is a path or one below it, by whole names.
    package func isAtOrBelow(_ top: Path) -> Bool {
        if top.bytes.count <= 1 { return true }
        guard bytes.starts(with: top.bytes) else { return false }
        return bytes.count == top.bytes.count || bytes[top.bytes.count] == UInt8(ascii: "/")
    }
}
