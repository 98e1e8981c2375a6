import AviaryWire
import Testing

@testable import Zab

/// Elections among several servers, whichever way their messages come.
struct ElectionOrderTests {
    /// Links keep their order; which one delivers next is drawn. Nothing is lost.
    private struct World {
        private(set) var elections: [FastLeaderElection]
        private var links: [[[Notification]]]
        private(set) var decided: [Vote?]

        init(_ size: Int, zxids: [Int64], epochs: [Int64]) {
            let verifier = QuorumVerifier(majorityOf: (0..<size).map { ServerID(Int64($0)) })
            elections = (0..<size).map {
                FastLeaderElection(
                    QuorumSettings(server: ServerID(Int64($0)), verifier: verifier))
            }
            links = Array(repeating: Array(repeating: [], count: size), count: size)
            decided = Array(repeating: nil, count: size)
            for index in 0..<size {
                var effects: [FastLeaderElection.Effect] = []
                elections[index].start(
                    lastZxid: Zxid(zxids[index]), currentEpoch: epochs[index],
                    at: Instant(milliseconds: 0), into: &effects)
                carryOut(effects, of: index)
            }
        }

        var busy: [(Int, Int)] {
            links.indices.flatMap { from in
                links.indices.filter { !links[from][$0].isEmpty }.map { (from, $0) }
            }
        }

        mutating func deliver(_ from: Int, _ to: Int) {
            let message = links[from][to].removeFirst()
            step(to, .received(message, from: ServerID(Int64(from))), at: 0)
        }

        /// Every server is given all the time it needs.
        mutating func finish() {
            for index in elections.indices {
                if let deadline = elections[index].deadline {
                    step(index, .deadlinePassed, at: deadline.milliseconds)
                }
            }
        }

        private mutating func step(
            _ index: Int, _ event: FastLeaderElection.Event, at time: Int64
        ) {
            var effects: [FastLeaderElection.Effect] = []
            elections[index].step(event, at: Instant(milliseconds: time), into: &effects)
            carryOut(effects, of: index)
        }

        private mutating func carryOut(_ effects: [FastLeaderElection.Effect], of index: Int) {
            for effect in effects {
                switch effect {
                case .send(let message, let to):
                    links[index][Int(to.rawValue)].append(message)
                case .decided(let vote): decided[index] = vote
                }
            }
        }
    }

    private func expected(_ zxids: [Int64], _ epochs: [Int64]) -> Vote {
        let best = zxids.indices.max { (epochs[$0], zxids[$0], $0) < (epochs[$1], zxids[$1], $1) }
        let index = best ?? 0
        return Vote(
            leader: ServerID(Int64(index)), zxid: Zxid(zxids[index]), peerEpoch: epochs[index])
    }

    /// Every order in which three servers' first messages can come, with every kind of tie.
    @Test func `three servers elect the best of them in every order of messages`() {
        var runs = 0
        for code in 0..<16 {
            let zxids = [0, code & 1, code >> 1 & 1].map { Int64($0) }
            let epochs = [0, code >> 2 & 1, code >> 3 & 1].map { Int64($0) }
            let wanted = expected(zxids, epochs)
            var stack = [(World(3, zxids: zxids, epochs: epochs), 0)]
            while let (world, depth) = stack.popLast() {
                let busy = world.busy
                if busy.isEmpty || depth == 3 {
                    var rest = world
                    while let (from, to) = rest.busy.first { rest.deliver(from, to) }
                    rest.finish()
                    #expect(rest.decided == [wanted, wanted, wanted])
                    runs += 1
                    continue
                }
                for (from, to) in busy {
                    var next = world
                    next.deliver(from, to)
                    stack.append((next, depth + 1))
                }
            }
        }
        #expect(runs > 2000)
    }

    @Test(arguments: [3, 5])
    func `servers elect the best of them in random orders of messages`(size: Int) {
        for seed in 0..<400 as Range<UInt64> {
            var random = SeededRandom(seed: seed)
            let zxids = (0..<size).map { _ in Int64(random.below(3)) }
            let epochs = (0..<size).map { _ in Int64(random.below(2)) }
            var world = World(size, zxids: zxids, epochs: epochs)
            while !world.busy.isEmpty {
                let busy = world.busy
                let (from, to) = busy[random.below(busy.count)]
                world.deliver(from, to)
            }
            world.finish()
            let wanted = expected(zxids, epochs)
            #expect(
                world.decided == Array(repeating: wanted, count: size), "seed \(seed)")
            let leaders = world.elections.filter { $0.state == .leading }
            #expect(leaders.count == 1)
        }
    }
}
