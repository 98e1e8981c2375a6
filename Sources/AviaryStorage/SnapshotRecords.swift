import AviaryCore
import AviaryWire

/// What a snapshot is made of, in a file as in the stream to a learner.
///
/// Source: SerializeUtils.deserializeSnapshot and DataTree.deserialize, ZooKeeper 3.9.5.
enum SnapshotRecord {
    case session(SessionID, timeoutMilliseconds: Int32)
    case list(key: Int64, [ACL])
    case node(SnapshotNode)

    static func session(from reader: inout JuteReader) throws(WireError) -> SnapshotRecord {
        let id = SessionID(try reader.readLong())
        return .session(id, timeoutMilliseconds: try reader.readInt())
    }

    static func list(from reader: inout JuteReader) throws(WireError) -> SnapshotRecord {
        let key = try reader.readLong()
        return .list(key: key, try ACL.readList(from: &reader) ?? [])
    }

    /// Nil at the end of the nodes.
    static func node(from reader: inout JuteReader) throws(WireError) -> SnapshotRecord? {
        try SnapshotNode(from: &reader).map { .node($0) }
    }
}

/// A node as it stands in a snapshot.
struct SnapshotNode {
    let path: [UInt8]
    let data: [UInt8]?
    let aclKey: Int64
    let stat: StatPersisted

    /// Nil for the path `/`, which ends the nodes.
    init?(from reader: inout JuteReader) throws(WireError) {
        guard let path = try reader.readBuffer() else { throw .unexpectedNull }
        if path == Path.root.bytes { return nil }
        self.path = path
        data = try reader.readBuffer()
        aclKey = try reader.readLong()
        stat = try StatPersisted(from: &reader)
    }

    /// The last transaction that the stat shows.
    var newestZxid: Zxid { max(stat.czxid, max(stat.mzxid, stat.pzxid)) }
}

/// Puts the records of a snapshot into a tree, and sees to what the tree insists on.
struct SnapshotLoader: Sendable {
    /// Without the one that is in no table.
    private var lists: [Int64: [ACL]] = [:]
    /// Nodes that name an access control list which the snapshot does not hold.
    private(set) var nodesWithoutList = 0
    private(set) var hasRoot = false

    private static let openToAllKey: Int64 = -1
    /// For a node whose list is missing. In a fuzzy snapshot the log that follows sets it; should it
    /// not, only a super user gets at the node.
    private static let closedToAll = [ACL([], "world", "anyone")]

    /// - Returns: what is wrong with the record; nil if nothing is. The tree is of no use otherwise.
    mutating func load(_ record: SnapshotRecord, into tree: inout DataTree) -> String? {
        switch record {
        case .session(let id, let timeout):
            tree.load(session: id, timeoutMilliseconds: timeout)
            return nil
        case .list(let key, let list):
            lists[key] = list
            return nil
        case .node(let node): return load(node, into: &tree)
        }
    }

    private mutating func load(_ node: SnapshotNode, into tree: inout DataTree) -> String? {
        // The root first, and only once: the tree insists on it.
        guard node.path.isEmpty != hasRoot else { return "has a misplaced root" }
        hasRoot = true
        let isLoaded = tree.load(
            path: node.path, data: node.data, acl: list(node.aclKey), stat: node.stat)
        return isLoaded ? nil : "has a node before its parent"
    }

    private mutating func list(_ key: Int64) -> [ACL] {
        if key == Self.openToAllKey { return ACL.openToAll }
        if let list = lists[key] { return list }
        nodesWithoutList += 1
        return Self.closedToAll
    }
}
