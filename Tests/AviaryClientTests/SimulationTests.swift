import Foundation
import Testing

@testable import AviaryClient

/// Sessions against faults of network, clocks and server that follow from a seed.
struct SimulationTests {
    /// More with `AVIARY_CLIENT_SEEDS`; a seed that fails is printed, and fails again.
    private static var seeds: ClosedRange<UInt64> {
        let asked = ProcessInfo.processInfo.environment["AVIARY_CLIENT_SEEDS"].flatMap(UInt64.init)
        return 1...(asked ?? 200)
    }

    @Test func `no request is lost, no watch forgotten and nothing told out of order`() {
        var counts: [String: Int] = [:]
        for seed in Self.seeds {
            let world = SimulatedWorld(seed: seed)
            let violation = world.run()
            #expect(violation == nil, "seed \(seed)")
            counts.merge(world.counts) { $0 + $1 }
            if violation != nil { break }
        }
        for what in ["replies", "failures", "events", "connections", "expiries", "cuts"] {
            #expect(counts[what, default: 0] > 0, "the simulation is about \(what)")
        }
    }

    @Test func `a seed leads to the same run each time`() {
        let (one, other) = (SimulatedWorld(seed: 77), SimulatedWorld(seed: 77))
        #expect(one.run() == other.run())
        #expect(one.counts == other.counts && one.now == other.now)
    }
}
