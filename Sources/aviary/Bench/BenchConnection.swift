import AviaryClient
import AviaryCore
import AviaryWire
import Synchronization

/// One session that asks.
final class BenchConnection: Sendable {
    let index: Int
    let zk: ZooKeeper
    private let plan: BenchPlan
    private let nodes: BenchNodes
    private let createdCount = Atomic<Int>(0)

    init(_ index: Int, _ plan: BenchPlan, _ nodes: BenchNodes) throws(ClientError) {
        self.index = index
        self.plan = plan
        self.nodes = nodes
        zk = try ZooKeeper(plan.servers, configuration: plan.clientConfiguration)
    }

    /// Connects, and keeps connected until it is closed.
    func run() async {
        do throws(ClientError) {
            try await zk.run()
        } catch {
            // Its requests fail with the same, and are counted.
        }
    }

    /// The nodes that it has made, or may have made; their names are made up as they are asked for.
    var created: some RandomAccessCollection<Path> {
        let nodes = nodes
        let index = index
        return (0..<createdCount.load(ordering: .relaxed)).lazy
            .map { nodes.created($0, by: index) }
    }

    /// Sends the workload's next request.
    func issue(_ random: inout SeededRandom) -> BenchRequest {
        let node = nodes.prepared[random.below(max(1, nodes.prepared.count))]
        switch plan.workload {
        case .get: return .get(zk.submit(.getData(node)))
        case .exists: return .exists(zk.submit(.exists(node)))
        case .children: return .children(zk.submit(.getChildren(node)))
        case .set: return .set(zk.submit(.setData(node, nodes.data)))
        case .mixed:
            return random.below(100) < plan.readPercent
                ? .get(zk.submit(.getData(node))) : .set(zk.submit(.setData(node, nodes.data)))
        case .create: return .create(zk.submit(.create(newNode(), nodes.data)))
        case .ephemeral:
            return .ephemeral(zk.submit(.create(newNode(), nodes.data, mode: .ephemeral)))
        case .multi:
            var multi = Multi()
            for _ in 0..<plan.operations {
                multi.setData(nodes.prepared[random.below(nodes.prepared.count)], nodes.data)
            }
            return .multi(zk.submit(.multi(multi)))
        case .watch, .connect: preconditionFailure("it is not made of single requests")
        }
    }

    private func newNode() -> Path {
        nodes.created(createdCount.wrappingAdd(1, ordering: .relaxed).oldValue, by: index)
    }
}

/// A request that was sent.
enum BenchRequest: Sendable {
    case get(Pending<NodeData>)
    case exists(Pending<Stat?>)
    case children(Pending<[String]>)
    case set(Pending<Stat>)
    case create(Pending<CreatedNode>)
    case ephemeral(Pending<CreatedNode>)
    case multi(Pending<MultiResults>)

    var kind: BenchKind {
        switch self {
        case .get: .get
        case .exists: .exists
        case .children: .children
        case .set: .set
        case .create: .create
        case .ephemeral: .ephemeral
        case .multi: .multi
        }
    }

    func reply() async throws(ClientError) {
        switch self {
        case .get(let pending): _ = try await pending.value
        case .exists(let pending): _ = try await pending.value
        case .children(let pending): _ = try await pending.value
        case .set(let pending): _ = try await pending.value
        case .create(let pending), .ephemeral(let pending): _ = try await pending.value
        case .multi(let pending): _ = try await pending.value
        }
    }
}

extension BenchPlan {
    var clientConfiguration: ClientConfiguration {
        var configuration = ClientConfiguration()
        configuration.sessionTimeout = .seconds(30)
        // What takes longer is an error, and the end of the benchmark does not wait for it.
        configuration.requestTimeout = .seconds(30)
        configuration.maximumOutstanding = max(configuration.maximumOutstanding, 2 * depth)
        configuration.maximumQueuedBytes = .max
        configuration.maximumRequestBytes = .max
        return configuration
    }
}

extension ClientError {
    /// Whether nothing more comes of the session.
    var isFinal: Bool {
        switch code {
        case .sessionExpired, .closed, .authenticationFailed: true
        default: false
        }
    }
}
