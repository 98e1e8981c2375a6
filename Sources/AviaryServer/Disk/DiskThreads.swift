import AviaryCore
import AviaryStorage
import AviaryWire
import Glibc
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
    private let health = Mutex(Health())
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

    /// What a snapshot may take of the disk, which is the log's in the first place.
    private static let snapshotBytesPerSecond = 32 << 20

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
        while let orders = host.takeDiskOrders() {
            var last: Zxid?
            var appended = 0
            for order in orders {
                switch order {
                case .append(let proposal):
                    log.withLock {
                        $0.append(
                            zxid: proposal.zxid, payload: proposal.bytes.readableBytesSpan)
                    }
                    last = proposal.zxid
                    appended += 1
                case .rollLog: persist(host) { log throws(StorageError) in try log.roll() }
                case .writeSnapshot(let snapshot): write(snapshot, host)
                case .saveEpochs, .truncate, .installSnapshot:
                    preconditionFailure("a standalone server has no leader")
                }
            }
            let start = Clock.now.monotonicMilliseconds
            guard persist(host, { log throws(StorageError) in try log.flush() }) else { return }
            measure(Clock.now.monotonicMilliseconds - start, of: appended)
            if let last { host.persisted(last) }
        }
    }

    /// Does something with the log until it succeeds: what was appended is kept meanwhile.
    ///
    /// - Returns: false if the server stops, or can never go on.
    @discardableResult
    private func persist(
        _ host: Host, _ body: (inout TransactionLog<PosixFiles>) throws(StorageError) -> Void
    ) -> Bool {
        health.withLock { $0.busySince = Clock.now.monotonicMilliseconds }
        while true {
            do throws(StorageError) {
                try log.withLock { log throws(StorageError) in try body(&log) }
                let isRecovered = health.withLock { $0.succeeded() }
                if isRecovered {
                    host.storage(isStalled: false)
                    logger.notice("the log can be written again")
                }
                return true
            } catch {
                guard error.code == .failed else {
                    failed(error)
                    return false
                }
                tell(error, host)
            }
            if host.isStopped { return false }
            sleep(Self.retrySeconds)
        }
    }

    private static let retrySeconds: UInt32 = 1

    private func tell(_ error: StorageError, _ host: Host) {
        let (isFirst, isTold) = health.withLock { health in
            (health.failed(at: Clock.now.monotonicMilliseconds), health.isToldNow)
        }
        if isFirst { host.storage(isStalled: true) }
        if isTold {
            logger.error(
                "the log cannot be written; writes wait, reads go on, and it is tried again",
                metadata: ["error": "\(error)"])
        }
    }

    private func measure(_ milliseconds: Int64, of appended: Int) {
        measured.withLock { measured in
            measured.syncTimes.add(milliseconds)
            measured.batchSizes.add(Int64(appended))
        }
        if milliseconds > slowSyncMilliseconds {
            logger.warning(
                "the sync of the log was slow", metadata: ["milliseconds": "\(milliseconds)"])
        }
    }

    /// To be called now and then from another thread: whether the disk has stopped answering.
    func lookAtHealth(of host: Host) {
        let stalledFor = health.withLock { $0.newlyStalled(at: Clock.now.monotonicMilliseconds) }
        guard let stalledFor else { return }
        host.storage(isStalled: true)
        logger.error(
            "the disk does not answer; writes wait for it, and reads go on",
            metadata: ["milliseconds": "\(stalledFor)"])
    }

    /// Whether writes can be made durable now.
    var isLogWritable: Bool { health.withLock { !$0.isStalled } }

    private func write(_ snapshot: TreeSnapshot, _ host: Host) {
        snapshotThread.submit { state in
            guard case .active = state else { return }
            self.snapshots.withLock { store in
                let start = Clock.now.monotonicMilliseconds
                do throws(StorageError) {
                    var pace = Pace(bytesPerSecond: Self.snapshotBytesPerSecond)
                    try store.write(snapshot) { pace.wrote($0) }
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
