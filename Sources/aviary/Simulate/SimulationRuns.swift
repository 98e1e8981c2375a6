import AviarySimulation
import Glibc

/// What came of one seed after the other.
struct SimulationRuns {
    private let start = ContinuousClock.now
    let progress: SeedProgress
    private(set) var count: UInt64 = 0
    private(set) var statistics = SimulationStatistics()
    private(set) var failures: [SimulationOutcome] = []

    init(isSingle: Bool) {
        progress = SeedProgress(isShown: !isSingle)
    }

    var elapsed: Duration { ContinuousClock.now - start }

    private var seconds: Double {
        let parts = elapsed.components
        return Double(parts.seconds) + Double(parts.attoseconds) * 1e-18
    }

    private var rate: String { Self.tenths(seconds > 0 ? Double(count) / seconds : 0) }

    private static func tenths(_ value: Double) -> String {
        let tenths = Int(value * 10)
        return "\(tenths / 10).\(tenths % 10)"
    }

    mutating func add(_ outcome: SimulationOutcome) {
        count += 1
        statistics.add(outcome.statistics)
        let broken = failures.count + (outcome.violation == nil ? 0 : 1)
        progress.show("\(count) seeds, \(rate) a second, \(Words.count(broken, "violation"))")
    }

    mutating func failed(_ outcome: SimulationOutcome) { failures.append(outcome) }

    func summarize(_ output: Output) {
        let broken = Words.count(failures.count, "violation")
        let result = failures.isEmpty ? output.good(broken) : output.bad(broken)
        output.line(
            "\(Words.count(Int(clamping: count), "seed")) in \(Self.tenths(seconds)) s (\(rate) a"
                + " second): \(result)")
        let words = SimulationStatistics.Count.allCases.map { "\(statistics[$0]) \($0.words)" }
        for start in stride(from: 0, to: words.count, by: 4) {
            output.line("  " + words[start..<min(start + 4, words.count)].joined(separator: ", "))
        }
    }

    func write(to json: inout JSONWriter) {
        json.beginObject()
        json.add("seeds", count)
        json.add("seconds", Int(seconds))
        json.beginArray("violations")
        for outcome in failures {
            guard let violation = outcome.violation else { continue }
            json.beginObject()
            json.add("seed", outcome.seed)
            json.add("invariant", violation.invariant.rawValue)
            json.add("detail", violation.detail)
            json.add("timeMicroseconds", violation.time)
            json.add("lastEvents", outcome.lastEvents)
            json.endObject()
        }
        json.endArray()
        for count in SimulationStatistics.Count.allCases {
            json.add(name: count.name, statistics[count])
        }
        json.endObject()
    }
}

/// A line on standard error that tells how far it is: on a terminal only.
final class SeedProgress {
    private let isShown: Bool
    private var shownAt: ContinuousClock.Instant?

    init(isShown: Bool) {
        self.isShown = isShown && isatty(STDERR_FILENO) == 1
    }

    func show(_ text: @autoclosure () -> String) {
        let now = ContinuousClock.now
        guard isShown, shownAt.map({ now - $0 > .milliseconds(200) }) ?? true else { return }
        shownAt = now
        writeToStandardError("\r\u{1b}[K\(text()) ")
    }

    func finish() {
        if shownAt != nil { writeToStandardError("\r\u{1b}[K") }
        shownAt = nil
    }
}

/// A failed precondition ends the process: then the seed must be known too.
enum TrapNotice {
    private static let prefix = "aviary: a precondition failed; run again with --trace: seed "
    /// Written by the one thread there is, between runs, and read in the signal's handler.
    nonisolated(unsafe) private static var text: [UInt8] = []
    nonisolated(unsafe) private static var previous = sigaction()

    static func willRun(_ seed: UInt64) {
        unsafe text = Array("\n\(prefix)\(seed)\n".utf8)
    }

    /// Says which seed it is, and leaves the rest to who was told before: Swift's backtrace.
    static func install() {
        var action = sigaction()
        unsafe action.__sigaction_handler.sa_handler = { signal in
            unsafe TrapNotice.text.withUnsafeBytes { bytes in
                _ = unsafe Glibc.write(STDERR_FILENO, bytes.baseAddress, bytes.count)
            }
            unsafe sigaction(signal, &TrapNotice.previous, nil)
        }
        unsafe sigaction(SIGILL, &action, &previous)
    }
}
