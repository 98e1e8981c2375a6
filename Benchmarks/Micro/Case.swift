import AviaryCore
import AviaryStorage
import AviaryWire
import NIOCore

/// A hot path, and how often it may ask for memory.
struct Case: Sendable {
    let name: String
    /// So many at a time.
    let operations: Int
    /// Allocations of an operation, at most.
    let limit: Double
    /// Makes what is needed, and returns what is measured.
    let prepare: @Sendable () -> () -> Void

    static let all = reads + writes + events + storage

    private static let depth = 1000

    // MARK: Requests

    private static let reads = [
        reading("get", .getData, limit: 0.02),
        reading("exists", .exists, limit: 0.02),
        reading("children", .getChildren, limit: 0.02),
        Case(name: "ping", operations: depth, limit: 0.02) {
            let core = LoadedCore()
            let requests = LoadedCore.requests(depth, .ping) { _, _ in }
            return { core.receive(requests) }
        },
        Case(name: "child listed, of 100,000", operations: 100_000, limit: 0.001) {
            let core = LoadedCore(nodes: 100_000)
            let requests = LoadedCore.requests(1, .getChildren) { bytes, _ in
                LoadedCore.writeRead("/", to: &bytes)
            }
            return { core.receive(requests) }
        },
    ]

    private static func reading(_ name: String, _ code: OpCode, limit: Double) -> Case {
        Case(name: name, operations: depth, limit: limit) {
            let core = LoadedCore()
            let requests = LoadedCore.requests(depth, code) { bytes, _ in
                LoadedCore.writeRead("/n0", to: &bytes)
            }
            return { core.receive(requests) }
        }
    }

    private static let writes = [
        Case(name: "set", operations: depth, limit: 2.1) {
            let core = LoadedCore(nodes: depth)
            let requests = LoadedCore.requests(depth, .setData) { bytes, number in
                LoadedCore.writeSet("/n\(number)", to: &bytes)
            }
            return { core.receive(requests) }
        },
        Case(name: "create and delete", operations: 2 * depth, limit: 2.6) {
            let core = LoadedCore()
            var requests = LoadedCore.requests(depth, .create) { bytes, number in
                LoadedCore.writeCreate("/c\(number)", to: &bytes, number)
            }
            requests.writeImmutableBuffer(
                LoadedCore.requests(depth, .delete) { bytes, number in
                    bytes.writeJute(Array("/c\(number)".utf8))
                    bytes.writeInteger(Int32(-1))
                })
            return { core.receive(requests) }
        },
        Case(name: "set in a multi of ten", operations: depth, limit: 0.45) {
            let core = LoadedCore(nodes: 10)
            let requests = LoadedCore.requests(depth / 10, .multi) { bytes, _ in
                for number in 0..<10 {
                    MultiHeader(type: OpCode.setData.rawValue, done: false, error: -1)
                        .write(to: &bytes)
                    LoadedCore.writeSet("/n\(number)", to: &bytes)
                }
                MultiHeader.end.write(to: &bytes)
            }
            return { core.receive(requests) }
        },
    ]

    private static let events = [
        Case(name: "event, of 1,000 for a set", operations: 1000, limit: 0.1) {
            let core = LoadedCore()
            let persistent: Int32 = 0
            let watch = LoadedCore.requests(1, .addWatch) { bytes, _ in
                bytes.writeJute(Array("/n0".utf8))
                bytes.writeInteger(persistent)
            }
            for client in 1...1000 {
                core.connect()
                core.receive(watch, from: client)
            }
            let set = LoadedCore.requests(1, .setData) { bytes, _ in
                LoadedCore.writeSet("/n0", to: &bytes)
            }
            return { core.receive(set) }
        }
    ]

    // MARK: Storage

    private static let storage = [
        Case(name: "entry appended to the log", operations: depth, limit: 0.02) {
            var log = TransactionLog(
                files: NullFiles(), preallocateBytes: 0, sizeLimitBytes: 0, lastZxid: .zero)
            var zxid = Zxid.zero
            let payload = [UInt8](repeating: 7, count: 190)
            return {
                for _ in 0..<depth {
                    zxid = Zxid(zxid.rawValue + 1)
                    log.append(zxid: zxid, payload: payload.raw)
                }
                do throws(StorageError) {
                    try log.flush()
                } catch {
                    preconditionFailure("files that take everything took no log")
                }
            }
        },
        Case(name: "node found, of 100,000", operations: depth, limit: 0) {
            let tree = TreeOfMany(count: 100_000)
            return { tree.find(depth) }
        },
        Case(name: "node written to a snapshot", operations: 100_000, limit: 0.01) {
            let snapshot = TreeOfMany(count: 100_000).snapshot
            var buffer = ByteBuffer()
            return {
                var cursor = snapshot.cursor
                while cursor.writeNext(to: &buffer, atLeast: 64 << 10) { buffer.clear() }
                buffer.clear()
            }
        },
        Case(name: "Adler-32 of 200 bytes", operations: depth, limit: 0) {
            let bytes = [UInt8](repeating: 7, count: 200)
            var sum: Int64 = 0
            return { for _ in 0..<depth { sum &+= Adler32.checksum(bytes.raw) } }
        },
    ]
}

/// A tree of nodes below its root.
private final class TreeOfMany {
    private var tree = DataTree(hashSeed: 42, extendedTypes: true)
    private let paths: [Path]

    init(count: Int) {
        paths = (0..<count).map { Path(Array("/node-\($0)".utf8)) }
        var stat = StatPersisted()
        stat.czxid = Zxid(1)
        stat.mzxid = Zxid(1)
        stat.pzxid = Zxid(1)
        for path in paths {
            tree.load(
                path: path.bytes, data: LoadedCore.value, acl: ACL.openToAll, stat: stat)
        }
        tree.finishLoading(zxid: Zxid(1))
    }

    var snapshot: TreeSnapshot { tree.snapshot }

    /// Far from each other, so that each is as far from the cache as in a large server.
    func find(_ count: Int) {
        for number in 0..<count {
            precondition(tree.find(paths[number &* 7919 % paths.count]) != nil, "it is there")
        }
    }
}
