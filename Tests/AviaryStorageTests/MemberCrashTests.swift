import AviaryWire
import Foundation
import NIOCore
import Testing

@testable import AviaryCore
@testable import AviaryStorage

/// A member of an ensemble over a disk that loses what was not synced: its log is truncated and
/// replaced, its epochs are saved, and it crashes at any operation.
struct MemberCrashTests {
    /// What a start may find: the first entries of a list, at least so many.
    private struct Outcome {
        var entries: [LogEntry]
        var least: Int
    }

    private struct Life: ~Copyable {
        var random: SeededRandom
        let disk = MemoryDisk()
        let hasFaults: Bool
        var entries: [LogEntry] = []
        /// What a crash may leave now.
        var outcomes = [Outcome(entries: [], least: 0)]
        var floor = Zxid.zero
        /// What has been saved for sure, and what is being saved.
        var epochs = Epochs(accepted: 0, current: 0)
        var saving: [Epochs] = []
        var counts = Counts()
        /// What was done, each step after which transaction.
        var trace: [String] = []
        let seed: UInt64

        init(seed: UInt64, hasFaults: Bool) {
            self.seed = seed
            random = SeededRandom(seed: seed)
            self.hasFaults = hasFaults
        }

        mutating func run() throws {
            do throws(StorageError) {
                try recover()
                try work()
            } catch {
                let isExpected =
                    error.message.hasPrefix(MemoryDisk.crash.message)
                    || error.message.hasPrefix(MemoryDisk.fault.message)
                #expect(isExpected, "seed \(seed), \(trace): \(error)")
                trace.append("crash")
            }
        }

        // MARK: A start

        private mutating func recover() throws(StorageError) {
            var settings = Recovery.Settings(hashSeed: 42)
            settings.extendedTypes = true
            settings.historyLimit = 10
            settings.keepsOrphans = true
            var recovery = Recovery(settings)
            var files = MemoryFiles(disk: disk)
            var logFiles = MemoryFiles(disk: disk)
            let tree = try recovery.recover(snapshots: &files, logs: &logFiles)
            check(tree.snapshot, recovery)
            floor = recovery.floor
            if recovery.isNew {
                var store = store()
                try store.write(tree.snapshot)
            }
            let found = try EpochFiles.load(last: tree.lastProcessedZxid, in: files)
            check(found, last: tree.lastProcessedZxid)
            try EpochFiles.save(accepted: found.accepted, current: found.current, in: &files)
            epochs = found
            saving = []
        }

        private mutating func check(_ tree: TreeSnapshot, _ recovery: Recovery) {
            let found = outcomes.compactMap { outcome -> [LogEntry]? in
                let count =
                    tree.zxid == .zero
                    ? 0 : (outcome.entries.lastIndex { $0.header.zxid == tree.zxid } ?? -2) + 1
                guard count >= outcome.least else { return nil }
                let prefix = Array(outcome.entries.prefix(count))
                return same(RandomHistory.tree(after: prefix).snapshot, tree) ? prefix : nil
            }
            #expect(!found.isEmpty, "seed \(seed), \(trace): a phantom, or a loss: \(tree.zxid)")
            entries = found.first ?? entries
            outcomes = [Outcome(entries: entries, least: entries.count)]
            #expect(!recovery.notes.contains { $0.contains("differs") })
            let history = recovery.history
            #expect(history.isEmpty || history.last?.zxid == tree.zxid)
            #expect(
                history
                    == entries.suffix(history.count).map {
                        LoggedEntry(
                            zxid: $0.header.zxid, payload: ByteBuffer(bytes: $0.payload))
                    })
        }

        private func check(_ found: Epochs, last: Zxid) {
            let isRaised = found.current == Int64(last.epoch)
            let isAllowed = ([epochs] + saving).contains { allowed in
                found.accepted == allowed.accepted
                    && (found.current == allowed.current
                        || isRaised && found.current > allowed.current)
            }
            #expect(isAllowed, "seed \(seed): \(found) after \(epochs) and \(saving)")
        }

        // MARK: Work

        private func store() -> SnapshotStore<MemoryFiles> {
            SnapshotStore(files: MemoryFiles(disk: disk), logFiles: MemoryFiles(disk: disk))
        }

        private mutating func work() throws(StorageError) {
            var log = TransactionLog(
                files: MemoryFiles(disk: disk),
                preallocateBytes: [0, 4096][random.below(2)],
                sizeLimitBytes: [0, 3000][random.below(2)],
                lastZxid: entries.last?.header.zxid ?? .zero)
            var store = store()
            if hasFaults { disk.faults = SeededRandom(seed: random.next()) }
            for _ in 0..<40 {
                let step = random.below(12)
                trace.append("\(step)@\(entries.last?.header.zxid ?? .zero)")
                switch step {
                case 0..<5: try append(1 + random.below(8), to: &log)
                case 5: try log.roll()
                case 6, 7:
                    try log.roll()
                    try store.write(RandomHistory.tree(after: entries).snapshot)
                case 8: try store.purge(keeping: 2)
                case 9: try enterEpoch(&log)
                case 10: try truncate(&log, &store)
                default: try install(&log, &store)
                }
            }
            throw MemoryDisk.crash
        }

        private mutating func append(
            _ count: Int, to log: inout TransactionLog<MemoryFiles>, beginning epoch: Int64? = nil
        ) throws(StorageError) {
            var history = RandomHistory(seed: random.next(), after: entries)
            if let epoch { history.begin(epoch: epoch) }
            history.extend(by: count)
            log.append(history.entries[entries.count...])
            outcomes = [Outcome(entries: history.entries, least: entries.count)]
            entries = history.entries
            try untilDone { () throws(StorageError) in try log.flush() }
            outcomes[0].least = entries.count
        }

        /// As a learner does: accept, append, and only then enter.
        private mutating func enterEpoch(
            _ log: inout TransactionLog<MemoryFiles>
        ) throws(StorageError) {
            let epoch = epochs.accepted + 1
            try save(Epochs(accepted: epoch, current: epochs.current))
            try append(1 + random.below(3), to: &log, beginning: epoch)
            try save(Epochs(accepted: epoch, current: epoch))
            counts.epochs += 1
        }

        private mutating func save(_ new: Epochs) throws(StorageError) {
            saving = [new]
            var files = MemoryFiles(disk: disk)
            try untilDone { () throws(StorageError) in
                try EpochFiles.save(accepted: new.accepted, current: new.current, in: &files)
            }
            epochs = new
            saving = []
        }

        private mutating func truncate(
            _ log: inout TransactionLog<MemoryFiles>, _ store: inout SnapshotStore<MemoryFiles>
        ) throws(StorageError) {
            let lowest = entries.firstIndex { $0.header.zxid >= floor } ?? entries.count
            if lowest == entries.count { return }
            let kept = lowest + 1 + random.below(entries.count - lowest)
            outcomes[0].least = kept
            let zxid = entries[kept - 1].header.zxid
            do throws(StorageError) {
                try untilDone { () throws(StorageError) in
                    try log.truncate(after: zxid, in: &store)
                }
            } catch {
                // The snapshot to go back to was purged.
                guard error.code == .missing else { throw error }
                outcomes[0].least = entries.count
                return
            }
            entries = Array(entries.prefix(kept))
            outcomes = [Outcome(entries: entries, least: kept)]
            counts.truncations += 1
        }

        private mutating func install(
            _ log: inout TransactionLog<MemoryFiles>, _ store: inout SnapshotStore<MemoryFiles>
        ) throws(StorageError) {
            // Some of what is here, and then something else: older or newer than the log.
            let common = Array(entries.prefix(random.below(entries.count + 1)))
            var other = RandomHistory(seed: random.next(), after: common)
            if random.below(2) == 0 {
                let epoch = epochs.accepted + 1
                try save(Epochs(accepted: epoch, current: epochs.current))
                other.begin(epoch: epoch)
            }
            other.extend(by: 1 + random.below(30))
            let snapshot = other.tree.snapshot
            outcomes.append(Outcome(entries: other.entries, least: other.entries.count))
            try untilDone { () throws(StorageError) in
                try log.replace(with: snapshot, in: &store)
            }
            entries = other.entries
            outcomes = [Outcome(entries: entries, least: entries.count)]
            floor = snapshot.zxid
            counts.installations += 1
        }

        /// Tries again, or gives up as a server does whose disk fails.
        private mutating func untilDone(
            _ body: () throws(StorageError) -> Void
        ) throws(StorageError) {
            while true {
                do throws(StorageError) {
                    return try body()
                } catch {
                    let isFault = error.message.hasPrefix(MemoryDisk.fault.message)
                    if !isFault || random.below(6) == 0 { throw error }
                }
            }
        }
    }

    /// How often something was done to its end.
    private struct Counts {
        var epochs = 0
        var truncations = 0
        var installations = 0
    }

    /// `AVIARY_SEEDS` asks for more.
    private static let seeds: ClosedRange<Int> = {
        let asked = ProcessInfo.processInfo.environment["AVIARY_SEEDS"].flatMap { Int($0) }
        return 1...(asked ?? 150)
    }()

    @Test(arguments: [false, true])
    func `H.1, H.3, H.13, H.14: a member finds what it was or what it was to be`(
        hasFaults: Bool
    ) throws {
        var total = Counts()
        for seed in Self.seeds {
            var life = Life(seed: UInt64(seed), hasFaults: hasFaults)
            for _ in 0..<10 {
                life.disk.operationsLeft = life.random.below(160)
                try life.run()
                life.disk.crash(&life.random)
            }
            total.epochs += life.counts.epochs
            total.truncations += life.counts.truncations
            total.installations += life.counts.installations
        }
        #expect(total.epochs > Self.seeds.count / 2)
        #expect(total.truncations > Self.seeds.count / 2)
        #expect(total.installations > Self.seeds.count / 2)
    }
}
