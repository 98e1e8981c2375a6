/// How a learner hears of its leader's death before `syncLimit` says so: pings that stay away for much
/// longer than they usually do.
///
/// A leader of our own pings several times a second, and is suspected after seconds. One of Apache
/// pings every half tick, so there `syncLimit` comes first. The idea is that of accrual failure
/// detectors (Hayashibara et al., SRDS 2004), with the longest of the last gaps in place of a
/// distribution.
struct LeaderPulse: Sendable {
    private var last: Instant?
    /// Between the last pings, in milliseconds.
    private var gaps: [Int64] = []
    private var next = 0

    private static let gapsKept = 16
    private static let gapsNeeded = 4
    /// So many of the longest usual gaps are too many.
    private static let patience: Int64 = 6
    /// No silence is shorter than what a busy machine may cause.
    private static let shortestSilence: Int64 = 1500

    mutating func beat(at now: Instant) {
        defer { last = now }
        guard let last else { return }
        let gap = now.milliseconds - last.milliseconds
        if gaps.count < Self.gapsKept {
            gaps.append(gap)
        } else {
            gaps[next] = gap
            next = (next + 1) % Self.gapsKept
        }
    }

    /// The silence, in milliseconds, after which the leader is held for dead; nil while too little is
    /// known of it.
    var longestSilence: Int64? {
        guard gaps.count >= Self.gapsNeeded, let longest = gaps.max() else { return nil }
        return max(Self.shortestSilence, longest * Self.patience)
    }
}
