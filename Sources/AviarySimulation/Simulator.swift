import AviaryCore
import AviaryWire
import Zab

/// Members, clients, links, disks and time, all drawn from one seed. It is the driver of each
/// `ServerCore`: it carries out what a step orders, and tells what came of it.
package final class Simulator {
    package let seed: UInt64
    package let knobs: Knobs
    let sabotage: Sabotage?
    /// Faults that are told; if there are any, no others happen.
    private let script: [(at: Int64, fault: Scenario.Fault)]
    var random: SeededRandom
    var now: Int64 = 0
    var agenda = Agenda<Happening>()
    var journal: Journal
    let members: [SimulatedMember]
    var clients: [SimulatedClient] = []
    var network: Network
    var wireCount = 0
    var checker: ProtocolChecker
    var contract = ClientChecker()
    /// When faults end, and no more begin.
    let faultsEnd: Int64
    var ending = Ending.faults
    var healedAt: Int64?
    var statistics = SimulationStatistics()
    private(set) var happenings = 0

    /// How far the end of a run is.
    enum Ending: Hashable {
        /// Faults go on, or have just ended.
        case faults
        /// All is well from here on, and the ensemble has until a limit to show it.
        case healed(limit: Int64)
        /// Clients ask for nothing more, and all members come to be equal.
        case quiet(limit: Int64)
        case done
    }

    /// A run that takes more than this does not end.
    private static let maximumHappenings = 3_000_000

    /// - Parameters:
    ///   - scenario: what is not to be drawn.
    ///   - journalLines: how many of the last events are kept in words.
    ///   - sink: gets each event in words, at once.
    package init(
        seed: UInt64, scenario: Scenario? = nil, sabotage: Sabotage? = nil, journalLines: Int = 0,
        sink: ((String) -> Void)? = nil
    ) {
        self.seed = seed
        self.sabotage = sabotage
        var random = SeededRandom(seed: seed &+ 1)
        for _ in 0..<8 { _ = random.next() }
        var knobs = Knobs(&random)
        for setting in scenario?.settings ?? [] { knobs.set(setting.name, to: setting.value) }
        script = scenario?.faults ?? []
        self.knobs = knobs
        journal = Journal(limit: journalLines, sink: sink)
        faultsEnd = max(Int64(knobs.faultTicks) * knobs.tick, (script.last?.at ?? 0) + knobs.tick)
        var told = knobs
        if sabotage == .overflowsEpochs { told.endOfEpoch = .max }
        members = (0..<knobs.members).map { [told] index in
            let drift = knobs.clockDrift
            let clock = SimulatedClock(
                offset: Int64(random.below(1_000_000_000)),
                wallOffset: 1_700_000_000_000_000 + Int64(random.below(10_000_000)),
                drift: Int64(random.below(2 * drift + 1) - drift))
            return SimulatedMember(index, told, clock: clock, diskSeed: random.next())
        }
        network = Network(nodes: knobs.members + knobs.clients, members: knobs.members)
        checker = ProtocolChecker(knobs)
        self.random = random
        clients = (0..<knobs.clients).map { SimulatedClient($0, knobs, seed: self.random.next()) }
    }

    /// Runs with faults and then without, and checks all the way.
    package func run() -> SimulationOutcome {
        for index in members.indices { schedule(.start(index), in: upTo(knobs.tick)) }
        for index in clients.indices { schedule(.client(index), in: upTo(4 * knobs.tick)) }
        for (index, fault) in script.enumerated() { schedule(.scripted(index), at: fault.at) }
        schedule(.mischief, at: script.isEmpty ? 5 * knobs.tick : faultsEnd)
        schedule(.inspect, in: knobs.tick)
        while violation == nil, ending != .done, let (time, next) = agenda.next() {
            now = max(now, time)
            happenings += 1
            journal.mix(now)
            journal.mix(next.code)
            happen(next)
            if happenings > Self.maximumHappenings {
                checker.fail(.liveness, "it goes on for ever without getting anywhere", at: now)
            }
        }
        return outcome
    }

    package var violation: Violation? { checker.violation ?? contract.violation }

    private var outcome: SimulationOutcome {
        statistics[.happenings] = happenings
        statistics[.simulatedMilliseconds] = Int(now / 1000)
        statistics[.localSessionsUpgraded] = checker.model.upgraded
        statistics[.commits] = checker.ledger.entries.count
        return SimulationOutcome(
            seed: seed, violation: violation, trace: journal.trace, statistics: statistics,
            lastEvents: journal.lines)
    }

    // MARK: Time and chance

    func schedule(_ happening: Happening, in delay: Int64) {
        agenda.add(happening, at: now + max(0, delay))
    }

    func schedule(_ happening: Happening, at time: Int64) {
        agenda.add(happening, at: max(now, time))
    }

    func upTo(_ limit: Int64) -> Int64 { Int64(random.below(max(1, Int(limit)))) }

    func oneIn(_ count: Int) -> Bool { random.below(count) == 0 }

    func note(_ line: @autoclosure () -> String) { journal.note(now, line()) }

    func fail(_ invariant: Violation.Invariant, _ detail: String) {
        checker.fail(invariant, detail, at: now)
    }

    // MARK: Happenings

    /// A member that is paused finds everything later, in order.
    private func happen(_ happening: Happening) {
        if let node = happening.node, node < members.count, members[node].pausedUntil != nil {
            if case .start = happening {
            } else {
                members[node].backlog.append(happening)
                return
            }
        }
        perform(happening)
    }

    func perform(_ happening: Happening) {
        switch happening {
        case .start(let index): start(index)
        case .resume(let index): resume(index)
        case .timer(let index, let life):
            if let server = live(index, life) { timerFired(server) }
        case .disk(let index, let life): if let server = live(index, life) { workDisk(server) }
        case .snapshots(let index, let life):
            if let server = live(index, life) { workSnapshots(server) }
        case .told(let report, let index, let life):
            if let server = live(index, life) { tell(report, to: server) }
        case .dialed(let one, let other): dialed(one, other)
        case .vote(let from, let to): deliverVote(from, to)
        case .voterLost(let other, let index, let life):
            if let server = live(index, life) { voterLost(other, at: server) }
        case .opened(let wire): open(wire)
        case .announce(let wire): announce(wire)
        case .unpark(let wire): unpark(wire)
        case .arrive(let wire, let side): arrive(wire, side)
        case .outbox(let connection, let index, let life):
            if let server = live(index, life) { emptyOutbox(of: connection, server) }
        case .arriveMore(let wire): takeMore(wire)
        case .client(let index): act(clients[index])
        case .mischief: makeMischief()
        case .scripted(let number): carryOut(script[number].fault)
        case .inspect: inspect()
        }
    }

    func live(_ index: Int, _ life: Int) -> LiveServer? {
        guard let server = members[index].server, server.life == life else { return nil }
        return server
    }
}

/// How a run ended.
package struct SimulationOutcome: Sendable {
    package let seed: UInt64
    package let violation: Violation?
    /// The same for the same seed; of another, if anything at all happened differently.
    package let trace: UInt64
    package let statistics: SimulationStatistics
    package let lastEvents: [String]
}
