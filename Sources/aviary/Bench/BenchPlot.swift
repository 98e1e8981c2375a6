import Glibc

/// Draws throughput and latency over time as SVG.
struct BenchPlot {
    private let result: BenchResult
    private var lines: [String] = []

    private static let width = 960.0
    private static let height = 600.0
    private static let throughputPanel = Panel(left: 90, top: 92, width: 760, height: 170)
    private static let latencyPanel = Panel(left: 90, top: 322, width: 760, height: 220)

    /// Where a curve is drawn, in pixels.
    private struct Panel {
        let left, top, width, height: Double

        var bottom: Double { top + height }
        var right: Double { left + width }
    }

    private struct Curve: Sendable {
        let name: String
        let color: String
        let value: @Sendable (BenchLatency) -> UInt64
    }

    /// Colours that remain apart for those who do not see all of them (Okabe and Ito).
    private static let curves = [
        Curve(name: "max", color: "#999999") { $0.max },
        Curve(name: "p99", color: "#d55e00") { $0.p99 },
        Curve(name: "p95", color: "#e69f00") { $0.p95 },
        Curve(name: "p50", color: "#0072b2") { $0.p50 },
    ]

    static func svg(_ result: BenchResult) -> String {
        var plot = BenchPlot(result: result)
        plot.draw()
        return plot.lines.joined(separator: "\n") + "\n"
    }

    private init(result: BenchResult) {
        self.result = result
    }

    private mutating func draw() {
        lines.append(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 960 600\" width=\"960\" "
                + "height=\"600\" font-family=\"system-ui, sans-serif\" font-size=\"13\" "
                + "fill=\"#222222\">")
        lines.append("<rect width=\"960\" height=\"600\" fill=\"#ffffff\"/>")
        let title = "\(result.plan.workload.rawValue) on \(result.plan.servers)"
        text(title, 24, 32, size: 18, weight: "bold")
        text(result.settings, 24, 53, color: "#666666")
        drawThroughput(Self.throughputPanel)
        drawLatency(Self.latencyPanel)
        text("seconds", Self.latencyPanel.right, Self.height - 18, anchor: "end")
        lines.append("</svg>")
    }

    // MARK: Panels

    private mutating func drawThroughput(_ panel: Panel) {
        let average = BenchWords.rate(result.throughput)
        text("throughput, operations a second; \(average) in all", panel.left, panel.top - 10)
        let highest = result.intervals.map(\.throughput).max() ?? 0
        let step = Self.niceStep(for: highest)
        let top = max(step, (highest / step).rounded(.up) * step)
        func y(_ value: Double) -> Double { panel.bottom - value / top * panel.height }
        for value in stride(from: 0, through: top, by: step) {
            grid(panel, at: y(value), label: Self.short(value))
        }
        drawTime(panel)
        let points = result.intervals.map { (x(of: $0, in: panel), y($0.throughput)) }
        curve(points, color: "#009e73")
    }

    /// The scale is logarithmic: what matters spans several powers of ten.
    private mutating func drawLatency(_ panel: Panel) {
        text("latency (logarithmic)", panel.left, panel.top - 10)
        let latencies = result.intervals.filter { $0.count > 0 }
        let lowest = latencies.map(\.latency.p50).min() ?? 1000
        let highest = latencies.map(\.latency.max).max() ?? 1_000_000
        var bottom = 1000.0
        while bottom * 10 <= Double(lowest) { bottom *= 10 }
        var decades = 1
        var top = bottom * 10
        while top < Double(highest) {
            top *= 10
            decades += 1
        }
        func y(_ nanoseconds: Double) -> Double {
            let share = log10(max(bottom, nanoseconds) / bottom) / Double(decades)
            return panel.bottom - share * panel.height
        }
        var value = bottom
        while value <= top * 1.01 {
            grid(panel, at: y(value), label: Self.roundTime(value))
            if decades <= 3 && value * 5 < top {
                for factor in [2.0, 5] {
                    grid(panel, at: y(value * factor), label: Self.roundTime(value * factor))
                }
            }
            value *= 10
        }
        drawTime(panel)
        for (index, one) in Self.curves.enumerated() {
            let points = latencies.map {
                (x(of: $0, in: panel), y(Double(one.value($0.latency))))
            }
            curve(points, color: one.color)
            let line = panel.top + 12 + Double(index) * 22
            lines.append(
                "<line x1=\"\(panel.right + 14)\" y1=\"\(line)\" x2=\"\(panel.right + 36)\" "
                    + "y2=\"\(line)\" stroke=\"\(one.color)\" stroke-width=\"3\"/>")
            text(one.name, panel.right + 44, line + 4)
        }
    }

    private mutating func drawTime(_ panel: Panel) {
        let step = Self.niceStep(for: seconds)
        for value in stride(from: 0, through: seconds + step / 100, by: step) {
            let x = panel.left + value / seconds * panel.width
            lines.append(
                "<line x1=\"\(Self.pixels(x))\" y1=\"\(panel.bottom)\" "
                    + "x2=\"\(Self.pixels(x))\" y2=\"\(panel.bottom + 5)\" stroke=\"#888888\"/>")
            text(Self.short(value), x, panel.bottom + 20, anchor: "middle")
        }
    }

    private var seconds: Double {
        max(0.001, Double(result.intervals.last?.milliseconds ?? 1000) / 1000)
    }

    private func x(of interval: BenchInterval, in panel: Panel) -> Double {
        panel.left + Double(interval.milliseconds) / 1000 / seconds * panel.width
    }

    // MARK: Elements

    private mutating func grid(_ panel: Panel, at y: Double, label: String) {
        lines.append(
            "<line x1=\"\(panel.left)\" y1=\"\(Self.pixels(y))\" x2=\"\(panel.right)\" "
                + "y2=\"\(Self.pixels(y))\" stroke=\"#dddddd\"/>")
        text(label, panel.left - 8, y + 4, anchor: "end")
    }

    private mutating func curve(_ points: [(Double, Double)], color: String) {
        let path = points.map { "\(Self.pixels($0.0)),\(Self.pixels($0.1))" }
        lines.append(
            "<polyline points=\"\(path.joined(separator: " "))\" fill=\"none\" "
                + "stroke=\"\(color)\" stroke-width=\"2\" stroke-linejoin=\"round\"/>")
        guard points.count < 3 else { return }
        for (x, y) in points {
            lines.append(
                "<circle cx=\"\(Self.pixels(x))\" cy=\"\(Self.pixels(y))\" r=\"3\" "
                    + "fill=\"\(color)\"/>")
        }
    }

    private mutating func text(
        _ text: String, _ x: Double, _ y: Double, size: Int = 13, weight: String = "normal",
        anchor: String = "start", color: String = "#222222"
    ) {
        lines.append(
            "<text x=\"\(Self.pixels(x))\" y=\"\(Self.pixels(y))\" font-size=\"\(size)\" "
                + "font-weight=\"\(weight)\" text-anchor=\"\(anchor)\" fill=\"\(color)\">"
                + "\(Self.escaped(text))</text>")
    }

    // MARK: Numbers

    private static func pixels(_ value: Double) -> String { BenchWords.fixed(value, 1) }

    /// 1, 2 or 5 times a power of ten, so that there are about five of them.
    private static func niceStep(for highest: Double) -> Double {
        var step = 0.001
        while true {
            for factor in [1.0, 2, 5] where highest / (step * factor) <= 5.5 {
                return step * factor
            }
            step *= 10
        }
    }

    private static func short(_ value: Double) -> String {
        if value >= 1e6 { return trimmed(value / 1e6) + " M" }
        if value >= 1e3 { return trimmed(value / 1e3) + " k" }
        return trimmed(value)
    }

    private static func trimmed(_ value: Double) -> String {
        var text = BenchWords.fixed(value, 3)
        while text.last == "0" { text.removeLast() }
        return text.last == "." ? String(text.dropLast()) : text
    }

    private static func roundTime(_ nanoseconds: Double) -> String {
        if nanoseconds < 1e6 { return trimmed(nanoseconds / 1e3) + " µs" }
        if nanoseconds < 1e9 { return trimmed(nanoseconds / 1e6) + " ms" }
        return trimmed(nanoseconds / 1e9) + " s"
    }

    private static func escaped(_ text: String) -> String {
        text.unicodeScalars.map { scalar in
            switch scalar {
            case "&": "&amp;"
            case "<": "&lt;"
            case ">": "&gt;"
            case "\"": "&quot;"
            case _ where scalar.value < 0x20: " "
            default: String(scalar)
            }
        }.joined()
    }
}
