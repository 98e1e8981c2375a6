import Histogram

/// Tells what came of a benchmark.
extension BenchResult {
    // MARK: For people

    func write(to output: Output) {
        output.line(output.bold("\(plan.workload.rawValue) on \(plan.servers)"))
        output.line(output.dim(settings))
        output.line("")
        let head = ["", "throughput", "p50", "p95", "p99", "p99.9", "max", "errors"]
        var rows = [head]
        let all = totals.all
        rows.append(
            row(plan.workload.rawValue, throughput, all, errors: "\(totals.errorCount)"))
        if plan.workload.kinds.count > 1 {
            for (kind, latencies) in zip(plan.workload.kinds, totals.latencies) {
                let share = Double(latencies.totalCount) / Double(max(1, all.totalCount))
                rows.append(row("  " + kind.rawValue, throughput * share, latencies, errors: ""))
            }
        }
        for line in Self.aligned(rows) { output.line(line) }
        for note in notes { output.line(note) }
    }

    private func row(
        _ name: String, _ throughput: Double, _ latencies: BenchRecorder.Latencies, errors: String
    ) -> [String] {
        let latency = BenchLatency(latencies)
        let times = [latency.p50, latency.p95, latency.p99, latency.p999, latency.max]
        return [name, BenchWords.rate(throughput)] + times.map(BenchWords.time) + [errors]
    }

    private static func aligned(_ rows: [[String]]) -> [String] {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            zip(row, widths).enumerated().map { index, cell in
                let blank = String(repeating: " ", count: cell.1 - cell.0.count)
                return index == 0 ? cell.0 + blank : blank + cell.0
            }.joined(separator: "   ")
        }
    }

    /// What was asked, in a line.
    var settings: String {
        var parts = [Words.count(plan.connections, "connection")]
        if plan.workload.usesRequests && plan.rate == nil {
            parts.append("\(Words.count(plan.depth, "request")) in flight on each")
        }
        if let rate = plan.rate { parts.append("\(rate) operations a second asked for") }
        if plan.workload.needsNodes && plan.workload != .watch {
            parts.append(Words.count(plan.nodes, "node"))
        }
        if plan.workload != .connect { parts.append("\(Words.count(plan.size, "byte")) of data") }
        if plan.workload == .mixed { parts.append("\(plan.readPercent) % reads") }
        if plan.workload == .multi {
            parts.append("\(Words.count(plan.operations, "operation")) in each")
        }
        let seconds = BenchWords.fixed(Double(nanoseconds) / 1e9, 1)
        let warmUp = BenchWords.fixed(Double(plan.warmUpNanoseconds) / 1e9, 1)
        parts.append("\(seconds) s after \(warmUp) s of warm-up")
        return parts.joined(separator: ", ")
    }

    private var notes: [String] {
        var notes: [String] = []
        if isInterrupted { notes.append("interrupted: this is what was measured until then") }
        let missed = Int(totals.missed.totalCount)
        if missed > 0 {
            notes.append(
                "the servers did not keep up with the rate: \(Words.count(missed, "operation")) "
                    + "had not begun at the end, and count with how long they had waited")
        }
        if let error = totals.firstError { notes.append("first error: \(error)") }
        for (reason, count) in totals.errors.sorted(by: { $0.key < $1.key }) {
            notes.append("  \(reason): \(count)")
        }
        return notes
    }

    // MARK: For programs

    func write(to json: inout JSONWriter) {
        let all = totals.all
        json.beginObject()
        json.add("workload", plan.workload.rawValue)
        json.add("servers", plan.servers)
        json.add("connections", plan.connections)
        json.add("depth", plan.depth)
        json.add("nodes", plan.nodes)
        json.add("dataLength", plan.size)
        json.add("readPercent", plan.readPercent)
        json.add("operationsOfMulti", plan.operations)
        if let rate = plan.rate { json.add("rate", rate) } else { json.addNull("rate") }
        json.add("milliseconds", nanoseconds / 1_000_000)
        json.add("warmUpMilliseconds", plan.warmUpNanoseconds / 1_000_000)
        json.add("isInterrupted", isInterrupted)
        json.add("completed", totals.completed)
        json.add("throughput", Int(throughput.rounded()))
        json.add("missed", totals.missed.totalCount)
        json.add("errors", totals.errorCount)
        json.beginObject("errorsByReason")
        for (reason, count) in totals.errors.sorted(by: { $0.key < $1.key }) {
            json.add(name: reason, count)
        }
        json.endObject()
        json.add("measured", all.totalCount)
        json.add(microseconds: BenchLatency(all))
        json.beginArray("kinds")
        for (kind, latencies) in zip(plan.workload.kinds, totals.latencies) {
            json.beginObject()
            json.add("kind", kind.rawValue)
            json.add("measured", latencies.totalCount)
            json.add(microseconds: BenchLatency(latencies))
            json.endObject()
        }
        json.endArray()
        json.beginArray("intervals")
        for interval in intervals {
            json.beginObject()
            json.add("milliseconds", interval.milliseconds)
            json.add("completed", interval.count)
            json.add("throughput", Int(interval.throughput.rounded()))
            json.add(microseconds: interval.latency)
            json.endObject()
        }
        json.endArray()
        json.endObject()
    }
}

extension JSONWriter {
    fileprivate mutating func add(microseconds latency: BenchLatency) {
        beginObject("latencyMicroseconds")
        add("p50", latency.p50 / 1000)
        add("p95", latency.p95 / 1000)
        add("p99", latency.p99 / 1000)
        add("p999", latency.p999 / 1000)
        add("max", latency.max / 1000)
        add("mean", latency.mean / 1000)
        endObject()
    }
}
