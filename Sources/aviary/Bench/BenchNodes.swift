import AviaryClient
import AviaryWire
import Synchronization

/// The nodes of one benchmark, all below a node that it made itself. Nothing else is ever deleted.
struct BenchNodes: Sendable {
    let root: Path
    /// Those that are there before.
    let prepared: [Path]
    /// What nodes are given.
    let data: [UInt8]
    private let begun = Begun()

    /// How many of the prepared nodes may be there.
    private final class Begun: Sendable {
        let count = Atomic<Int>(0)
    }

    /// So many requests are on their way while nodes are made and removed.
    private static let depth = 500
    private static let requestTimeout = Duration.seconds(30)

    /// Makes the root, under a name that nobody has.
    init(_ plan: BenchPlan, _ zk: ZooKeeper) async throws(ClientError) {
        var random = SystemRandomNumberGenerator()
        var root = Self.randomRoot(&random)
        while true {
            do throws(ClientError) {
                _ = try await zk.submit(.create(root), timeout: Self.requestTimeout).value
                break
            } catch  where error.refusal == .nodeExists {
                root = Self.randomRoot(&random)
            }
        }
        self.root = root
        data = (0..<plan.size).map { _ in .random(in: 0...255, using: &random) }
        let count = plan.workload == .watch ? 1 : plan.workload.needsNodes ? plan.nodes : 0
        // A workload without nodes of its own still draws one.
        prepared = count == 0 ? [root] : (0..<count).map { root / "n\($0)" }
    }

    private static func randomRoot(_ random: inout SystemRandomNumberGenerator) -> Path {
        Path("/aviary-bench-" + String(random.next(), radix: 16))
    }

    func created(_ number: Int, by connection: Int) -> Path { root / "c\(connection)-\(number)" }

    func prepare(_ zk: ZooKeeper) async throws(ClientError) {
        guard prepared.first != root else { return }
        for start in stride(from: 0, to: prepared.count, by: Self.depth) {
            let end = min(start + Self.depth, prepared.count)
            begun.count.store(end, ordering: .relaxed)
            try await ask(zk, prepared[start..<end]) { .create($0, data) }
        }
    }

    /// Removes what was prepared, and the root.
    func remove(_ zk: ZooKeeper) async throws(ClientError) {
        try await remove(prepared.prefix(begun.count.load(ordering: .relaxed)), zk)
        try await remove([root], zk)
    }

    /// Removes these, some of which may not be there.
    func remove(
        _ paths: some RandomAccessCollection<Path>, _ zk: ZooKeeper
    ) async throws(ClientError) {
        try await ask(zk, paths, ignoring: .noNode) { .delete($0) }
    }

    /// The same of many nodes, with many requests on their way.
    private func ask<Reply: Sendable>(
        _ zk: ZooKeeper, _ paths: some RandomAccessCollection<Path>,
        ignoring: ZooKeeperError? = nil,
        _ request: (Path) -> Request<Reply>
    ) async throws(ClientError) {
        var rest = paths[...]
        while !rest.isEmpty {
            let pending = rest.prefix(Self.depth).map {
                zk.submit(request($0), timeout: Self.requestTimeout)
            }
            rest = rest.dropFirst(Self.depth)
            for one in pending {
                do throws(ClientError) {
                    _ = try await one.value
                } catch {
                    if ignoring == nil || error.refusal != ignoring { throw error }
                }
            }
        }
    }
}
