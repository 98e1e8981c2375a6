import AviaryClient
import AviaryServer

/// A node in an export: a line of JSON.
///
/// `{"path":"/b","kind":"persistent","data":"bmV3","acl":[["cdrwa","world","anyone"]]}`: the path is
/// below the node that was exported, which is "/" itself; data is base64, or null.
struct ExportedNode {
    let path: String
    let kind: Kind
    let data: [UInt8]?
    let acl: [ACL]
    let ttl: Int64?

    enum Kind: String {
        case persistent
        case container
        case ttl
    }

    private var mode: CreateMode {
        switch kind {
        case .persistent: .persistent
        case .container: .container
        case .ttl: .persistentWithTTL
        }
    }

    func creation(at target: Path) -> Request<CreatedNode> {
        .create(target, data, acl: acl, mode: mode, ttl: ttl.map { .milliseconds($0) })
    }

    func target(below top: Path) -> String {
        if path == "/" { return top.description }
        return top == .root ? path : top.description + path
    }

    // MARK: From the tree

    /// A node and all below it but ephemeral ones, parents first.
    @ShellActor
    static func read(_ shell: Shell, _ top: Path) async throws(ShellError) -> [ExportedNode] {
        let paths = try await TreeWalk.paths(shell, top).filter {
            // The servers' own; they cannot be made again.
            top != .root || !$0.isWithin("/zookeeper")
        }
        var acls: [Path: [ACL]] = [:]
        var walk = Pipelined(paths) { [client = shell.client] in client.submit(.getACL($0)) }
        while let (path, acl) = try await walk.next() { acls[path] = acl.acl }
        var nodes: [ExportedNode] = []
        var data = Pipelined(paths) { [client = shell.client] in client.submit(.getData($0)) }
        while let (path, node) = try await data.next() {
            guard let acl = acls[path], !node.stat.isEphemeral else { continue }
            nodes.append(ExportedNode(path, below: top, node, acl))
        }
        return nodes
    }

    private init(_ path: Path, below top: Path, _ node: NodeData, _ acl: [ACL]) {
        let text = path.description
        self.path =
            path == top ? "/" : top == .root ? text : String(text.dropFirst(top.description.count))
        self.acl = acl
        data = node.isNull ? nil : node.data
        let owner = UInt64(bitPattern: node.stat.ephemeralOwner)
        switch owner {
        case 1 << 63:
            kind = .container
            ttl = nil
        case let owner where owner >> 56 == 0xff:
            kind = .ttl
            ttl = Int64(owner & 0xff_ffff_ffff)
        default:
            kind = .persistent
            ttl = nil
        }
    }

    // MARK: As JSON

    var json: [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.add("path", path)
        json.add("kind", kind.rawValue)
        if let ttl { json.add("ttlMilliseconds", ttl) }
        if let data {
            json.add("data", Base64.encode(data).description)
        } else {
            json.addNull("data")
        }
        json.beginArray("acl")
        for entry in acl {
            json.add(
                nil,
                [
                    ACLText.letters(entry.permissions), entry.identity.scheme.description,
                    entry.identity.id.description,
                ])
        }
        json.endArray()
        json.endObject()
        return json.bytes
    }

    /// Nil if the line is not such a node.
    init?(_ line: ArraySlice<UInt8>) {
        guard let members = JSONReader.object(line),
            case .string(let path)? = members["path"], path.hasPrefix("/"),
            case .string(let word)? = members["kind"], let kind = Kind(rawValue: word),
            case .array(let entries)? = members["acl"]
        else { return nil }
        self.path = path
        self.kind = kind
        switch members["data"] {
        case .string(let text)?:
            guard let bytes = Base64.decode(text) else { return nil }
            data = bytes
        case .null?: data = nil
        default: return nil
        }
        if case .number(let number)? = members["ttlMilliseconds"] {
            ttl = Int64(number)
        } else {
            ttl = nil
        }
        if kind == .ttl && ttl == nil { return nil }
        var acl: [ACL] = []
        for entry in entries {
            guard case .array(let parts) = entry, parts.count == 3,
                case .string(let letters) = parts[0], case .string(let scheme) = parts[1],
                case .string(let id) = parts[2]
            else { return nil }
            acl += ACLText.parse("\(scheme):\(id):\(letters)") { _ in }
        }
        if acl.isEmpty { return nil }
        self.acl = acl
    }
}
