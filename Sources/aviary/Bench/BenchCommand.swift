import ArgumentParser
import AviaryClient
import AviaryServer
import Glibc

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure any ZooKeeper server's throughput and latency.",
        discussion: """
            Opens connections, keeps the servers busy for a while, and tells how many operations \
            were done in a second and how long they took. It works below a node that it makes, \
            /aviary-bench-…, and removes it at the end, also after Ctrl-C.

            Without --rate every connection has --depth requests in flight and sends another when \
            one is answered: that measures throughput, and the latency under full load. With \
            --rate requests are sent when they are due, whether the servers keep up or not, and \
            latency is counted from when a request should have been sent: so a pause of the \
            server shows in full, as it would to users (no coordinated omission).

            Workloads:
            \(BenchWorkload.allCases.map { "  \($0.rawValue): \($0.explanation)" }.joined(separator: "\n"))

            Examples:
              aviary bench
                  Reads and writes on 127.0.0.1:2181 for ten seconds.
              aviary bench zk1:2181,zk2:2181,zk3:2181 --workload set --connections 64
                  Writes to an ensemble.
              aviary bench --workload get --rate 20000 --seconds 60 --svg latency.svg
                  The latency of reads at a load of 20000 a second, and a plot of it.
              aviary bench --workload connect --json
                  How many sessions can be opened, as one JSON object.

            Exit status: 0 all went well; 1 requests failed, or nodes could not be removed; 2 \
            wrong use, or the servers cannot be reached or do not allow it.
            """)

    @Argument(help: "Where clients connect: host:port,host:port/path.")
    var servers = "127.0.0.1:2181"

    @Option(name: .shortAndLong, help: "What to ask.")
    var workload = BenchWorkload.mixed

    @Option(name: .shortAndLong, help: "How many sessions ask at the same time.")
    var connections = 16

    @Option(name: .shortAndLong, help: "Requests in flight on each, without --rate.")
    var depth = 16

    @Option(name: .shortAndLong, help: "How many nodes there are to read and write.")
    var nodes = 1000

    @Option(name: .long, help: "Bytes of data in each node.")
    var size = 100

    @Option(help: ArgumentHelp("How many of a hundred are reads, of mixed.", valueName: "percent"))
    var reads = 90

    @Option(help: ArgumentHelp("Writes in each multi.", valueName: "count"))
    var operations = 10

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Operations a second over all connections.", valueName: "count"))
    var rate: Int?

    @Option(name: .shortAndLong, help: "How long to measure.")
    var seconds = SecondsArgument(10)

    @Option(help: ArgumentHelp("How long to ask before measuring.", valueName: "seconds"))
    var warmUp = SecondsArgument(1)

    @Option(help: ArgumentHelp("How long a first connection may take.", valueName: "seconds"))
    var connectTimeout = SecondsArgument(10)

    @Flag(help: "One JSON object.")
    var json = false

    @Option(
        help: ArgumentHelp("Draw throughput and latency over time.", valueName: "file"),
        completion: .file(extensions: ["svg"]))
    var svg: String?

    func validate() throws {
        let bounds = [
            ("--connections", connections, 1...100_000), ("--depth", depth, 1...100_000),
            ("--nodes", nodes, 1...10_000_000), ("--size", size, 0...16_777_216),
            ("--reads", reads, 0...100), ("--operations", operations, 1...10_000),
            ("--rate", rate ?? 1, 1...10_000_000),
        ]
        for (name, value, range) in bounds where !range.contains(value) {
            throw ValidationError(
                "\(name) is \(value); write a number from \(range.lowerBound) to "
                    + "\(range.upperBound).")
        }
        guard seconds.nanoseconds >= 100_000_000 else {
            throw ValidationError("--seconds is too short to measure; write 0.1 or more.")
        }
    }

    func run() async throws {
        let plot = try svg.map { try PlotFile($0) }
        let plan = plan
        let result: BenchResult
        do throws(BenchFailure) {
            result = try await BenchRun(plan: plan, progress: BenchProgress(plan)).run()
        } catch {
            writeToStandardError("aviary: \(error.message)\n")
            throw error.exitCode
        }
        let output = Output()
        if json {
            output.json { result.write(to: &$0) }
        } else {
            result.write(to: output)
        }
        try output.finish()
        try plot?.write(BenchPlot.svg(result))
        if let leftBehind = result.leftBehind { throw ToolExit.found(leftBehind) }
        if result.isInterrupted { throw BenchResult.interrupted }
        let errors = result.totals.errorCount
        if errors > 0 { throw ToolExit.found("\(Words.count(errors, "request")) failed") }
    }

    private var plan: BenchPlan {
        BenchPlan(
            servers: servers, workload: workload, connections: connections, depth: depth,
            nodes: nodes, size: size, readPercent: reads, operations: operations, rate: rate,
            warmUpNanoseconds: warmUp.nanoseconds, nanoseconds: seconds.nanoseconds,
            connectTimeout: .nanoseconds(connectTimeout.nanoseconds))
    }
}

/// A file that is opened before the measuring, so that nobody waits for a plot that cannot be written.
private struct PlotFile {
    private let path: String
    private let descriptor: CInt

    init(_ path: String) throws {
        self.path = path
        descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o666)
        if descriptor < 0 { throw Self.failed(path) }
    }

    func write(_ text: String) throws {
        defer { close(descriptor) }
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if count < 0 && errno != EINTR { throw Self.failed(path) }
            bytes = bytes.dropFirst(max(0, count))
        }
        let length = off_t(text.utf8.count)
        if ftruncate(descriptor, length) != 0 && errno != EINVAL { throw Self.failed(path) }
    }

    private static func failed(_ path: String) -> ExitCode {
        let reason = unsafe String(cString: strerror(errno))
        return ToolExit.unusable("cannot write \(path): \(reason)")
    }
}
