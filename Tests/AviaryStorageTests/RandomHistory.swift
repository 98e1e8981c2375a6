import AviaryWire
import NIOCore

@testable import AviaryCore
@testable import AviaryStorage

/// Transactions as a leader would have made them, and the tree after them.
struct RandomHistory: ~Copyable {
    private(set) var tree: DataTree
    private(set) var entries: [LogEntry] = []
    private var random: SeededRandom
    /// Leaves out the larger ones, for tests that look at every byte.
    private let isSmall: Bool
    private var nextEpoch: Int64?

    init(seed: UInt64, count: Int = 0, isSmall: Bool = false) {
        random = SeededRandom(seed: seed)
        tree = DataTree(hashSeed: 42, extendedTypes: true)
        self.isSmall = isSmall
        extend(by: count)
    }

    /// Goes on from other entries, in its own way.
    init(seed: UInt64, after entries: [LogEntry]) {
        self.init(seed: seed)
        tree = Self.tree(after: entries)
        self.entries = entries
    }

    /// The next transaction is the first of an epoch.
    mutating func begin(epoch: Int64) { nextEpoch = epoch }

    private mutating func nextZxid() -> Zxid {
        guard let epoch = nextEpoch else { return tree.lastProcessedZxid.next }
        nextEpoch = nil
        return Zxid(epoch << 32 | 1)
    }

    /// The tree after the first so many entries.
    static func tree(after entries: some Sequence<LogEntry>) -> DataTree {
        var tree = DataTree(hashSeed: 42, extendedTypes: true)
        for entry in entries { tree.apply(entry.header, entry.txn) }
        return tree
    }

    mutating func extend(by count: Int) {
        for _ in 0..<count {
            let session = SessionID(Int64(1 + random.below(3)))
            let (type, txn) = nextTxn(session)
            let zxid = nextZxid()
            let header = TxnHeader(
                session: session, cxid: Int32(entries.count), zxid: zxid,
                time: 1_700_000_000_000 + Int64(entries.count), type: type)
            tree.apply(header, txn)
            let digest = type == .error ? nil : TxnDigest(treeDigest: tree.digest)
            entries.append(LogEntry(header: header, txn: txn, digest: digest))
        }
    }

    /// Forgets what comes after the first so many entries.
    mutating func rewind(to count: Int) {
        entries.removeSubrange(count...)
        tree = Self.tree(after: entries)
    }

    private mutating func nextTxn(_ session: SessionID) -> (OpCode, Txn) {
        guard tree.sessions[session] != nil else {
            return (.createSession, .createSession(timeoutMilliseconds: 30000))
        }
        switch random.below(20) {
        case 0..<8: return nextCreate()
        case 8..<12: return nextDelete()
        case 12..<15:
            let path = anyPath()
            let version = (tree.find(path).map { tree.stat(of: $0).version } ?? 0) + 1
            return (.setData, .setData(path: path, data: nextData(), version: version))
        case 15, 16:
            let path = anyPath()
            let version = (tree.find(path).map { tree.stat(of: $0).aversion } ?? 0) + 1
            return (.setACL, .setACL(path: path, acl: nextACL(), version: version))
        case 17: return nextMulti()
        case 18: return (.error, .error(-101))
        default:
            return (.closeSession, .closeSession(ephemerals: tree.ephemeralPaths(of: session)))
        }
    }

    private mutating func nextCreate() -> (OpCode, Txn) {
        let parent = anyPath(thatMayHaveChildren: true)
        let path = parent.child("n\(random.below(6))".utf8)
        guard tree.find(path) == nil, let id = tree.find(parent) else {
            return (.error, .error(-110))
        }
        let type: OpCode = [.create, .create2, .createContainer, .createTTL][random.below(4)]
        let create = CreateTxn(
            path: path, data: nextData(), acl: nextACL(),
            isEphemeral: (type == .create || type == .create2) && random.below(3) == 0,
            parentCVersion: tree.persistedStat(of: id).cversion + 1,
            ttlMilliseconds: type == .createTTL ? 5000 : 0)
        return (type, .create(create))
    }

    private mutating func nextDelete() -> (OpCode, Txn) {
        let path = anyPath()
        guard path != .root, !path.bytes.starts(with: ReservedPath.zookeeper.bytes),
            let id = tree.find(path), tree.stat(of: id).numChildren == 0
        else { return (.error, .error(-111)) }
        return (random.below(2) == 0 ? .delete : .deleteContainer, .delete(path))
    }

    private mutating func nextMulti() -> (OpCode, Txn) {
        if random.below(3) == 0 {
            let parts = [-101, -2].map { Txn.Part(type: .error, txn: .error($0)) }
            return (.multi, .multi(parts))
        }
        let path = anyPath()
        let version = (tree.find(path).map { tree.stat(of: $0).version } ?? 0) + 1
        var parts = [
            Txn.Part(type: .check, txn: .check(path: path, version: version)),
            Txn.Part(
                type: .setData, txn: .setData(path: path, data: nextData(), version: version)),
        ]
        let (type, txn) = nextCreate()
        if type != .error { parts.append(Txn.Part(type: type, txn: txn)) }
        return (.multi, .multi(parts))
    }

    private mutating func anyPath(thatMayHaveChildren: Bool = false) -> Path {
        var paths: [Path] = []
        tree.snapshot.forEachNode { bytes, node in
            let isEphemeral = node.stat.owner.session(extendedTypes: true) != nil
            if thatMayHaveChildren && (isEphemeral || bytes.count > 20) { return }
            if !bytes.starts(with: ReservedPath.zookeeper.bytes) {
                paths.append(bytes.isEmpty ? .root : Path(bytes))
            }
        }
        paths.sort()
        return paths[random.below(paths.count)]
    }

    private mutating func nextData() -> [UInt8]? {
        switch random.below(isSmall ? 3 : 12) {
        case 0: nil
        case 1: []
        case 11: [UInt8](repeating: UInt8(random.below(256)), count: random.below(20000))
        default: (0..<random.below(10)).map { _ in UInt8(random.below(256)) }
        }
    }

    private mutating func nextACL() -> [ACL] {
        switch random.below(4) {
        case 0: [ACL(.read, "world", "anyone")]
        case 1:
            [
                ACL([.read, .write], "digest", ByteString("u\(random.below(3)):hash")),
                ACL(.all, "ip", "::1"),
            ]
        default: ACL.openToAll
        }
    }
}

extension LogEntry {
    var payload: [UInt8] {
        var buffer = ByteBuffer()
        write(to: &buffer)
        return Array(buffer.readableBytesView)
    }
}

extension TransactionLog where Files: ~Copyable {
    mutating func append(_ entries: some Sequence<LogEntry>) {
        for entry in entries {
            let payload = entry.payload
            append(zxid: entry.header.zxid, payload: payload.raw)
        }
    }
}

/// All that must be the same after a recovery.
func same(_ left: TreeSnapshot, _ right: TreeSnapshot) -> Bool {
    left.zxid == right.zxid && left.digest == right.digest && left.sessions == right.sessions
        && left.persisted == right.persisted && left.views == right.views
}
