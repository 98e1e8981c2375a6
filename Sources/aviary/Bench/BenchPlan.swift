import ArgumentParser
import AviaryWire
import Glibc

/// What a benchmark asks of the servers, over and over.
enum BenchWorkload: String, CaseIterable, Sendable, ExpressibleByArgument {
    case get, exists, children, set, create, ephemeral, multi, mixed, watch, connect

    var explanation: String {
        switch self {
        case .get: "read nodes"
        case .exists: "ask whether nodes exist"
        case .children: "list the children of nodes"
        case .set: "write nodes"
        case .create: "create nodes"
        case .ephemeral: "create ephemeral nodes"
        case .multi: "write several nodes in one transaction, which counts once"
        case .mixed: "read nodes, and write some"
        case .watch: "let every connection watch one node, and write it: notifications count"
        case .connect: "open a session and close it"
        }
    }

    /// The kinds of operation it does; their latencies are told apart.
    var kinds: [BenchKind] { self == .mixed ? [.get, .set] : [BenchKind(self)] }

    /// Whether it works on nodes that are there before.
    var needsNodes: Bool {
        switch self {
        case .get, .exists, .children, .set, .multi, .mixed, .watch: true
        case .create, .ephemeral, .connect: false
        }
    }

    /// Whether it asks over sessions that stay, request by request.
    var usesRequests: Bool { self != .watch && self != .connect }
}

/// One kind of operation, as results name it.
enum BenchKind: String, Sendable {
    case get, exists, children, set, create, ephemeral, multi, watch, connect

    init(_ workload: BenchWorkload) {
        switch workload {
        case .get, .mixed: self = .get
        case .exists: self = .exists
        case .children: self = .children
        case .set: self = .set
        case .create: self = .create
        case .ephemeral: self = .ephemeral
        case .multi: self = .multi
        case .watch: self = .watch
        case .connect: self = .connect
        }
    }
}

/// One benchmark, as told on the command line.
struct BenchPlan: Sendable {
    var servers: String
    var workload: BenchWorkload
    var connections: Int
    /// Requests in flight on each connection, while nothing is asked at a rate.
    var depth: Int
    var nodes: Int
    var size: Int
    var readPercent: Int
    var operations: Int
    /// Operations a second over all connections; nil: the next follows as soon as one is answered.
    var rate: Int?
    var warmUpNanoseconds: Int64
    var nanoseconds: Int64
    var connectTimeout: Duration

    /// Requests that may wait on one connection when the servers fall behind the rate: so many that a
    /// stall of some time shows in full, and all of them within a quarter of a gigabyte.
    var mostOutstanding: Int {
        let bytes = (size + 100) * (workload == .multi ? operations : 1)
        return max(1, min(10_000, (256 << 20) / connections / bytes))
    }

    /// Operations of one round, between which there is no pause.
    var operationsPerTurn: Int { workload == .watch ? connections : 1 }
}

/// Nanoseconds of a clock that only goes forward.
enum BenchClock {
    static func now() -> Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// Returns at once if the time is past; throws only when the task is cancelled.
    static func sleep(until due: Int64) async throws(CancellationError) {
        let left = due - now()
        if left <= 0 { return }
        do {
            try await Task.sleep(
                for: .nanoseconds(left), tolerance: .zero, clock: ContinuousClock())
        } catch {
            throw CancellationError()
        }
    }
}

/// A time in seconds, with a fraction if need be: `10`, `0.5`.
struct SecondsArgument: ExpressibleByArgument, Sendable {
    let nanoseconds: Int64

    init?(argument: String) {
        guard let seconds = Double(argument), seconds.isFinite, (0...1_000_000).contains(seconds)
        else { return nil }
        nanoseconds = Int64(seconds * 1e9)
    }

    init(_ seconds: Int64) {
        nanoseconds = seconds * 1_000_000_000
    }

    var defaultValueDescription: String { "\(nanoseconds / 1_000_000_000)" }
}
