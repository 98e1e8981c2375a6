package import AviaryCore
package import AviaryWire

/// A node that two trees do not have alike.
package enum TreeDifference: Hashable, Sendable {
    package enum Field: String, Hashable, Sendable, CaseIterable {
        case data
        case acl
        case czxid
        case mzxid
        case pzxid
        case ctime
        case mtime
        case version
        case cversion
        case aversion
        case owner
    }

    case onlyInFirst(Path)
    case onlyInSecond(Path)
    /// Nodes at one path; the fields that differ, as they are kept.
    case changed(Path, [Field])

    /// Walks two trees side by side.
    ///
    /// - Parameters:
    ///   - top: only what is at or below it.
    ///   - body: called for each difference, in the order of a sorted walk.
    package static func forEach<Failure: Error>(
        between first: TreeSnapshot, and second: TreeSnapshot, below top: Path = .root,
        _ body: (TreeDifference) throws(Failure) -> Void
    ) throws(Failure) {
        var left = Side(first, top)
        var right = Side(second, top)
        while let path = earlier(left.path, right.path) {
            switch (left.path == path ? left.node : nil, right.path == path ? right.node : nil) {
            case (let one?, let other?):
                let fields = fields(one, left.acls, other, right.acls)
                if !fields.isEmpty { try body(.changed(path, fields)) }
                left.advance()
                right.advance()
            case (_?, nil):
                try body(.onlyInFirst(path))
                left.advance()
            case (nil, _):
                try body(.onlyInSecond(path))
                right.advance()
            }
        }
    }

    private static func earlier(_ left: Path?, _ right: Path?) -> Path? {
        guard let left, let right else { return left ?? right }
        return right.precedesInWalk(left) ? right : left
    }

    private static func fields(
        _ one: TreeSnapshot.Node, _ acls: ACLTable, _ other: TreeSnapshot.Node,
        _ otherACLs: ACLTable
    ) -> [Field] {
        if one.stat == other.stat && one.data == other.data
            && acls[one.acl] == otherACLs[other.acl]
        {
            return []
        }
        return Field.allCases.filter { field in
            switch field {
            case .data: one.data != other.data
            case .acl: acls[one.acl] != otherACLs[other.acl]
            case .czxid: one.stat.czxid != other.stat.czxid
            case .mzxid: one.stat.mzxid != other.stat.mzxid
            case .pzxid: one.stat.pzxid != other.stat.pzxid
            case .ctime: one.stat.ctime != other.stat.ctime
            case .mtime: one.stat.mtime != other.stat.mtime
            case .version: one.stat.version != other.stat.version
            case .cversion: one.stat.cversion != other.stat.cversion
            case .aversion: one.stat.aversion != other.stat.aversion
            case .owner: one.stat.owner != other.stat.owner
            }
        }
    }

    /// One of the trees, at a node of its walk.
    private struct Side {
        private var walk: TreeSnapshot.SortedWalk
        private let top: Path
        let acls: ACLTable
        private(set) var node: TreeSnapshot.Node?
        /// Nil at the end.
        private(set) var path: Path?

        init(_ snapshot: TreeSnapshot, _ top: Path) {
            walk = snapshot.sorted
            acls = snapshot.acls
            self.top = top
            advance()
        }

        mutating func advance() {
            repeat {
                node = walk.next()
                path = node == nil ? nil : walk.path.isEmpty ? .root : Path(walk.path)
            } while path.map { !$0.isAtOrBelow(top) } ?? false
        }
    }
}
