import AviaryCore
import AviaryWire
import Zab

/// How large, how slow and how unlucky an ensemble is: drawn for each seed, so that what is rare with
/// the defaults is common in some runs. Times are in microseconds, unless a name says ticks.
package struct Knobs: Sendable {
    var voters: Int
    var observers: Int
    var clients: Int
    var tick: Int64
    var initLimit: Int64
    var syncLimit: Int64
    var historyLimit: Int
    var snapCount: Int
    var snapshotsKept: Int
    var readsLog: Bool
    var prefersSnapshots: Bool
    var leaderServes: Bool
    var preallocateBytes: Int
    var logSizeLimitBytes: Int
    var maximumFrameLength: Int
    var maximumReplyBatchBytes: Int
    var globalOutstandingLimit: Int
    var snapshotPieceBytes: Int
    var linkDelay: Int
    /// Once in so many times a socket is read late, and brings what was sent in several writes.
    var busyReaders: Int
    var diskDelay: Int
    /// Parts per million that a member's clock may be off.
    var clockDrift: Int
    var thinkTime: Int
    /// Requests that a client may have on their way.
    var pipelineDepth: Int
    var sessionTicks: Int
    var faultTicks: Int
    /// Between two faults, at most.
    var faultGap: Int
    /// Faults go on for so long, at most.
    var faultLength: Int
    /// Crashes and nothing else; or everything.
    var crashesOnly: Bool
    var diskFaults: Bool
    var maximumNotificationTicks: Int64
    var grouping: Grouping
    var localSessions: Bool
    var localSessionsUpgrading: Bool
    var readOnlyMode: Bool
    /// The counter at which a leader gives up its epoch.
    var endOfEpoch: UInt32
    /// Whether learners hand on what no client of theirs may ask for, as Apache's do.
    var hasForeignRequests: Bool
    /// The longest transaction that a server reads. Only a scenario makes it short.
    var maximumTransactionBytes = QuorumPacketDecoder.defaultMaximumLength
    /// How many ephemerals a client makes before it closes its session; 0: as it comes. Only a
    /// scenario sets it.
    var ephemeralsPerSession = 0

    /// How votes are counted.
    enum Grouping: String {
        case majority
        /// One group, whose voters weigh differently.
        case weights
        /// Several groups.
        case groups
    }

    init(_ random: inout SeededRandom) {
        func pick<Value>(_ values: [Value]) -> Value { values[random.below(values.count)] }
        voters = pick([3, 3, 3, 3, 5, 5, 7])
        observers = pick([0, 0, 1, 2])
        clients = pick([2, 3, 5])
        tick = pick([20_000, 50_000, 100_000, 500_000])
        initLimit = pick([5, 10])
        syncLimit = pick([2, 4])
        historyLimit = pick([2, 3, 10, 100])
        snapCount = pick([2, 4, 10, 40, 1000])
        snapshotsKept = pick([1, 2, 3, 0])
        readsLog = pick([true, false])
        prefersSnapshots = pick([true, false])
        leaderServes = pick([true, true, true, false])
        preallocateBytes = pick([0, 0, 5000])
        logSizeLimitBytes = pick([0, 0, 300, 2000])
        maximumFrameLength = pick([400, 4000, 0xf_ffff])
        maximumReplyBatchBytes = pick([1, 300, 1 << 20])
        globalOutstandingLimit = pick([1, 3, 1000])
        snapshotPieceBytes = pick([1, 200, 4096])
        linkDelay = pick([300, 3000, Int(tick / 4)])
        diskDelay = pick([200, 3000, Int(tick / 3)])
        clockDrift = pick([0, 1000, 50_000])
        thinkTime = pick([Int(tick / 20), Int(tick / 4), Int(tick)])
        pipelineDepth = pick([1, 3, 8])
        sessionTicks = pick([4, 8, 16])
        faultTicks = pick([60, 120])
        faultGap = Int(tick) * pick([2, 6, 20])
        faultLength = Int(tick) * pick([2, 8, 20])
        crashesOnly = pick([false, false, false, true])
        diskFaults = pick([false, false, true])
        maximumNotificationTicks = pick([2, 8])
        grouping = pick([.majority, .majority, .majority, .weights, .groups])
        localSessions = pick([false, false, false, true])
        localSessionsUpgrading = pick([false, true])
        readOnlyMode = pick([false, true])
        endOfEpoch = pick([.max, .max, .max, 100, 30])
        hasForeignRequests = pick([false, false, true])
        busyReaders = pick([2, 10, 1000])
    }

    var tickMilliseconds: Int64 { tick / 1000 }
    var members: Int { voters + observers }
    var sessionTimeoutMilliseconds: Int32 {
        Int32(clamping: tickMilliseconds * Int64(sessionTicks))
    }
    /// How long an ensemble without faults may take to serve again, in microseconds.
    var recoveryLimit: Int64 {
        (6 * (initLimit + syncLimit) + 4 * maximumNotificationTicks + 4 * Int64(sessionTicks))
            * tick
    }
}
