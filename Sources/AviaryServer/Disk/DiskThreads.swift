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
    /// Nil in a standalone server.
    private let member: Mutex<MemberFiles?>
    private let health = Mutex(Health())
    /// How many snapshots a purge leaves; nil keeps everything.
    private let snapshotsToKeep: Int?
    private let slowSyncMilliseconds: Int64
    private let measured: Mutex<DiskStatistics>
    private let memory = Mutex(Memory())
    /// Goes up when the log is cut or replaced: a snapshot ordered before is of a past that is gone.
    private let replacements = Mutex(0)
    private let logger: Logger
    /// What to do when nothing more can be made durable.
    private let failed: @Sendable (StorageError) -> Void

    init(
        log: consuming sending TransactionLog<PosixFiles>,
        snapshots: consuming sending SnapshotStore<PosixFiles>,
        member: consuming sending MemberFiles?, _ configuration: ServerConfiguration,
        statistics: DiskStatistics, logger: Logger,
        failed: @escaping @Sendable (StorageError) -> Void
    ) {
        self.log = Mutex(log)
        self.snapshots = Mutex(snapshots)
        self.member = Mutex(member)
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
    private static let snapshotBytesPerSecond = 16 << 20
    /// From 0, as all other threads have, to 19.
    private static let snapshotNiceness: Int32 = 5

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
            var batch = Batch()
            var next = 0
            while true {
                append(orders, &next, &batch)
                if next == orders.count { break }
                let order = orders[next]
                next += 1
                switch order {
                case .append: preconditionFailure("this is done")
                case .rollLog: persist(host) { log throws(StorageError) in try log.roll() }
                case .writeSnapshot(let snapshot): write(snapshot, host)
                case .saveEpochs, .truncate, .installSnapshot:
                    guard flush(&batch, host), carryOut(order, host) else { return }
                }
            }
            guard flush(&batch, host) else { return }
        }
    }

    /// Takes the entries from `next` on up to another order, in one hold of the log.
    private func append(
        _ orders: [StepEffects.Disk], _ next: inout Int, _ batch: inout Batch
    ) {
        log.withLock { log in
            while next < orders.count, case .append(let proposal) = orders[next] {
                log.append(zxid: proposal.zxid, payload: proposal.bytes.readableBytesSpan)
                batch.last = proposal.zxid
                batch.count += 1
                next += 1
            }
        }
    }

    /// What was appended and is not synced.
    private struct Batch {
        var last: Zxid?
        var count = 0
    }

    /// - Returns: false if the server stops, or can never go on.
    private func flush(_ batch: inout Batch, _ host: Host) -> Bool {
        let start = Clock.now.monotonicMilliseconds
        guard persist(host, { log throws(StorageError) in try log.flush() }) else { return false }
        if let last = batch.last {
            measure(Clock.now.monotonicMilliseconds - start, of: batch.count)
            host.persisted(last)
        }
        batch = Batch()
        return true
    }

    // MARK: What only a member is ordered to do

    /// After an error here it is not known what the disk holds, so there is no second attempt.
    private func carryOut(_ order: StepEffects.Disk, _ host: Host) -> Bool {
        do throws(StorageError) {
            switch order {
            case .saveEpochs(let accepted, let current):
                try member.withLock { member throws(StorageError) in
                    try member?.saveEpochs(accepted: accepted, current: current)
                }
                host.done(.epochsSaved)
            case .truncate(let zxid):
                replacements.withLock { $0 += 1 }
                host.truncated(to: try truncate(after: zxid), after: zxid)
            case .installSnapshot(let snapshot):
                replacements.withLock { $0 += 1 }
                try log.withLock { log throws(StorageError) in
                    try snapshots.withLock { store throws(StorageError) in
                        try log.replace(with: snapshot, in: &store)
                    }
                }
                host.snapshotInstalled()
            case .append, .rollLog, .writeSnapshot: preconditionFailure("this is everyone's")
            }
            return true
        } catch {
            failed(error)
            return false
        }
    }

    private func truncate(after zxid: Zxid) throws(StorageError) -> TreeBox {
        try log.withLock { log throws(StorageError) in
            try snapshots.withLock { store throws(StorageError) in
                try log.truncate(after: zxid, in: &store)
                return try member.withLock { member throws(StorageError) in
                    guard let tree = try member?.recoverTree(from: &store) else {
                        preconditionFailure("a standalone server has no leader")
                    }
                    return TreeBox(tree)
                }
            }
        }
    }

    /// Reads what a learner lacks, on the thread that has the time for it.
    func readHistory(
        from first: Zxid, through last: Zxid, snapshotPart: Double,
        _ answer: @escaping @Sendable ([Proposal]?) -> Void
    ) {
        snapshotThread.submit { state in
            guard case .active = state else { return }
            do throws(StorageError) {
                answer(
                    try self.member.withLock { member throws(StorageError) in
                        try member?.history(
                            from: first, through: last, snapshotPart: snapshotPart)
                    })
            } catch {
                self.logger.error(
                    "the log cannot be read for a learner; it gets a snapshot",
                    metadata: ["error": "\(error)"])
                answer(nil)
            }
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
        let replacement = replacements.withLock { $0 }
        snapshotThread.submit { state in
            guard case .active = state else { return }
            // Of this thread alone: what clients wait for comes first.
            setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Self.snapshotNiceness)
            self.snapshots.withLock { store in
                if self.replacements.withLock({ $0 }) != replacement { return }
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
