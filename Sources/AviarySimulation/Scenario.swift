import AviaryWire

/// A history that is told, instead of drawn: settings that are fixed, faults at their times, and what
/// has to come of it. What it does not say follows from the seed as ever.
///
/// ```
/// # ZOOKEEPER-1: what it guards.
/// seeds 0 20
/// set voters 3
/// at 700 crash leader
/// at 900 cut 1 2 for 500
/// expect diffs
/// breaks keeps-snapshots
/// ```
///
/// Times are milliseconds. With an `at`, no other faults happen. `breaks` names the mistake without
/// whose repair the scenario fails at one of the seeds at least.
package struct Scenario: Sendable {
    package private(set) var seeds: Range<UInt64> = 0..<1
    package private(set) var expected: [SimulationStatistics.Count] = []
    package private(set) var breaks: Sabotage?
    private(set) var settings: [(name: String, value: Int)] = []
    private(set) var faults: [(at: Int64, fault: Fault)] = []

    enum Fault: Sendable {
        case crash(Target)
        case pause(Target, for: Int64)
        case isolate(Target, for: Int64)
        case cut(Int, Int, for: Int64)
        case stallDisk(Target, for: Int64)
        case failPower
    }

    enum Target: Hashable, Sendable {
        case leader
        case member(Int)
    }

    /// What is wrong with a line.
    package struct Mistake: Error, Hashable {
        package let line: Int
        package let message: String

        package init(line: Int, message: String) {
            self.line = line
            self.message = message
        }
    }

    package init(_ text: String) throws(Mistake) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        for (number, line) in lines.enumerated() {
            let words = line.split(separator: " ").map(String.init)
            guard let first = words.first, !first.hasPrefix("#") else { continue }
            guard take(first, Array(words.dropFirst())) else {
                throw Mistake(line: number + 1, message: "\"\(line)\" is not understood")
            }
        }
    }

    private mutating func take(_ first: String, _ rest: [String]) -> Bool {
        switch (first, rest.count) {
        case ("seeds", 2):
            guard let from = UInt64(rest[0]), let to = UInt64(rest[1]), from < to else {
                return false
            }
            seeds = from..<to
        case ("set", 2):
            guard let value = Int(rest[1]), Knobs.canSet(rest[0], to: value) else { return false }
            settings.append((name: rest[0], value: value))
        case ("at", 2...):
            guard let time = Int64(rest[0]), let fault = Fault(Array(rest.dropFirst())) else {
                return false
            }
            faults.append((at: time * 1000, fault: fault))
        case ("expect", 1):
            let count = SimulationStatistics.Count.allCases.first { $0.name == rest[0] }
            guard let count else { return false }
            expected.append(count)
        case ("breaks", 1):
            guard let mistake = Sabotage(rawValue: rest[0]) else { return false }
            breaks = mistake
        default: return false
        }
        return true
    }
}

extension Scenario.Target {
    /// Members are numbered from 1, as servers are.
    init?(_ word: String) {
        if word == "leader" {
            self = .leader
        } else if let id = Int(word), id > 0 {
            self = .member(id - 1)
        } else {
            return nil
        }
    }
}

extension Scenario.Fault {
    init?(_ words: [String]) {
        if words == ["power"] {
            self = .failPower
            return
        }
        if words.count == 2, words[0] == "crash", let target = Scenario.Target(words[1]) {
            self = .crash(target)
            return
        }
        guard words.count >= 4, words[words.count - 2] == "for",
            let length = words.last.flatMap({ Int64($0) })
        else { return nil }
        let time = length * 1000
        switch (words[0], Scenario.Target(words[1])) {
        case ("pause", let target?) where words.count == 4: self = .pause(target, for: time)
        case ("isolate", let target?) where words.count == 4: self = .isolate(target, for: time)
        case ("stall", let target?) where words.count == 4: self = .stallDisk(target, for: time)
        case ("cut", .member(let one)?) where words.count == 5:
            guard let other = Int(words[2]), other > 0 else { return nil }
            self = .cut(one, other - 1, for: time)
        default: return nil
        }
    }
}
