import AviarySimulation
import Foundation
import Testing

struct ScenarioTests {
    private static let directory = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Scenarios")

    private static var files: [String] {
        let files = try? FileManager.default.contentsOfDirectory(atPath: directory.path)
        return (files ?? []).filter { $0.hasSuffix(".txt") }.sorted()
    }

    private static func scenario(_ file: String) throws -> Scenario {
        let url = directory.appending(path: file)
        return try Scenario(String(decoding: Data(contentsOf: url), as: UTF8.self))
    }

    @Test func `there are scenarios`() {
        #expect(Self.files.count >= 13)
    }

    /// But for two, which are about the checkers alone.
    @Test func `each mistake of ZooKeeper's has a scenario that finds it`() throws {
        let found = try Set(Self.files.compactMap { try Self.scenario($0).breaks })
        let others: Set<Sabotage> = [.acknowledgesEarly, .commitsOutOfOrder]
        #expect(found == Set(Sabotage.allCases).subtracting(others))
    }

    @Test(arguments: files)
    func `a scenario comes to what it is about, and breaks no promise`(file: String) throws {
        let scenario = try Self.scenario(file)
        var statistics = SimulationStatistics()
        for seed in scenario.seeds {
            let outcome = Simulator(seed: seed, scenario: scenario).run()
            #expect(outcome.violation == nil, "seed \(seed)")
            statistics.add(outcome.statistics)
        }
        for count in scenario.expected { #expect(statistics[count] > 0, "\(count.name)") }
    }

    /// On a server without the repair that the scenario guards, it fails.
    @Test(arguments: files)
    func `a scenario finds the mistake that it is about`(file: String) throws {
        let scenario = try Self.scenario(file)
        guard let mistake = scenario.breaks else { return }
        #expect(
            scenario.seeds.contains { seed in
                let run = Simulator(seed: seed, scenario: scenario, sabotage: mistake).run()
                return run.violation != nil
            })
    }

    @Test(arguments: [
        "sets voters 3", "set voters 0", "set voters", "set nothing 1", "set readsLog 2",
        "seeds 3 3", "seeds a 3", "at 5 crash", "at 5 crash nobody", "at x power",
        "at 5 pause 1 for", "at 5 cut 1 0 for 3", "at 5 cut leader 1 for 3", "expect wonders",
        "breaks everything",
    ])
    func `a line that is not understood is named`(line: String) {
        #expect(throws: Scenario.Mistake(line: 2, message: "\"\(line)\" is not understood")) {
            try Scenario("# Guards nothing.\n\(line)\n")
        }
    }
}
