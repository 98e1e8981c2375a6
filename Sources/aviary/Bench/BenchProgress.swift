import Glibc

/// One line on standard error that tells how it goes: only on a terminal.
struct BenchProgress: Sendable {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private let plan: BenchPlan

    init(_ plan: BenchPlan) {
        self.plan = plan
    }

    func tell(_ text: String) {
        if isTerminal { writeToStandardError("\r\(text)\u{1b}[K") }
    }

    func show(_ interval: BenchInterval, errors: Int) {
        let latency = interval.latency
        let elapsed = BenchWords.fixed(Double(interval.milliseconds) / 1000, 1)
        let total = BenchWords.fixed(Double(plan.nanoseconds) / 1e9, 1)
        tell(
            "\(elapsed) of \(total) s   \(BenchWords.rate(interval.throughput))   "
                + "p50 \(BenchWords.time(latency.p50))   p99 \(BenchWords.time(latency.p99))   "
                + Words.count(errors, "error"))
    }

    /// Takes the line away again.
    func finish() {
        if isTerminal { writeToStandardError("\r\u{1b}[K") }
    }
}

/// Numbers for people.
enum BenchWords {
    /// Three digits that matter, and the unit.
    static func time(_ nanoseconds: UInt64) -> String {
        let value = Double(nanoseconds)
        if value < 999_500 { return "\(Int((value / 1e3).rounded())) µs" }
        if value < 999_500_000 { return "\(threeDigits(value / 1e6)) ms" }
        return "\(threeDigits(value / 1e9)) s"
    }

    static func rate(_ perSecond: Double) -> String { "\(Int(perSecond.rounded()))/s" }

    static func threeDigits(_ value: Double) -> String {
        fixed(value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0)
    }

    static func fixed(_ value: Double, _ digits: Int) -> String {
        let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
        let scaled = Int((value.magnitude * scale).rounded())
        let whole = "\(value < 0 ? "-" : "")\(scaled / Int(scale))"
        if digits == 0 { return whole }
        let rest = "\(scaled % Int(scale))"
        return whole + "." + String(repeating: "0", count: digits - rest.count) + rest
    }
}
