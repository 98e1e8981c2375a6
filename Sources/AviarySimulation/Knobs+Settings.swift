import AviaryCore
import AviaryWire
import Zab

/// What members are told of the knobs.
extension Knobs {
    func serverSettings(of server: ServerID) -> ServerSettings {
        var settings = ServerSettings()
        settings.server = server
        settings.tickTimeMilliseconds = tickMilliseconds
        settings.minimumSessionTimeoutMilliseconds = Int32(clamping: 2 * tickMilliseconds)
        settings.maximumSessionTimeoutMilliseconds = Int32(clamping: 20 * tickMilliseconds)
        settings.maximumFrameLength = maximumFrameLength
        settings.maximumTransactionBytes = maximumTransactionBytes
        settings.snapCount = snapCount
        settings.globalOutstandingLimit = globalOutstandingLimit
        settings.maximumReplyBatchBytes = maximumReplyBatchBytes
        settings.sessionlessTimeoutMilliseconds = 4 * tickMilliseconds
        settings.leaderServes = leaderServes
        settings.localSessions = localSessions
        settings.localSessionsUpgrading = localSessionsUpgrading
        settings.readOnlyMode = readOnlyMode
        return settings
    }

    func quorumSettings(of index: Int) -> QuorumSettings {
        var settings = QuorumSettings(server: Self.id(of: index), verifier: verifier)
        settings.isObserver = index >= voters
        settings.configuration = "the same everywhere"
        settings.tickTime = tickMilliseconds
        settings.initLimit = initLimit
        settings.syncLimit = syncLimit
        settings.minimumNotificationInterval = max(1, tickMilliseconds / 5)
        settings.maximumNotificationInterval = tickMilliseconds * maximumNotificationTicks
        settings.finalizeWait = max(1, tickMilliseconds / 5)
        settings.leaderConnectDelay = max(1, tickMilliseconds / 10)
        settings.historyLimit = historyLimit
        settings.readsLog = readsLog
        settings.prefersSnapshots = prefersSnapshots
        settings.endOfEpoch = endOfEpoch
        return settings
    }

    private var verifier: QuorumVerifier {
        switch grouping {
        case .majority: QuorumVerifier(majorityOf: (0..<voters).map { Self.id(of: $0) })
        case .weights, .groups:
            QuorumVerifier(
                groups: groups.map { group in
                    QuorumVerifier.Group(
                        group.map { .init(Self.id(of: $0.voter), weight: Int64($0.weight)) })
                })
        }
    }

    /// The voters, as votes are counted.
    private var groups: [[(voter: Int, weight: Int)]] {
        let count = grouping == .groups ? (voters + 1) / 2 : 1
        return (0..<count).map { group in
            (0..<voters).filter { $0 % count == group }.map { voter in
                switch grouping {
                case .majority, .groups: (voter, 1)
                // The last one may not lead, and its vote does not count.
                case .weights: (voter, voter == 0 ? 2 : voter == voters - 1 ? 0 : 1)
                }
            }
        }
    }

    /// Whether these voters may decide: told without the product's own `QuorumVerifier`.
    func isQuorum(_ holders: [Int]) -> Bool {
        var won = 0
        for group in groups {
            let whole = group.reduce(0) { $0 + $1.weight }
            let held = group.filter { holders.contains($0.voter) }.reduce(0) { $0 + $1.weight }
            if 2 * held > whole { won += 1 }
        }
        return 2 * won > groups.count
    }

    static func id(of index: Int) -> ServerID { ServerID(Int64(index + 1)) }

    /// Each knob and what it is set to, for people.
    package var fields: [(name: String, value: String)] {
        let counts: [(String, Int)] = [
            ("voters", voters), ("observers", observers), ("clients", clients),
            ("tickMilliseconds", Int(tickMilliseconds)), ("initLimit", Int(initLimit)),
            ("syncLimit", Int(syncLimit)), ("historyLimit", historyLimit),
            ("snapCount", snapCount), ("snapshotsKept", snapshotsKept),
            ("preallocateBytes", preallocateBytes), ("logSizeLimitBytes", logSizeLimitBytes),
            ("maximumFrameLength", maximumFrameLength),
            ("maximumReplyBatchBytes", maximumReplyBatchBytes),
            ("globalOutstandingLimit", globalOutstandingLimit),
            ("snapshotPieceBytes", snapshotPieceBytes), ("linkDelayMicroseconds", linkDelay),
            ("busyReaders", busyReaders),
            ("diskDelayMicroseconds", diskDelay), ("clockDriftPerMillion", clockDrift),
            ("thinkTimeMicroseconds", thinkTime), ("pipelineDepth", pipelineDepth),
            ("sessionTicks", sessionTicks), ("faultTicks", faultTicks),
            ("faultGapMicroseconds", faultGap), ("faultLengthMicroseconds", faultLength),
            ("maximumNotificationTicks", Int(maximumNotificationTicks)),
            ("endOfEpoch", Int(endOfEpoch)), ("maximumTransactionBytes", maximumTransactionBytes),
            ("ephemeralsPerSession", ephemeralsPerSession),
        ]
        let switches: [(String, Bool)] = [
            ("readsLog", readsLog), ("prefersSnapshots", prefersSnapshots),
            ("leaderServes", leaderServes), ("crashesOnly", crashesOnly),
            ("diskFaults", diskFaults), ("localSessions", localSessions),
            ("localSessionsUpgrading", localSessionsUpgrading), ("readOnlyMode", readOnlyMode),
            ("hasForeignRequests", hasForeignRequests),
        ]
        return counts.map { (name: $0.0, value: String($0.1)) }
            + switches.map { (name: $0.0, value: String($0.1)) }
            + [(name: "grouping", value: grouping.rawValue)]
    }
}
