import ArgumentParser
import CAllocationCounter
import Foundation

/// What the hot paths cost by themselves, without sockets, disks or other threads.
@main
struct MicroBenchmarks: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "MicroBenchmarks",
        abstract: "Measure hot paths, and see that they allocate no more than they may.",
        discussion: """
            Each path is run again and again for a while; the time is the median of the runs. Compare
            times only with those of the same machine and hour. Allocations are exact.

            Exit status: 0 all is within its limit; 1 something allocates more.
            """)

    @Option(help: "Only those whose name has this in it.")
    var only: String?
    @Option(help: "How long each is run, in seconds.")
    var seconds = 0.5
    @Flag(help: "Count allocations, and measure nothing.")
    var check = false
    @Flag(help: "One JSON object on each line.")
    var json = false

    private struct Result: Encodable {
        let name: String
        let allocations: Double
        let allocationLimit: Double
        let nanoseconds: Double?
    }

    func run() throws {
        var isWithin = true
        if !json {
            print("path".padded(to: 30), "allocations", "  limit", check ? "" : "      ns")
        }
        for each in Case.all where only.map({ each.name.contains($0) }) ?? true {
            let result = measure(each)
            if result.allocations > each.limit { isWithin = false }
            try show(result)
        }
        if !isWithin { throw ExitCode(1) }
    }

    private func measure(_ each: Case) -> Result {
        let body = each.prepare()
        let operations = Double(each.operations)
        // The first run fills tables, and lists that are used again.
        body()
        let before = aviary_allocation_count()
        body()
        let count = aviary_allocation_count() - before
        var times: [Double] = []
        if !check {
            let clock = ContinuousClock()
            let start = clock.now
            while clock.now - start < .seconds(seconds) || times.count < 5 {
                times.append((clock.measure(body) / .nanoseconds(1)) / operations)
            }
            times.sort()
        }
        return Result(
            name: each.name, allocations: Double(count) / operations,
            allocationLimit: each.limit,
            nanoseconds: times.isEmpty ? nil : times[times.count / 2])
    }

    private func show(_ result: Result) throws {
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys]
            print(String(decoding: try encoder.encode(result), as: UTF8.self))
            return
        }
        let time = result.nanoseconds.map { String(format: "%8.1f", $0) } ?? ""
        let isOver = result.allocations > result.allocationLimit
        print(
            result.name.padded(to: 30), String(format: "%11.3f", result.allocations),
            String(format: "%7.3f", result.allocationLimit), time, isOver ? "  more than it may" : "")
    }
}

extension String {
    fileprivate func padded(to length: Int) -> String {
        padding(toLength: max(length, count), withPad: " ", startingAt: 0)
    }
}
