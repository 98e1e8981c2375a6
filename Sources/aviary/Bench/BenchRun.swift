import ArgumentParser
import AviaryClient
import AviaryWire
import UnixSignals

/// Why there is no result.
struct BenchFailure: Error {
    /// What happened and what to do, in one line.
    let message: String
    var exitCode = ToolExit.unusable

    static let interrupted = BenchFailure(
        message: "interrupted before anything was measured", exitCode: BenchResult.interrupted)
}

/// What came of a benchmark.
struct BenchResult: Sendable {
    let plan: BenchPlan
    let totals: BenchRecorder.Totals
    let intervals: [BenchInterval]
    /// How long was measured.
    let nanoseconds: Int64
    var isInterrupted = false
    /// Why nodes were left behind, and what to do about it.
    var leftBehind: String?

    /// As shells have it for a program that SIGINT ended.
    static let interrupted = ExitCode(130)

    var throughput: Double {
        nanoseconds > 0 ? Double(totals.completed) * 1e9 / Double(nanoseconds) : 0
    }
}

/// One benchmark: connects, makes the nodes, measures, and leaves no trace.
struct BenchRun: Sendable {
    let plan: BenchPlan
    let progress: BenchProgress

    func run() async throws(BenchFailure) -> BenchResult {
        do {
            return try await ZooKeeper.withSession(
                plan.servers, configuration: plan.clientConfiguration
            ) { zk in
                _ = try await untilSignal(Self.signals()) { try await connect(zk) }
                // From here on nobody ends the program before it has removed its nodes.
                let signals = await Self.signals()
                let nodes = try await makeRoot(zk)
                return try await run(nodes, zk, signals)
            }
        } catch let failure as BenchFailure {
            throw failure
        } catch {
            throw BenchFailure(message: "\(error)")
        }
    }

    private static func signals() async -> UnixSignalsSequence {
        await UnixSignalsSequence(trapping: .sigint, .sigterm)
    }

    private func connect(_ zk: ZooKeeper) async throws(BenchFailure) {
        progress.tell("connecting")
        do throws(ClientError) {
            try await zk.waitUntilConnected(timeout: plan.connectTimeout)
        } catch {
            progress.finish()
            let reason =
                error.code == .timedOut
                ? "no server there opened a session within \(plan.connectTimeout); see that one "
                    + "runs there and has a leader, or raise --connect-timeout" : error.message
            throw BenchFailure(message: "cannot reach \(plan.servers): \(reason)")
        }
    }

    private func makeRoot(_ zk: ZooKeeper) async throws(BenchFailure) -> BenchNodes {
        do throws(ClientError) {
            return try await BenchNodes(plan, zk)
        } catch {
            throw BenchFailure(
                message: "cannot make a node to work below: \(error.message); a path behind the "
                    + "servers, as in host:2181/path, names a place where that is allowed")
        }
    }

    /// Measures with all sessions open, and closes them when the nodes are gone: the end of a session
    /// with very many ephemeral nodes would be more than some servers can write.
    private func run(
        _ nodes: BenchNodes, _ zk: ZooKeeper, _ signals: UnixSignalsSequence
    ) async throws -> BenchResult {
        let count = plan.workload == .connect ? 0 : plan.connections
        let connections = try (0..<count).map { try BenchConnection($0, plan, nodes) }
        let (measured, leftBehind) = await withDiscardingTaskGroup { group in
            for connection in connections { group.addTask { await connection.run() } }
            var measured: Result<BenchResult, any Error>
            do {
                let (result, isInterrupted) = try await untilSignal(signals) {
                    try await measure(nodes, connections, zk)
                }
                measured = .success(result)
                if isInterrupted { measured = .success(result.interrupted) }
            } catch {
                progress.finish()
                measured = .failure(error)
            }
            let leftBehind = await cleanUp(nodes, connections, zk)
            return (measured, leftBehind)
        }
        if let leftBehind, case .failure = measured {
            writeToStandardError("aviary: \(leftBehind)\n")
        }
        var result = try measured.get()
        result.leftBehind = leftBehind
        return result
    }

    // MARK: Measuring

    private func measure(
        _ nodes: BenchNodes, _ connections: [BenchConnection], _ zk: ZooKeeper
    ) async throws -> BenchResult {
        progress.tell("making \(Words.count(nodes.prepared.count, "node"))")
        try await nodes.prepare(zk)
        progress.tell("opening \(Words.count(connections.count, "session"))")
        try await open(connections)
        let begin = BenchClock.now()
        let recorder = BenchRecorder(plan, from: begin)
        let load = BenchLoad(
            plan: plan, recorder: recorder, nodes: nodes, connections: connections, begin: begin)
        async let intervals = follow(recorder)
        await load.run()
        var parts = await intervals
        do throws(CancellationError) {
            try await BenchClock.sleep(until: recorder.window.upperBound)
        } catch {
            // What there is, is the result.
        }
        // Only now has everything been recorded that belongs to it.
        let end = min(BenchClock.now(), recorder.window.upperBound)
        if end > recorder.window.lowerBound { parts.append(recorder.takeInterval()) }
        progress.finish()
        return BenchResult(
            plan: plan, totals: recorder.totals, intervals: parts,
            nanoseconds: max(0, end - recorder.window.lowerBound))
    }

    private func open(_ connections: [BenchConnection]) async throws(BenchFailure) {
        for connection in connections {
            do throws(ClientError) {
                try await connection.zk.waitUntilConnected(timeout: plan.connectTimeout)
            } catch {
                let count = connections.count { $0.zk.state.isConnected }
                throw BenchFailure(
                    message: "only \(count) of \(connections.count) sessions could be opened: "
                        + "\(error.message); ask for fewer --connections, or raise the servers' "
                        + "maxClientCnxns")
            }
        }
    }

    private static let intervals: Int64 = 60
    private static let shortestInterval: Int64 = 100_000_000

    /// Cuts the time into intervals, all but the last, and shows how it goes.
    private func follow(_ recorder: BenchRecorder) async -> [BenchInterval] {
        let window = recorder.window
        let length = max(Self.shortestInterval, plan.nanoseconds / Self.intervals)
        var intervals: [BenchInterval] = []
        progress.tell("warming up")
        var due = window.lowerBound + length
        while due + length <= window.upperBound {
            do throws(CancellationError) {
                try await BenchClock.sleep(until: due)
            } catch {
                break
            }
            let interval = recorder.takeInterval()
            intervals.append(interval)
            progress.show(interval, errors: recorder.totals.errorCount)
            due += length
        }
        return intervals
    }

    // MARK: Cleaning up

    /// - Returns: what is left behind, and why.
    private func cleanUp(
        _ nodes: BenchNodes, _ connections: [BenchConnection], _ zk: ZooKeeper
    ) async -> String? {
        do {
            _ = try await untilSignal(Self.signals()) {
                try await removeAll(nodes, connections, zk)
            }
            return nil
        } catch is BenchFailure {
            return Self.leftBehind(nodes, because: "interrupted again")
        } catch {
            return Self.leftBehind(nodes, because: "\(error)")
        }
    }

    /// A session removes what it made itself, behind everything that it still has on its way. What one
    /// that has ended made, falls to another.
    private func removeAll(
        _ nodes: BenchNodes, _ connections: [BenchConnection], _ zk: ZooKeeper
    ) async throws {
        let heirless = await withTaskGroup(of: BenchConnection?.self) { group in
            for connection in connections {
                group.addTask {
                    do throws(ClientError) {
                        try await nodes.remove(connection.created, connection.zk)
                        return nil
                    } catch {
                        return connection
                    }
                }
            }
            var heirless: [BenchConnection] = []
            for await case let connection? in group { heirless.append(connection) }
            return heirless
        }
        await withDiscardingTaskGroup { group in
            for connection in connections { group.addTask { await connection.zk.close() } }
        }
        for connection in heirless { try await nodes.remove(connection.created, zk) }
        try await nodes.remove(zk)
    }

    private static func leftBehind(_ nodes: BenchNodes, because reason: String) -> String {
        "\(nodes.root) could not be removed (\(reason)); remove it with: deleteall \(nodes.root) "
            + "in zkCli.sh"
    }
}

extension BenchResult {
    fileprivate var interrupted: BenchResult {
        var result = self
        result.isInterrupted = true
        return result
    }
}

/// Runs `body`; a signal cancels it, and what it returns then still counts.
///
/// - Throws: `.interrupted` instead of what it throws after the signal.
private func untilSignal<Value: Sendable>(
    _ signals: UnixSignalsSequence, _ body: @escaping @Sendable () async throws -> Value
) async throws -> (Value, isInterrupted: Bool) {
    try await withThrowingTaskGroup(of: Value?.self) { group in
        group.addTask {
            for await _ in signals { break }
            return nil
        }
        group.addTask { try await body() }
        var isInterrupted = false
        do {
            while let next = try await group.next() {
                group.cancelAll()
                if let next { return (next, isInterrupted) }
                isInterrupted = true
            }
        } catch  where isInterrupted {
            throw BenchFailure.interrupted
        }
        preconditionFailure("the body has returned or thrown")
    }
}
