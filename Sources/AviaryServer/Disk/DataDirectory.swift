import AviaryCore
import AviaryStorage
import AviaryWire
import Zab

/// The data and log directories of a server, locked, recovered and ready to be written.
struct DataDirectory: ~Copyable {
    let tree: DataTree
    let log: TransactionLog<PosixFiles>
    let snapshots: SnapshotStore<PosixFiles>
    /// Transactions that were replayed.
    let replayed: Int
    let statistics: DiskStatistics
    /// What was out of the ordinary.
    let notes: [String]
    /// What a member of an ensemble needs besides; nil in a standalone server.
    let member: MemberFiles?
    let recovered: QuorumPeer.Recovered

    /// Where ZooKeeper keeps its files below the directories that are configured.
    static let versionDirectory = "version-2"

    init(_ configuration: ServerConfiguration) throws(StorageError) {
        let dataPath = "\(configuration.dataDir)/\(Self.versionDirectory)"
        let logPath = "\(configuration.dataLogDir)/\(Self.versionDirectory)"
        if !configuration.quorum.dataDirAutocreate {
            for path in [dataPath, logPath] { _ = try PosixFiles(reading: path) }
        }
        var dataFiles = try PosixFiles(directory: dataPath)
        try dataFiles.lock()
        var logFiles = try PosixFiles(directory: logPath)
        if logFiles.directory != dataFiles.directory { try logFiles.lock() }
        var settings = Recovery.Settings(hashSeed: .random(in: 1...UInt64.max))
        settings.extendedTypes = configuration.extendedTypesEnabled
        settings.trustsEmpty = configuration.snapshotTrustEmpty
        if configuration.ensemble != nil {
            settings.keepsOrphans = true
            settings.historyLimit = configuration.quorum.commitLogCount
            settings.trustsEmptyDatabase =
                configuration.quorum.databaseAutocreate || logFiles.hasInitializeFile
        }
        var recovery = Recovery(settings)
        let start = Clock.now.monotonicMilliseconds
        let tree = try recovery.recover(snapshots: &dataFiles, logs: &logFiles)
        var statistics = DiskStatistics()
        statistics.recoveryTime.add(Clock.now.monotonicMilliseconds - start)
        statistics.transactionsLoaded.add(Int64(recovery.replayed))
        var store = SnapshotStore(
            files: dataFiles, logFiles: try PosixFiles(directory: logPath),
            compression: configuration.snapshotCompression)
        // A log without a snapshot is not believed, so there is one before the first entry.
        if recovery.isNew { try store.write(tree.snapshot) }
        if configuration.ensemble != nil && !recovery.isUninitialized {
            logFiles.removeInitializeFile()
        }
        var recovered = QuorumPeer.Recovered(
            lastZxid: recovery.isUninitialized ? .none : tree.lastProcessedZxid)
        var member: MemberFiles?
        if configuration.ensemble != nil {
            var epochFiles = try PosixFiles(directory: dataPath)
            let epochs = try EpochFiles.load(last: tree.lastProcessedZxid, in: epochFiles)
            try EpochFiles.save(
                accepted: epochs.accepted, current: epochs.current, in: &epochFiles)
            recovered.acceptedEpoch = epochs.accepted
            recovered.currentEpoch = epochs.current
            recovered.floor = recovery.floor
            recovered.history = recovery.history.map {
                Proposal(zxid: $0.zxid, bytes: $0.payload)
            }
            settings.historyLimit = 0
            member = MemberFiles(
                epochFiles: epochFiles, logFiles: try PosixFiles(directory: logPath),
                recovery: settings)
        }
        self.member = member
        log = TransactionLog(
            files: logFiles, preallocateBytes: configuration.preAllocSizeKiB << 10,
            sizeLimitBytes: max(0, configuration.txnLogSizeLimitKiB) << 10,
            lastZxid: tree.lastProcessedZxid)
        snapshots = store
        self.recovered = recovered
        self.statistics = statistics
        replayed = recovery.replayed
        notes = recovery.notes
        self.tree = tree
    }
}
