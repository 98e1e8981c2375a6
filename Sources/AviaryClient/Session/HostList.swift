package import NIOCore

/// A generator whose numbers follow from its seed (SplitMix64), so that a run can be repeated.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) {
        state = seed
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

/// The servers, in the order they are tried, and how long to wait before the next attempt.
package struct HostList: Sendable {
    private let hosts: [Host]
    private let initial: TimeAmount
    private let maximum: TimeAmount
    private var index = 0
    /// Attempts in a row that led to no session.
    private var failures = 0

    package init(
        _ hosts: [Host], initialPause: TimeAmount, maximumPause: TimeAmount, shuffled: Bool,
        using random: inout SeededGenerator
    ) {
        precondition(!hosts.isEmpty, "there is a server to connect to")
        self.hosts = shuffled ? hosts.shuffled(using: &random) : hosts
        self.initial = initialPause
        self.maximum = maximumPause
    }

    package var count: Int { hosts.count }
    package var current: Host { hosts[(index + hosts.count - 1) % hosts.count] }

    package mutating func next() -> Host {
        defer { index = (index + 1) % hosts.count }
        return hosts[index]
    }

    /// The host that comes so many places after the current one.
    package func other(_ distance: Int) -> Host {
        hosts[(index + hosts.count - 1 + distance) % hosts.count]
    }

    /// Makes the host the next to be tried.
    package mutating func prefer(_ host: Host) {
        index = hosts.firstIndex(of: host) ?? index
    }

    package mutating func succeeded() {
        failures = 0
    }

    package mutating func failed() {
        failures += 1
    }

    /// Up to the initial pause in the first round, then from a half to all of what has doubled with
    /// every round.
    package func pause(using random: inout SeededGenerator) -> TimeAmount {
        let round = min(failures / hosts.count, 20)
        if round == 0 {
            return .nanoseconds(.random(in: 0...max(initial.nanoseconds, 0), using: &random))
        }
        let doubled = initial.nanoseconds.multipliedReportingOverflow(by: 1 << Int64(round))
        let limit = doubled.overflow ? maximum.nanoseconds : doubled.partialValue
        let span = max(min(limit, maximum.nanoseconds), 0)
        return .nanoseconds(.random(in: span / 2...span, using: &random))
    }
}
