import AviaryCore
import AviaryStorage
import AviaryWire
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Zab

/// The thread that writes the log and the one that writes snapshots, each the sole owner of its
/// files.
final class DiskThreads: Sendable {
    private let logThread = NIOThreadPool(numberOfThreads: 1)
    private let snapshotThread = NIOThreadPool(numberOfThreads: 1)
    private let log: Mutex<TransactionLog<PosixFiles>>
    private let snapshots: Mutex<SnapshotStore<PosixFiles>>
    /// How many snapshots a purge leaves; nil keeps everything.
    private let snapshotsToKeep: Int?
    private let slowSyncMilliseconds: Int64
    private let measured: Mutex<DiskStatistics>
    private let memory = Mutex(Memory())
    private let logger: Logger
    /// What to do when nothing more can be made durable.
    private let failed: @Sendable (StorageError) -> Void

    init(
        log: consuming sending TransactionLog<PosixFiles>,
        snapshots: consuming sending SnapshotStore<PosixFiles>,
        _ configuration: ServerConfiguration, statistics: DiskStatistics, logger: Logger,
        failed: @escaping @Sendable (StorageError) -> Void
    ) {
        self.log = Mutex(log)
        self.snapshots = Mutex(snapshots)
        let purges = configuration.autopurgePurgeIntervalHours > 0
        snapshotsToKeep = purges ? configuration.autopurgeSnapRetainCount : nil
        slowSyncMilliseconds = Int64(configuration.fsyncWarningThresholdMilliseconds)
        measured = Mutex(statistics)
        self.logger = logger
        self.failed = failed
        logThread.start()
        snapshotThread.start()
    }

    var statistics: DiskStatistics { measured.withLock { $0 } }

    func resetStatistics() { measured.withLock { $0 = DiskStatistics() } }

    /// Gives unused memory back, on the thread that has the time for it.
    func tidyMemory() {
        snapshotThread.submit { state in
            guard case .active = state else { return }
            self.memory.withLock { $0.tidy() }
        }
    }

    /// Waits for what is being written.
    func stop() async throws {
        try await logThread.shutdownGracefully()
        try await snapshotThread.shutdownGracefully()
    }

    /// The host has orders for the log thread, which was idle.
    func wake(_ host: Host) {
        logThread.submit { state in
            guard case .active = state else { return }
            self.carryOutOrders(of: host)
        }
    }

    /// Writes all that has gathered with one sync, tells the core, and looks for more.
    private func carryOutOrders(of host: Host) {
        do throws(StorageError) {
            while let orders = host.takeDiskOrders() {
                if let last = try append(orders, host) { host.persisted(last) }
            }
        } catch {
            failed(error)
        }
    }

    private func append(
        _ orders: [StepEffects.Disk], _ host: Host
    ) throws(StorageError) -> Zxid? {
        try log.withLock { log throws(StorageError) in
            var last: Zxid?
            var appended = 0
            for order in orders {
                switch order {
                case .append(let proposal):
                    try log.append(
                        zxid: proposal.zxid, payload: proposal.bytes.readableBytesSpan)
                    last = proposal.zxid
                    appended += 1
                case .rollLog: try log.roll()
                case .writeSnapshot(let snapshot): write(snapshot, host)
                }
            }
            let start = Clock.now.monotonicMilliseconds
            try log.flush()
            let taken = Clock.now.monotonicMilliseconds - start
            measured.withLock { measured in
                measured.syncTimes.add(taken)
                measured.batchSizes.add(Int64(appended))
                if taken > slowSyncMilliseconds { measured.slowSyncs += 1 }
            }
            if taken > slowSyncMilliseconds {
                logger.warning(
                    "the sync of the log was slow", metadata: ["milliseconds": "\(taken)"])
            }
            return last
        }
    }

    private func write(_ snapshot: TreeSnapshot, _ host: Host) {
        snapshotThread.submit { state in
            guard case .active = state else { return }
            self.snapshots.withLock { store in
                let start = Clock.now.monotonicMilliseconds
                do throws(StorageError) {
                    try store.write(snapshot)
                    let taken = Clock.now.monotonicMilliseconds - start
                    self.measured.withLock { $0.snapshotTimes.add(taken) }
                    self.logger.debug("snapshot written", metadata: ["zxid": "\(snapshot.zxid)"])
                    if let keeping = self.snapshotsToKeep {
                        try store.purge(keeping: keeping)
                    }
                } catch {
                    self.measured.withLock { $0.snapshotErrors += 1 }
                    self.logger.error("snapshot failed", metadata: ["error": "\(error)"])
                }
            }
            host.enter { core, effects, now in
                core.step(.snapshotEnded, at: now, into: &effects)
            }
        }
    }
}
