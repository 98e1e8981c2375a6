import ArgumentParser
import AviaryServer
import AviarySimulation
import Glibc

struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Try an ensemble against crashes and cuts that follow from a seed.",
        discussion: """
            Runs the servers of an ensemble, clients, disks, links and clocks in one thread, \
            without real time, files or sockets. The servers are the real ones; what they send \
            each other, their clients and their disks is the real bytes. From the seed follow \
            their number, all their settings, every delay, and what goes wrong: crashes with half \
            written files, disks that stall or fail, links that stall or break in the middle of a \
            message, one way or both, clocks that drift, processes that stand still. Then the \
            faults end, and the ensemble has to serve again.

            All the while it is checked that what was committed stays so, on a majority of disks \
            and in the same order everywhere (the invariants of ZooKeeper's Zab.tla, by their \
            names), and that clients see what they were promised: their own requests in order, \
            writes once and in real order, a watch before what it tells of, ephemerals for as \
            long as their session.

            The same seed gives the same run, to the last byte. So what to do with a violation: \
            run its seed alone with --trace, and read backwards from the end.

            With --json there is one object: seeds, seconds, violations (seed, invariant, detail, \
            timeMicroseconds, lastEvents), and how often what happened: \
            \(SimulationStatistics.Count.allCases.map(\.name).joined(separator: ", ")).

            With --sabotage the simulation makes a mistake on purpose, which must be found:
            \(Sabotage.allCases.map { "  \($0.rawValue): \($0.explanation)" }.joined(separator: "\n"))

            Examples:
              aviary simulate --seed 7
                  One run: its settings, and what came of it.
              aviary simulate --seed 7 --trace
                  The same run, with everything that happens.
              aviary simulate --until 10m
                  One seed after the other, from 1 on, until a rule is broken or time is up.
              aviary simulate --seed 1000 --count 500 --keep-going --json
                  500 seeds, whatever they find.
              aviary simulate --count 1000 --sabotage keeps-snapshots
                  How long it takes until that mistake is found.

            Exit status: 0 no rule was broken; 1 one was; 2 wrong use.
            """)

    @Option(help: ArgumentHelp("The first seed.", valueName: "number"))
    var seed: UInt64 = 1

    @Option(help: ArgumentHelp("How many seeds, one after the other.", valueName: "number"))
    var count: UInt64?

    @Option(
        help: ArgumentHelp(
            "Begin no other seed after so long, as in 30s, 10m or 2h.", valueName: "time"))
    var until: TimeSpanArgument?

    @Flag(help: "Print everything that happens, as it happens.")
    var trace = false

    @Flag(help: "Go on with the next seed when a rule was broken.")
    var keepGoing = false

    @Option(
        help: ArgumentHelp("Make this mistake on purpose.", valueName: "mistake"))
    var sabotage: Sabotage?

    @Option(
        help: ArgumentHelp(
            "Fix settings and faults as this file says; see docs/simulation.md.", valueName: "file")
    )
    var scenario: String?

    @Flag(help: "One JSON object.")
    var json = false

    func validate() throws {
        if let count, count == 0 { throw ValidationError("--count is at least 1.") }
        if trace && json { throw ValidationError("--trace is for people; leave out --json.") }
    }

    func run() throws {
        let output = Output()
        let told = try scenario.map(read)
        TrapNotice.install()
        var runs = SimulationRuns(isSingle: isSingle)
        var next = seed
        repeat {
            runSeed(next, told, &runs, output)
            next &+= 1
        } while (runs.failures.isEmpty || keepGoing) && goesOn(runs)
        runs.progress.finish()
        if json {
            output.json { runs.write(to: &$0) }
        } else {
            runs.summarize(output)
        }
        try output.finish()
        if !runs.failures.isEmpty { throw ToolExit.found }
    }

    private func read(_ file: String) throws -> Scenario {
        let text: String
        do throws(TextFileError) {
            text = try readTextFile(file)
        } catch {
            throw ValidationError("\(file) \(error.reason).")
        }
        do throws(Scenario.Mistake) {
            return try Scenario(text)
        } catch {
            throw ValidationError("\(file), line \(error.line): \(error.message).")
        }
    }

    private var isSingle: Bool { count == nil && until == nil || count == 1 }

    private func goesOn(_ runs: SimulationRuns) -> Bool {
        if isSingle || runs.count >= count ?? .max { return false }
        return until.map { runs.elapsed < $0.duration } ?? true
    }

    private func runSeed(
        _ seed: UInt64, _ scenario: Scenario?, _ runs: inout SimulationRuns, _ output: Output
    ) {
        TrapNotice.willRun(seed)
        let sink: ((String) -> Void)? = trace ? { writeToStandardOutput($0 + "\n") } : nil
        let simulator = Simulator(
            seed: seed, scenario: scenario, sabotage: sabotage, sink: sink)
        if isSingle && !json {
            describe(simulator, output)
            output.flush()
        }
        let outcome = simulator.run()
        runs.add(outcome)
        guard outcome.violation != nil else { return }
        // What happened before it: the same seed again, this time in words.
        let again = Simulator(
            seed: seed, scenario: scenario, sabotage: sabotage, journalLines: Self.linesShown)
        let told = again.run()
        runs.failed(told)
        if json { return }
        runs.progress.finish()
        if !isSingle { describe(simulator, output) }
        report(told, output)
        output.flush()
    }

    private static let linesShown = 40

    private func describe(_ simulator: Simulator, _ output: Output) {
        output.line(output.bold("seed \(simulator.seed)"))
        let fields = simulator.knobs.fields.map { "\($0.name) \($0.value)" }
        for start in stride(from: 0, to: fields.count, by: 4) {
            let row = fields[start..<min(start + 4, fields.count)]
            output.line("  " + row.joined(separator: ", "))
        }
    }

    private func report(_ outcome: SimulationOutcome, _ output: Output) {
        guard let violation = outcome.violation else { return }
        if !trace {
            output.line("the last events, in simulated milliseconds:")
            for line in outcome.lastEvents { output.line("  " + line) }
        }
        output.line(
            output.bad("violated: \(violation.invariant.rawValue)")
                + " with seed \(outcome.seed) after \(violation.time / 1000) ms")
        output.line("  \(violation.detail)")
        let mistake = sabotage.map { " --sabotage \($0.rawValue)" } ?? ""
        let file = scenario.map { " --scenario \($0)" } ?? ""
        output.line("  again: aviary simulate --seed \(outcome.seed)\(file)\(mistake) --trace")
    }
}

extension Sabotage: ExpressibleByArgument {}

/// `30s`, `10m`, `2h`.
struct TimeSpanArgument: ExpressibleByArgument {
    let duration: Duration

    init?(argument: String) {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600]
        guard let last = argument.last, let unit = units[last],
            let number = Int64(argument.dropLast()), number > 0, number < 1_000_000
        else { return nil }
        duration = .seconds(number * unit)
    }
}
