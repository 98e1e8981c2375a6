import AviaryWire
import NIOCore

/// What the committed transactions have made of each node, at every zxid. It knows nothing of
/// `DataTree`.
struct TreeModel {
    /// A node from one transaction on.
    struct Version {
        let zxid: Zxid
        /// Nil: there is no node.
        var node: Node?
    }

    struct Node: Hashable {
        var data: [UInt8]?
        var owner = SessionID.none
        var created: Zxid
        var version: Int32 = 0
    }

    /// A name that comes or goes among a node's children.
    private struct ChildChange {
        let zxid: Zxid
        let name: [UInt8]
        let isThere: Bool
    }

    private var versions: [Path: [Version]] = [:]
    private var children: [Path: [ChildChange]] = [:]
    private var owned: [SessionID: [Path]] = [:]
    /// The last cxid of each session that lives.
    private var sessions: [SessionID: Int32] = [:]
    private var sequential: Set<Path> = []
    /// Whether there are sessions of which no transaction tells.
    private let knowsLocalSessions: Bool
    /// The last cxid of those that have written.
    private var locals: [SessionID: Int32] = [:]
    /// Local sessions that came to be known to all.
    private(set) var upgraded = 0
    /// All sessions there ever were, but for local ones.
    private var made: Set<SessionID> = []
    /// How many nodes there are, with the root and those below /zookeeper.
    private(set) var count = 0

    init(knowsLocalSessions: Bool) {
        self.knowsLocalSessions = knowsLocalSessions
    }

    func isLive(_ session: SessionID) -> Bool { sessions[session] != nil }

    func ephemerals(of session: SessionID) -> [Path] { owned[session] ?? [] }

    func wasMade(_ session: SessionID) -> Bool { made.contains(session) }

    // MARK: Reading

    /// The node as it was after a transaction.
    func node(_ path: Path, at zxid: Zxid) -> Node? {
        versions[path]?.last { $0.zxid <= zxid }?.node
    }

    func children(of path: Path, at zxid: Zxid) -> [[UInt8]] {
        var names: [[UInt8]] = []
        for change in children[path] ?? [] where change.zxid <= zxid {
            if change.isThere {
                names.append(change.name)
            } else {
                names.removeAll { $0 == change.name }
            }
        }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// The first change of a node after a zxid.
    func firstChange(of path: Path, after zxid: Zxid) -> Zxid? {
        versions[path]?.first { $0.zxid > zxid }?.zxid
    }

    func firstChildChange(of path: Path, after zxid: Zxid) -> Zxid? {
        children[path]?.first { $0.zxid > zxid }?.zxid
    }

    // MARK: Applying

    typealias Objection = (Violation.Invariant, String)

    /// - Returns: what must not have been committed, and why.
    mutating func apply(_ entry: LogEntry) -> Objection? {
        let header = entry.header
        if case .error = entry.txn { return nil }
        if case .createSession = entry.txn {
            if sessions[header.session] != nil {
                return (.writtenOnce, "session \(header.session) is made twice")
            }
            if !made.insert(header.session).inserted {
                return (.writtenOnce, "session \(header.session) is made again after its end")
            }
            if knowsLocalSessions { upgraded += 1 }
            sessions[header.session] = locals.removeValue(forKey: header.session) ?? 0
            return nil
        }
        let isLocal = knowsLocalSessions && !made.contains(header.session)
        guard let last = sessions[header.session] ?? (isLocal ? locals[header.session] ?? 0 : nil)
        else {
            return (
                .ephemeralsLiveWithSession,
                "\(header.zxid) is of session \(header.session), which is not open"
            )
        }
        if case .closeSession = entry.txn {
            close(header.session, header.zxid)
            return nil
        }
        if header.cxid <= last {
            return (
                .writtenOnce,
                "\(header.zxid) is request \(header.cxid) of session \(header.session), of which"
                    + " \(last) is committed already"
            )
        }
        if isLocal {
            locals[header.session] = header.cxid
        } else {
            sessions[header.session] = header.cxid
        }
        return apply(entry.txn, header)
    }

    private mutating func apply(_ txn: Txn, _ header: TxnHeader) -> Objection? {
        switch txn {
        case .create(let create): return self.create(create, header)
        case .delete(let path):
            guard node(path, at: header.zxid) != nil else { return absent(path, header) }
            remove(path, header.zxid)
        case .setData(let path, let data, let version):
            guard var node = node(path, at: header.zxid) else { return absent(path, header) }
            node.data = data
            node.version = version
            versions[path, default: []].append(Version(zxid: header.zxid, node: node))
        case .multi(let parts):
            // One that failed changes nothing, but has kept its place.
            if parts.contains(where: { $0.type == .error }) { return nil }
            for part in parts {
                if let objection = apply(part.txn, header) { return objection }
            }
        case .setACL, .check, .error, .createSession, .closeSession: break
        }
        return nil
    }

    private func absent(_ path: Path, _ header: TxnHeader) -> Objection {
        (.treeIsHistory, "\(header.zxid) changes \(path), which is not there")
    }

    private mutating func create(_ create: CreateTxn, _ header: TxnHeader) -> Objection? {
        let path = create.path
        if node(path, at: header.zxid) != nil {
            return (.treeIsHistory, "\(header.zxid) creates \(path), which is there")
        }
        if path.bytes.starts(with: Self.sequencePrefix) {
            guard sequential.insert(path).inserted else {
                return (.sequenceNumbersAreNew, "\(header.zxid) creates \(path) once more")
            }
        }
        if create.isEphemeral && sessions[header.session] == nil {
            return (
                .ephemeralsLiveWithSession,
                "\(header.zxid) creates \(path) for session \(header.session), which is not open"
            )
        }
        let owner = create.isEphemeral ? header.session : .none
        let node = Node(data: create.data, owner: owner, created: header.zxid)
        versions[path, default: []].append(Version(zxid: header.zxid, node: node))
        if create.isEphemeral { owned[header.session, default: []].append(path) }
        noteChild(path, header.zxid, isThere: true)
        count += 1
        return nil
    }

    /// Nothing below it is ever made with a name of a client's own.
    static let sequenceParent: Path = "/q"
    private static let sequencePrefix = Array("/q/".utf8)

    private mutating func close(_ session: SessionID, _ zxid: Zxid) {
        for path in owned[session] ?? [] { remove(path, zxid) }
        owned[session] = nil
        sessions[session] = nil
    }

    private mutating func remove(_ path: Path, _ zxid: Zxid) {
        if let node = node(path, at: zxid), node.owner != .none {
            owned[node.owner]?.removeAll { $0 == path }
        }
        versions[path, default: []].append(Version(zxid: zxid, node: nil))
        noteChild(path, zxid, isThere: false)
        count -= 1
    }

    private mutating func noteChild(_ path: Path, _ zxid: Zxid, isThere: Bool) {
        guard let parent = path.parent else { return }
        children[parent, default: []].append(
            ChildChange(zxid: zxid, name: Array(path.name), isThere: isThere))
    }
}
