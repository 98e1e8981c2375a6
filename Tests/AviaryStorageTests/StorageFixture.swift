import AviaryServer
import AviaryWire
import Foundation

@testable import AviaryCore
@testable import AviaryStorage

/// A data directory that Apache ZooKeeper left, in `Tests/Fixtures/storage`.
struct StorageFixture {
    let name: String
    let folder: URL

    init(_ name: String) {
        self.name = name
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        folder = tests.appending(path: "Fixtures/storage/\(name)")
    }

    var expected: Expected {
        get throws {
            let data = try Data(contentsOf: folder.appending(path: "expected.json"))
            return try JSONDecoder().decode(Expected.self, from: data)
        }
    }

    /// The files of `version-2` in a directory of their own.
    func copy() throws -> TemporaryDirectory {
        let copy = try TemporaryDirectory()
        let source = folder.appending(path: "data/version-2")
        for name in try FileManager.default.contentsOfDirectory(atPath: source.path) {
            let data = try Data(contentsOf: source.appending(path: name))
            copy[name] = [UInt8](data)
        }
        return copy
    }

    /// What a client with super rights read from the real server.
    struct Expected: Decodable {
        var tree: [String: Node]?
        var last_zxid: String?
        var tree_digest: Digest?
        var open_sessions: [String: Int32]?

        struct Digest: Decodable {
            var value: String
        }

        struct Node: Decodable {
            var acl: [Entry]
            var children: [String]
            var data: String?
            var stat: [String: Int64]
        }

        struct Entry: Decodable {
            var acl: ACL

            init(from decoder: any Decoder) throws {
                var container = try decoder.unkeyedContainer()
                let permissions = Permissions(rawValue: try container.decode(Int32.self))
                let scheme = ByteString(try container.decode(String.self))
                acl = ACL(permissions, scheme, ByteString(try container.decode(String.self)))
            }
        }

        var nodes: [String: NodeView] { (tree ?? [:]).mapValues { NodeView($0) } }

        var sessions: [SessionID: Int32]? {
            open_sessions.map { sessions in
                Dictionary(
                    uniqueKeysWithValues: sessions.map { (SessionID(hexadecimal($0)), $1) })
            }
        }
    }
}

func hexadecimal(_ text: String) -> Int64 {
    Int64(bitPattern: UInt64(text.dropFirst(2), radix: 16) ?? 0)
}

/// Everything that a client can see of a node.
struct NodeView: Equatable {
    var data: [UInt8]?
    var acl: [ACL]
    var stat: Stat
    var children: [String]

    init(data: [UInt8]?, acl: [ACL], stat: Stat) {
        self.data = data
        self.acl = acl
        self.stat = stat
        children = []
    }

    init(_ node: StorageFixture.Expected.Node) {
        data = node.data.map { text in
            var digits = Substring(text)
            var bytes: [UInt8] = []
            while let byte = UInt8(digits.prefix(2), radix: 16) {
                bytes.append(byte)
                digits = digits.dropFirst(2)
            }
            return bytes
        }
        acl = node.acl.map(\.acl)
        func field(_ name: String) -> Int64 { node.stat[name] ?? .min }
        stat = Stat()
        stat.czxid = Zxid(field("czxid"))
        stat.mzxid = Zxid(field("mzxid"))
        stat.pzxid = Zxid(field("pzxid"))
        stat.ctime = field("ctime")
        stat.mtime = field("mtime")
        stat.version = Int32(clamping: field("version"))
        stat.cversion = Int32(clamping: field("cversion"))
        stat.aversion = Int32(clamping: field("aversion"))
        stat.ephemeralOwner = field("ephemeralOwner")
        stat.dataLength = Int32(clamping: field("dataLength"))
        stat.numChildren = Int32(clamping: field("numChildren"))
        children = node.children.sorted()
    }
}

extension TreeSnapshot {
    /// Each node by its path; the root's is `/`.
    var views: [String: NodeView] {
        var views: [String: NodeView] = [:]
        var children: [String: [String]] = [:]
        forEachNode { bytes, node in
            let path = Path(bytes)
            let key = bytes.isEmpty ? "/" : path.description
            views[key] = NodeView(data: node.data, acl: acls[node.acl], stat: node.clientStat)
            if let parent = path.parent {
                let name = String(decoding: path.name, as: UTF8.self)
                children[parent.description, default: []].append(name)
            }
        }
        for (path, names) in children { views[path]?.children = names.sorted() }
        return views
    }

    /// What is kept of each node.
    var persisted: [String: StatPersisted] {
        var stats: [String: StatPersisted] = [:]
        forEachNode { bytes, node in stats[String(decoding: bytes, as: UTF8.self)] = node.stat }
        return stats
    }
}

/// Removed with all its files when it is no longer used.
final class TemporaryDirectory {
    let path: String

    init() throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "aviary-storage-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        path = folder.path
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    var names: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
    }

    /// A file's bytes; nil if it is not there.
    subscript(name: String) -> [UInt8]? {
        get { FileManager.default.contents(atPath: "\(path)/\(name)").map { [UInt8]($0) } }
        set {
            let file = "\(path)/\(name)"
            if let newValue {
                _ = FileManager.default.createFile(atPath: file, contents: Data(newValue))
            } else {
                try? FileManager.default.removeItem(atPath: file)
            }
        }
    }

    func files() throws(StorageError) -> PosixFiles { try PosixFiles(directory: path) }

    func log(after lastZxid: Zxid, preallocating bytes: Int = 0) throws(StorageError)
        -> TransactionLog<PosixFiles>
    {
        TransactionLog(
            files: try files(), preallocateBytes: bytes, sizeLimitBytes: 0, lastZxid: lastZxid)
    }

    func store() throws(StorageError) -> SnapshotStore<PosixFiles> {
        SnapshotStore(files: try files(), logFiles: try files())
    }

    func recover(trustingEmpty: Bool = false) throws(StorageError) -> Recovered {
        var files = try files()
        var logFiles = try self.files()
        return try Recovered(&files, &logFiles, trustingEmpty: trustingEmpty)
    }
}

/// A tree that was recovered, and what was said about it.
struct Recovered: ~Copyable {
    let tree: DataTree
    let recovery: Recovery

    init<Files: FileSystem & ~Copyable>(
        _ files: inout Files, _ logFiles: inout Files, trustingEmpty: Bool = false
    ) throws(StorageError) {
        var settings = Recovery.Settings(hashSeed: 42)
        settings.extendedTypes = true
        settings.trustsEmpty = trustingEmpty
        var recovery = Recovery(settings)
        tree = try recovery.recover(snapshots: &files, logs: &logFiles)
        self.recovery = recovery
    }

    /// Whether the digest was found to differ anywhere.
    var hasMismatch: Bool { recovery.notes.contains { $0.contains("differs") } }
}

/// The error that recovery ends with; nil if it does not.
func refusal(of directory: TemporaryDirectory) -> StorageError? {
    do throws(StorageError) {
        _ = try directory.recover()
        return nil
    } catch {
        return error
    }
}
