import AviaryClient
import Histogram
import Synchronization

/// Takes what every request came to, from all tasks.
///
/// With a rate, a request counts if it *should have been sent* within the time that is measured, and
/// its latency begins then: a server that stalls does not hide the requests that had to wait for it.
/// Without one, it counts if its reply came within that time.
final class BenchRecorder: Sendable {
    typealias Latencies = Histogram<UInt64>

    /// What was measured.
    struct Totals: Sendable {
        /// In the order of the workload's kinds.
        var latencies: [Latencies]
        /// What came back within the time, whatever it belongs to.
        var completed = 0
        /// How often what went wrong.
        var errors: [String: Int] = [:]
        /// The first error, as a sentence.
        var firstError: String?
        /// Operations that should have begun and never did, by how long they had waited at the end.
        var missed = BenchRecorder.noLatencies

        /// Of what was done and what was missed.
        var all: Latencies {
            var all = missed
            for kind in latencies { all.add(kind) }
            return all
        }

        var errorCount: Int { errors.values.reduce(0, +) }
    }

    private struct State: Sendable {
        var totals: Totals
        var interval = BenchRecorder.noLatencies
        var intervalBegan: Int64
    }

    /// What is measured: it begins after the warm-up.
    let window: Range<Int64>
    private let kinds: [BenchKind]
    private let hasRate: Bool
    private let state: Mutex<State>

    /// From a microsecond to an hour, in nanoseconds, to three digits.
    static var noLatencies: Latencies {
        Latencies(
            lowestDiscernibleValue: 1000, highestTrackableValue: longestNanoseconds,
            numberOfSignificantValueDigits: .three)
    }

    private static let longestNanoseconds: UInt64 = 3_600_000_000_000

    init(_ plan: BenchPlan, from begin: Int64) {
        kinds = plan.workload.kinds
        hasRate = plan.rate != nil
        let start = begin + plan.warmUpNanoseconds
        window = start..<start + plan.nanoseconds
        let totals = Totals(latencies: kinds.map { _ in Self.noLatencies })
        state = Mutex(State(totals: totals, intervalBegan: start))
    }

    /// - Parameter begin: when the request was sent, or with a rate, when it should have been.
    func succeeded(_ kind: BenchKind, since begin: Int64) {
        let now = BenchClock.now()
        let isCounted = window.contains(hasRate ? begin : now)
        let isInTime = window.contains(now)
        guard isCounted || isInTime else { return }
        let latency = min(UInt64(clamping: now - begin), Self.longestNanoseconds)
        let index = kinds.firstIndex(of: kind) ?? 0
        state.withLock { state in
            if isCounted { state.totals.latencies[index].record(latency) }
            if isInTime {
                state.totals.completed += 1
                state.interval.record(latency)
            }
        }
    }

    func failed(_ error: ClientError, since begin: Int64) {
        let now = BenchClock.now()
        guard window.contains(hasRate ? begin : now) else { return }
        state.withLock { state in
            state.totals.errors[error.code.word, default: 0] += 1
            if state.totals.firstError == nil { state.totals.firstError = error.message }
        }
    }

    /// Operations were not begun that were due then. Each counts with the time that it has waited, or
    /// the slower the servers are, the more of their latency would be left out.
    func missed(_ count: Int, since due: Int64) {
        guard window.contains(due) else { return }
        let latency = min(UInt64(window.upperBound - due), Self.longestNanoseconds)
        state.withLock { _ = $0.totals.missed.record(latency, count: UInt64(count)) }
    }

    var totals: Totals { state.withLock { $0.totals } }

    /// What came within the time since this was last called.
    func takeInterval() -> BenchInterval {
        let now = min(BenchClock.now(), window.upperBound)
        let (latencies, begin) = state.withLock { state in
            let taken = (state.interval, state.intervalBegan)
            state.interval = Self.noLatencies
            state.intervalBegan = now
            return taken
        }
        return BenchInterval(latencies, from: begin, to: now, of: window)
    }
}

/// A part of the time, for plots and progress.
struct BenchInterval: Sendable {
    /// Of its end, since the measuring began.
    let milliseconds: Int
    let count: Int
    let throughput: Double
    let latency: BenchLatency

    init(
        _ latencies: BenchRecorder.Latencies, from begin: Int64, to end: Int64,
        of window: Range<Int64>
    ) {
        milliseconds = Int((end - window.lowerBound) / 1_000_000)
        count = Int(latencies.totalCount)
        throughput = end > begin ? Double(count) * 1e9 / Double(end - begin) : 0
        latency = BenchLatency(latencies)
    }
}

/// Percentiles in nanoseconds; all 0 if nothing was measured.
struct BenchLatency: Sendable {
    var p50, p95, p99, p999, max, mean: UInt64

    init(_ latencies: BenchRecorder.Latencies) {
        let isEmpty = latencies.totalCount == 0
        max = isEmpty ? 0 : latencies.maxRecorded
        mean = isEmpty ? 0 : UInt64(latencies.mean)
        p50 = latencies.valueAtPercentile(50)
        p95 = latencies.valueAtPercentile(95)
        p99 = latencies.valueAtPercentile(99)
        p999 = latencies.valueAtPercentile(99.9)
    }
}

extension ClientError.Code {
    /// Short, for counting: `connectionLost`, `noNode`.
    fileprivate var word: String {
        switch self {
        case .refused(let reason): "\(reason)"
        case .refusedWithUnknownCode(let code): "code\(code)"
        default: "\(self)"
        }
    }
}
