import AviaryCore
import AviaryStorage
import AviaryWire

/// Prints trees, what is large in them, and how two of them differ.
struct TreePrinter {
    let output: Output
    let isJSON: Bool
    let withData: Bool
    /// Only what is at or below it.
    let top: Path

    /// - Returns: false if there is nothing at the top.
    func print(_ snapshot: TreeSnapshot) -> Bool {
        var summary = TreeSummary()
        var walk = snapshot.sorted
        while let node = walk.next() {
            let path = walk.path.isEmpty ? Path.root : Path(walk.path)
            if !path.isAtOrBelow(top) { continue }
            summary.add(node)
            if isJSON {
                output.json { write(path, node, snapshot.acls[node.acl], to: &$0) }
            } else {
                output.line(line(path, node))
            }
        }
        if summary.nodes == 0 {
            writeToStandardError("aviary: there is no \(top.shown) in the tree\n")
            return false
        }
        if !isJSON {
            output.line("")
            output.line(
                "\(Self.words(summary)), \(Words.count(snapshot.sessions.count, "session"))")
            output.line("zxid \(snapshot.zxid), digest 0x\(String(snapshot.digest, radix: 16))")
        }
        return true
    }

    static func words(_ summary: TreeSummary) -> String {
        let kinds = [
            (summary.ephemerals, "ephemeral"), (summary.containers, "container"),
            (summary.expiring, "with a time to live"),
        ].filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
        let nodes = Words.count(summary.nodes, "node") + (kinds.isEmpty ? "" : " (\(kinds))")
        return "\(nodes), \(Words.count(summary.dataBytes, "byte")) of data"
    }

    // MARK: Nodes

    private func line(_ path: Path, _ node: TreeSnapshot.Node) -> String {
        let depth = Self.depth(path) - Self.depth(top)
        let name = path == top ? path.shown : Path(Array(path.name)).shown
        var words = [
            String(repeating: "  ", count: depth) + output.bold(name),
            Words.dataLength(node.data),
        ]
        if withData, let data = node.data, !data.isEmpty { words.append(Words.data(data)) }
        words.append("version \(node.stat.version)")
        if node.clientStat.numChildren > 0 {
            words.append(
                node.clientStat.numChildren == 1
                    ? "1 child" : "\(node.clientStat.numChildren) children")
        }
        switch Kind(node.stat.owner) {
        case .persistent: break
        case .container: words.append("container")
        case .expiring(let milliseconds): words.append("ttl \(milliseconds) ms")
        case .ephemeral(let session): words.append("ephemeral of \(session)")
        }
        return words.joined(separator: "  ")
    }

    private static func depth(_ path: Path) -> Int {
        path == .root ? 0 : path.bytes.count { $0 == UInt8(ascii: "/") }
    }

    private enum Kind {
        case persistent
        case container
        case expiring(milliseconds: Int64)
        case ephemeral(SessionID)

        init(_ owner: NodeOwner) {
            if let milliseconds = owner.ttlMilliseconds {
                self = .expiring(milliseconds: milliseconds)
            } else if let session = owner.session(extendedTypes: true) {
                self = .ephemeral(session)
            } else {
                self = owner.isContainer ? .container : .persistent
            }
        }

        var word: String {
            switch self {
            case .persistent: "persistent"
            case .container: "container"
            case .expiring: "ttl"
            case .ephemeral: "ephemeral"
            }
        }
    }

    private func write(
        _ path: Path, _ node: TreeSnapshot.Node, _ acl: [ACL], to json: inout JSONWriter
    ) {
        let stat = node.clientStat
        let kind = Kind(node.stat.owner)
        json.beginObject()
        json.add("path", path)
        json.add(data: node.data, withBytes: withData)
        json.add("czxid", stat.czxid)
        json.add("mzxid", stat.mzxid)
        json.add("pzxid", stat.pzxid)
        json.add("ctime", stat.ctime)
        json.add("mtime", stat.mtime)
        json.add("version", stat.version)
        json.add("cversion", stat.cversion)
        json.add("aversion", stat.aversion)
        json.add("ephemeralOwner", SessionID(stat.ephemeralOwner))
        json.add("numChildren", stat.numChildren)
        json.add("kind", kind.word)
        if case .expiring(let milliseconds) = kind { json.add("ttlMilliseconds", milliseconds) }
        json.add("acl", acl)
        json.endObject()
    }

    // MARK: The largest

    func printLargest(_ count: Int, of snapshot: TreeSnapshot) {
        let largest = LargestNodes(count, of: snapshot, below: top)
        if isJSON {
            for item in largest.byData { write(item, "node") }
            for item in largest.subtrees { write(item, "subtree") }
            return
        }
        output.line(output.bold("the largest nodes, by bytes of data"))
        for item in largest.byData { output.line("  \(item.dataBytes)  \(item.path.shown)") }
        output.line(output.bold("the largest subtrees, by bytes of data and by nodes"))
        for item in largest.subtrees {
            output.line("  \(item.dataBytes)  \(item.nodes)  \(item.path.shown)")
        }
    }

    private func write(_ item: LargestNodes.Item, _ kind: String) {
        output.json { json in
            json.beginObject()
            json.add("largest", kind)
            json.add("path", item.path)
            json.add("dataBytes", item.dataBytes)
            json.add("nodes", item.nodes)
            json.endObject()
        }
    }

    // MARK: Differences

    /// - Returns: whether there are none.
    func printDifferences(_ first: TreeSnapshot, _ second: TreeSnapshot) -> Bool {
        var count = 0
        TreeDifference.forEach(between: first, and: second, below: top) { difference in
            count += 1
            if isJSON {
                output.json { write(difference, to: &$0) }
                return
            }
            switch difference {
            case .onlyInFirst(let path): output.line(output.bad("- \(path.shown)"))
            case .onlyInSecond(let path): output.line(output.good("+ \(path.shown)"))
            case .changed(let path, let fields):
                let names = fields.map(\.rawValue).joined(separator: ", ")
                output.line("~ \(path.shown)  \(output.dim(names))")
            }
        }
        if !isJSON {
            output.line(
                count == 0
                    ? "no difference between \(first.zxid) and \(second.zxid)"
                    : "\(Words.count(count, "difference")) between \(first.zxid) and \(second.zxid)"
            )
        }
        return count == 0
    }

    private func write(_ difference: TreeDifference, to json: inout JSONWriter) {
        json.beginObject()
        switch difference {
        case .onlyInFirst(let path):
            json.add("path", path)
            json.add("difference", "onlyInFirst")
        case .onlyInSecond(let path):
            json.add("path", path)
            json.add("difference", "onlyInSecond")
        case .changed(let path, let fields):
            json.add("path", path)
            json.add("difference", "changed")
            json.add("fields", fields.map(\.rawValue))
        }
        json.endObject()
    }
}
