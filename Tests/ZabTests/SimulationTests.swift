import AviaryWire
import Testing

@testable import Zab

struct SimulationTests {
    @Test(arguments: [0, 125, 250, 375] as [UInt64])
    func `crashes and cuts lose nothing that was committed, and end with all in step`(
        first: UInt64
    ) {
        for seed in first..<first + 125 {
            let ensemble = SimulatedEnsemble(seed: seed)
            ensemble.run(faultsFor: 8000, thenFor: 8000)
            #expect(ensemble.checker.violation == nil, "seed \(seed)")
            if ensemble.checker.violation != nil { return }
            check(ensemble, seed: seed)
        }
    }

    /// Once nothing goes wrong any more, somebody leads, writes are committed, and all have them.
    private func check(_ ensemble: SimulatedEnsemble, seed: UInt64) {
        let leaders = ensemble.members.filter { $0.role == .leading }
        #expect(leaders.count == 1, "seed \(seed)")
        #expect(ensemble.checker.history.count > 20, "seed \(seed)")
        let length = ensemble.checker.history.count
        for member in ensemble.members {
            #expect(member.role != .looking, "seed \(seed), server \(member.id)")
            #expect(length - member.tree.count < 60, "seed \(seed), server \(member.id)")
        }
    }

    @Test func `a seed decides all that happens`() {
        for seed in 0..<3 as Range<UInt64> {
            let traces = (0..<2).map { _ in
                let ensemble = SimulatedEnsemble(seed: seed)
                ensemble.run(faultsFor: 4000, thenFor: 1000)
                return ensemble.trace
            }
            #expect(traces[0] == traces[1])
        }
    }

    /// The simulation itself is tested: a mistake that it is for must be found.
    @Test func `a server that acknowledges before its log is safe is found out`() {
        var caught = 0
        for seed in 0..<20 as Range<UInt64> {
            let ensemble = SimulatedEnsemble(seed: seed, acknowledgesEarly: true)
            ensemble.run(faultsFor: 8000, thenFor: 1000)
            if ensemble.checker.violation != nil { caught += 1 }
        }
        #expect(caught >= 15)
    }
}
