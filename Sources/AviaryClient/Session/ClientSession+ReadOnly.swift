package import NIOCore

/// The search for a server that is not read-only, while one is that is.
struct Probing: Hashable, Sendable {
    /// When to ask the next; nil while an answer is awaited.
    var deadline: NIODeadline?
    var interval: TimeAmount = .milliseconds(100)
    /// How many places behind the current server the last asked one comes.
    var distance = 0
    var number: UInt64 = 0
}

extension ClientSession {
    /// Source: ClientCnxn.pingRwServer, ZooKeeper 3.9.5.
    mutating func beginProbing(at now: NIODeadline) {
        var probing = Probing()
        probing.deadline = now + probing.interval
        self.probing = probing
    }

    mutating func probeIfDue(at now: NIODeadline) {
        guard var probing, let deadline = probing.deadline, now >= deadline else { return }
        // The current server is asked too, when there is no other: it may have found a quorum.
        probing.distance = hosts.count == 1 ? 0 : probing.distance % (hosts.count - 1) + 1
        probing.number = nextSequence
        nextSequence += 1
        probing.deadline = nil
        self.probing = probing
        effects.append(.probe(hosts.other(probing.distance), number: probing.number))
    }

    /// What a server that was asked has answered; false also if it did not.
    package mutating func probeAnswered(
        _ number: UInt64, isReadWrite: Bool, at now: NIODeadline
    ) {
        guard var probing, probing.number == number, phase == .connected else { return }
        if isReadWrite {
            hosts.prefer(hosts.other(probing.distance))
            lose(at: now)
            phase = .waiting(until: now)
            return
        }
        probing.interval = min(probing.interval * 2, .seconds(60))
        probing.deadline = now + probing.interval
        self.probing = probing
    }
}
