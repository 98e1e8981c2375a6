import AviaryWire
import Testing

@testable import AviaryCore

/// The tree against a dictionary of paths, over random operations.
struct DataTreeModelTests {
    private struct ModelNode: Equatable {
        var data: [UInt8]?
        var acl: [ACL]
        var stat = StatPersisted()
    }

    /// Applies what the tree is told, the slow way.
    private struct Model {
        var nodes: [String: ModelNode] = [:]

        mutating func apply(_ header: TxnHeader, _ txn: Txn) {
            switch txn {
            case .create(let create): add(header, create)
            case .delete(let path): remove(path.description, header.zxid)
            case .setData(let path, let data, let version):
                nodes[path.description]?.data = data
                nodes[path.description]?.stat.version = version
                nodes[path.description]?.stat.mzxid = header.zxid
                nodes[path.description]?.stat.mtime = header.time
            case .setACL(let path, let acl, let version):
                nodes[path.description]?.acl = acl
                nodes[path.description]?.stat.aversion = version
            case .closeSession:
                let owner = NodeOwner.session(header.session)
                for path in nodes.keys.filter({ nodes[$0]?.stat.owner == owner }) {
                    remove(path, header.zxid)
                }
            default: break
            }
        }

        private mutating func add(_ header: TxnHeader, _ create: CreateTxn) {
            let path = create.path.description
            let parent = Self.parent(of: path)
            guard nodes[parent] != nil else { return }
            guard nodes[path] == nil else {
                nodes[path]?.acl = create.acl
                return
            }
            nodes[parent]?.stat.cversion += 1
            nodes[parent]?.stat.pzxid = header.zxid
            var node = ModelNode(data: create.data, acl: create.acl)
            node.stat.czxid = header.zxid
            node.stat.mzxid = header.zxid
            node.stat.pzxid = header.zxid
            node.stat.ctime = header.time
            node.stat.mtime = header.time
            if create.isEphemeral { node.stat.owner = .session(header.session) }
            nodes[path] = node
        }

        private mutating func remove(_ path: String, _ zxid: Zxid) {
            guard nodes[path] != nil else { return }
            nodes[path] = nil
            nodes[Self.parent(of: path)]?.stat.pzxid = zxid
        }

        func children(of path: String) -> Set<String> {
            Set(nodes.keys.filter { $0 != path && Self.parent(of: $0) == path })
        }

        static func parent(of path: String) -> String {
            guard let slash = path.lastIndex(of: "/") else { return "" }
            return String(path[..<slash])
        }
    }

    private func randomTxn(_ model: Model, _ random: inout SeededRandom) -> (OpCode, Txn) {
        let paths = model.nodes.keys.sorted()
        let path = paths.randomElement(using: &random) ?? ""
        let data = random.below(5) == 0 ? nil : [UInt8](repeating: 7, count: random.below(300))
        let acl = random.below(3) == 0 ? ACL.readableByAll : ACL.openToAll
        switch random.below(10) {
        case 0..<5:
            let isEphemeral = random.below(4) == 0
            let create = CreateTxn(
                path: Path(Array("\(path)/n\(random.below(20))".utf8)), data: data, acl: acl,
                isEphemeral: isEphemeral, parentCVersion: nil)
            return (.create, .create(create))
        case 5, 6:
            let leaves = paths.filter { !$0.isEmpty && model.children(of: $0).isEmpty }
            guard let leaf = leaves.randomElement(using: &random), !leaf.hasPrefix("/zookeeper")
            else { return (.error, .error(-101)) }
            return (.delete, .delete(Path(Array(leaf.utf8))))
        case 7:
            let version = (model.nodes[path]?.stat.version ?? 0) + 1
            return (.setData, .setData(path: Path(Array(path.utf8)), data: data, version: version))
        case 8:
            let version = (model.nodes[path]?.stat.aversion ?? 0) + 1
            return (.setACL, .setACL(path: Path(Array(path.utf8)), acl: acl, version: version))
        default:
            let hasChildren = model.nodes.contains {
                $0.value.stat.owner == .session(SessionID(5)) && !model.children(of: $0.key).isEmpty
            }
            return hasChildren
                ? (.error, .error(-111)) : (.closeSession, .closeSession(ephemerals: nil))
        }
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func `the tree does what a dictionary does, and a snapshot does not change`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var tree = DataTree(hashSeed: seed, extendedTypes: false)
        var model = Model()
        tree.snapshot.forEachNode { path, node in
            model.nodes[String(decoding: path, as: UTF8.self)] = ModelNode(
                data: node.data, acl: tree.acls[node.acl], stat: node.stat)
        }
        var frozen: (snapshot: TreeSnapshot, model: Model)?
        for number in 1...600 {
            let (type, txn) = randomTxn(model, &random)
            let header = TxnHeader(
                session: SessionID(5), cxid: 0, zxid: Zxid(Int64(number)), time: Int64(number),
                type: type)
            tree.apply(header, txn)
            model.apply(header, txn)
            if number == 300 { frozen = (tree.snapshot, model) }
        }
        #expect(tree.lastProcessedZxid == Zxid(600))
        check(tree.snapshot, against: model)
        if let frozen { check(frozen.snapshot, against: frozen.model) }
        #expect(tree.digest == tree.recomputedDigest)
        for (path, node) in model.nodes {
            let id = tree.find(Path(Array(path.utf8)))
            #expect(id != nil)
            guard let id else { continue }
            let children = model.children(of: path)
            #expect(tree.stat(of: id).numChildren == Int32(children.count))
            #expect(
                tree.stat(of: id).cversion == node.stat.cversion * 2 - Int32(children.count))
        }
        let ephemerals = model.nodes.filter { $0.value.stat.owner.rawValue == 5 }.keys.sorted()
        #expect(tree.ephemeralPaths(of: SessionID(5)).map(\.description) == ephemerals)
    }

    private func check(_ snapshot: TreeSnapshot, against model: Model) {
        var seen: [String: ModelNode] = [:]
        snapshot.forEachNode { path, node in
            seen[String(decoding: path, as: UTF8.self)] = ModelNode(
                data: node.data, acl: snapshot.acls[node.acl], stat: node.stat)
        }
        let differing = Set(seen.keys).union(model.nodes.keys)
            .filter { seen[$0] != model.nodes[$0] }.sorted()
        #expect(differing == [])
    }
}

struct DataTreeTests {
    /// The values are what Apache 3.9.5 computes.
    @Test func `a fresh tree has the digest that Apache gives it`() {
        let tree = DataTree(hashSeed: 3, extendedTypes: false)
        #expect(tree.digest == 0x51c6_d660)
        #expect(tree.find("/zookeeper").map { tree.digestValue(of: $0) } == 0x4db4_4d58)
        #expect(tree.digestValue(of: .root) == 0x0412_8908)
    }

    @Test func `H.54: paths that differ in bytes are different nodes`() {
        var tree = DataTree(hashSeed: 3, extendedTypes: false)
        let stat = StatPersisted()
        tree.load(path: Array("/caf\u{e9}".utf8), data: nil, acl: ACL.openToAll, stat: stat)
        #expect(tree.find("/caf\u{e9}") != nil)
        #expect(tree.find("/cafe\u{301}") == nil)
        #expect(tree.find("caf\u{e9}") == nil)
        #expect(tree.find("//caf\u{e9}") == nil)
    }

    @Test func `a transaction that is in the tree already changes nothing that counts`() {
        var tree = DataTree(hashSeed: 3, extendedTypes: false)
        let create = Txn.create(
            CreateTxn(
                path: "/a", data: [1], acl: ACL.openToAll, isEphemeral: false, parentCVersion: 1))
        let header = TxnHeader(
            session: SessionID(1), cxid: 1, zxid: Zxid(1), time: 1, type: .create)
        tree.apply(header, create)
        let digest = tree.digest
        #expect(tree.apply(header, create) == .one(.failed(-110)))
        #expect(tree.digest == digest)
        #expect(tree.nodeCount == 5)
    }
}

extension DataTree {
    /// By walking the whole tree, for checking the one that is kept.
    var recomputedDigest: UInt64 {
        var sum = digestValue(of: .root)
        forEachDescendant(of: .root) { sum &+= digestValue(of: $0) }
        return sum
    }
}
