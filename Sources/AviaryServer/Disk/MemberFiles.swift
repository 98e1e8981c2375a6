import AviaryCore
import AviaryStorage
import AviaryWire
import Zab

/// What of a member's data only an ensemble needs.
struct MemberFiles: ~Copyable, Sendable {
    private var epochFiles: PosixFiles
    private let logFiles: PosixFiles
    private let recovery: Recovery.Settings

    init(
        epochFiles: consuming PosixFiles, logFiles: consuming PosixFiles,
        recovery: Recovery.Settings
    ) {
        self.epochFiles = epochFiles
        self.logFiles = logFiles
        self.recovery = recovery
    }

    mutating func saveEpochs(accepted: Int64, current: Int64) throws(StorageError) {
        try EpochFiles.save(accepted: accepted, current: current, in: &epochFiles)
    }

    /// The tree as snapshots and log have it.
    func recoverTree(
        from snapshots: inout SnapshotStore<PosixFiles>
    ) throws(StorageError) -> DataTree {
        var recovery = Recovery(recovery)
        return try snapshots.recover(with: &recovery)
    }

    /// What a learner lacks, unless that is more than a part of the newest snapshot
    /// (`snapshotSizeFactor`), which is sent then.
    func history(
        from first: Zxid, through last: Zxid, snapshotPart: Double
    ) throws(StorageError) -> [Proposal]? {
        let size = try LogHistory.newestSnapshotSize(in: epochFiles)
        let limit = Int(Double(size) * snapshotPart)
        return try LogHistory.read(
            from: first, through: last, limitBytes: max(limit, Self.minimumHistoryBytes),
            in: logFiles
        ).map { entries in
            entries.map { Proposal(zxid: $0.zxid, bytes: $0.payload) }
        }
    }

    /// So much is always worth reading.
    private static let minimumHistoryBytes = 1 << 20
}
