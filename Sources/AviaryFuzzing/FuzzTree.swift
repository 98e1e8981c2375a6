import AviaryCore
import AviaryStorage
import AviaryWire

/// The small tree that each input finds: some of every kind of node.
enum FuzzTree {
    static let now = Now(monotonicMilliseconds: 1_000_000, wallMilliseconds: 1_700_000_000_000)
    /// A session of before the start, with a node of its own.
    private static let earlierSession = SessionID(0x0100_0000_0000_0001)

    static func make() -> DataTree {
        var tree = DataTree(hashSeed: 42, extendedTypes: true)
        var zxid = Zxid(0)
        apply(.createSession, .createSession(timeoutMilliseconds: 8000), &zxid, to: &tree)
        for (path, data) in plainNodes { create(path, data, &zxid, in: &tree) }
        create("/fx/acl", "a", acl: [ACL(.all, "digest", "U1:U1:P1")], &zxid, in: &tree)
        create("/fx/ro", "r", acl: [ACL(.read, "world", "anyone")], &zxid, in: &tree)
        create("/fx/sasl", "s", acl: [ACL(.all, "sasl", "bob")], &zxid, in: &tree)
        create("/fx/e", "", isEphemeral: true, &zxid, in: &tree)
        create("/fx/c", nil, type: .createContainer, &zxid, in: &tree)
        create("/fx/t", nil, type: .createTTL, &zxid, in: &tree)
        return tree
    }

    private static let plainNodes: [(path: Path, data: String?)] = [
        ("/fx", "x"), ("/fx/a", "1"), ("/fx/a/b", nil), ("/fx/a/b/c", "3"),
        ("/fx/big", String(repeating: "big ", count: 512)), ("/q", "q"),
        ("/zookeeper/quota/q", nil),
        ("/zookeeper/quota/q/zookeeper_limits", "count=4,bytes=40,countHardLimit=6"),
        ("/zookeeper/quota/q/zookeeper_stats", "count=0,bytes=0"), ("/q/a", "1"),
    ]

    private static func create(
        _ path: Path, _ data: String?, acl: [ACL] = ACL.openToAll, isEphemeral: Bool = false,
        type: OpCode = .create, _ zxid: inout Zxid, in tree: inout DataTree
    ) {
        let ttl: Int64 = type == .createTTL ? 5000 : 0
        let txn = CreateTxn(
            path: path, data: data.map { Array($0.utf8) }, acl: acl, isEphemeral: isEphemeral,
            parentCVersion: nil, ttlMilliseconds: ttl)
        apply(type, .create(txn), &zxid, to: &tree)
    }

    private static func apply(
        _ type: OpCode, _ txn: Txn, _ zxid: inout Zxid, to tree: inout DataTree
    ) {
        zxid = zxid.next
        let header = TxnHeader(
            session: earlierSession, cxid: 0, zxid: zxid, time: now.wallMilliseconds, type: type)
        tree.apply(header, txn)
    }

    /// A snapshot that was written is read as the same tree.
    static func checkRoundTrip(of snapshot: TreeSnapshot) {
        do throws(StorageError) {
            let disk = FuzzDisk()
            var store = SnapshotStore(files: FuzzFiles(disk: disk), logFiles: FuzzFiles(disk: disk))
            try store.write(snapshot)
            let recovered = try FuzzDisk.recover(disk)
            recovered.tree.checkInvariants()
            must(
                recovered.tree.snapshot.isSame(as: snapshot, isRecounted: true),
                "a snapshot is read as it was written")
            must(!recovered.hasDoubts, "a snapshot's digest is that of its tree")
        } catch {
            fatalError("a snapshot that was written can be read: \(error)")
        }
    }
}

extension TreeSnapshot {
    /// Whether both hold the same nodes and sessions, of the same transaction.
    ///
    /// - Parameter isRecounted: whether one was loaded, when what each quota counts is counted anew.
    func isSame(as other: TreeSnapshot, isRecounted: Bool = false) -> Bool {
        zxid == other.zxid && digest == other.digest && sessions == other.sessions
            && contents(isRecounted) == other.contents(isRecounted)
    }

    private struct Content: Hashable {
        var data: [UInt8]?
        let acl: [ACL]
        let stat: StatPersisted
        var clientStat: Stat
    }

    private func contents(_ isRecounted: Bool) -> [Path: Content] {
        var contents: [Path: Content] = [:]
        forEachNode { path, node in
            var content = Content(
                data: node.data, acl: acls[node.acl], stat: node.stat, clientStat: node.clientStat)
            if isRecounted && path.starts(with: ReservedPath.quota.bytes) {
                content.data = nil
                content.clientStat.dataLength = 0
            }
            contents[Path(path)] = content
        }
        return contents
    }
}
