import AviaryWire
import Foundation
import Testing

@testable import AviaryCore
@testable import AviaryStorage

/// Log and snapshots over a disk that loses what was not synced.
struct CrashTests {
    /// One server that crashes again and again.
    private struct Life: ~Copyable {
        var history: RandomHistory
        var random: SeededRandom
        let disk = MemoryDisk()
        /// Entries that were flushed before the last crash.
        var acknowledged = 0
        /// Whether the disk fails between crashes too.
        let hasFaults: Bool

        init(seed: UInt64, hasFaults: Bool = false) {
            self.hasFaults = hasFaults
            random = SeededRandom(seed: seed)
            history = RandomHistory(seed: seed &+ 1000)
        }

        /// Recovers, and goes on until a crash.
        mutating func run() throws {
            do throws(StorageError) {
                var files = MemoryFiles(disk: disk)
                var logFiles = MemoryFiles(disk: disk)
                let recovered = try Recovered(&files, &logFiles)
                check(recovered)
                if recovered.recovery.isNew {
                    var store = store()
                    try store.write(recovered.tree.snapshot)
                }
                try work()
            } catch {
                #expect(error.message.hasPrefix(MemoryDisk.crash.message))
            }
        }

        private mutating func check(_ recovered: borrowing Recovered) {
            let count = Int(recovered.tree.lastProcessedZxid.rawValue)
            #expect(count >= acknowledged)
            #expect(count <= history.entries.count)
            if count > history.entries.count { return }
            history.rewind(to: count)
            #expect(same(recovered.tree.snapshot, history.tree.snapshot))
            let hasMismatch = recovered.hasMismatch
            #expect(!hasMismatch)
            acknowledged = count
        }

        private func store() -> SnapshotStore<MemoryFiles> {
            SnapshotStore(files: MemoryFiles(disk: disk), logFiles: MemoryFiles(disk: disk))
        }

        private mutating func work() throws(StorageError) {
            var log = TransactionLog(
                files: MemoryFiles(disk: disk),
                preallocateBytes: [0, 4096, 65536][random.below(3)],
                sizeLimitBytes: [0, 30000][random.below(2)],
                lastZxid: history.tree.lastProcessedZxid)
            var store = store()
            if hasFaults { disk.faults = SeededRandom(seed: random.next()) }
            for _ in 0..<60 {
                let first = history.entries.count
                history.extend(by: 1 + random.below(4))
                log.append(history.entries[first...])
                if random.below(2) == 0 { continue }
                try untilDone { () throws(StorageError) in try log.flush() }
                acknowledged = history.entries.count
                let step = random.below(12)
                if step == 0 || step == 2 {
                    try untilDone { () throws(StorageError) in try log.roll() }
                }
                do throws(StorageError) {
                    if step == 0 { try store.write(history.tree.snapshot) }
                    if step == 1 { try store.purge(keeping: 2) }
                } catch {
                    // A snapshot or a purge that fails is left for the next time.
                    if error == MemoryDisk.crash { throw error }
                }
            }
            throw MemoryDisk.crash
        }

        /// As the log thread does: what went wrong is tried again, for the disk may come back.
        private func untilDone(
            _ body: () throws(StorageError) -> Void
        ) throws(StorageError) {
            while true {
                do throws(StorageError) {
                    return try body()
                } catch {
                    if !error.message.hasPrefix(MemoryDisk.fault.message) { throw error }
                }
            }
        }
    }

    @Test(arguments: 1...20)
    func `what was flushed outlives every crash`(seed: Int) throws {
        var life = Life(seed: UInt64(seed))
        for _ in 0..<8 {
            life.disk.operationsLeft = life.random.below(200)
            try life.run()
            life.disk.crash(&life.random)
        }
    }

    /// The number of seeds in a run of the tests; `AVIARY_SEEDS` asks for more.
    private static let seeds: ClosedRange<Int> = {
        let asked = ProcessInfo.processInfo.environment["AVIARY_SEEDS"].flatMap { Int($0) }
        return 1...(asked ?? 1000)
    }()

    @Test func `what was flushed outlives crashes of a disk that fails in between`() throws {
        for seed in Self.seeds {
            var life = Life(seed: UInt64(seed), hasFaults: true)
            for _ in 0..<8 {
                life.disk.operationsLeft = life.random.below(300)
                try life.run()
                life.disk.crash(&life.random)
            }
        }
    }

    @Test func `what an error left in doubt is written anew, behind what is certain`() throws {
        let disk = MemoryDisk()
        let history = RandomHistory(seed: 1, count: 6)
        var store = SnapshotStore(
            files: MemoryFiles(disk: disk), logFiles: MemoryFiles(disk: disk))
        try store.write(RandomHistory.tree(after: []).snapshot)
        var log = TransactionLog(
            files: MemoryFiles(disk: disk), preallocateBytes: 4096, sizeLimitBytes: 0,
            lastZxid: .zero)
        log.append(history.entries[..<3])
        try log.flush()
        log.append(history.entries[3..<4])
        // The write goes well, the sync does not.
        disk.operationsLeft = 1
        #expect(throws: MemoryDisk.crash) { try log.flush() }
        disk.operationsLeft = nil
        log.append(history.entries[4...])
        try log.flush()
        let logs = disk.sizes.filter { $0.key.hasPrefix("log.") }
        #expect(logs.count == 2)

        var random = SeededRandom(seed: 1)
        disk.crash(&random)
        var files = MemoryFiles(disk: disk)
        var logFiles = MemoryFiles(disk: disk)
        let recovered = try Recovered(&files, &logFiles)
        #expect(Int(recovered.tree.lastProcessedZxid.rawValue) == history.entries.count)
        #expect(same(recovered.tree.snapshot, history.tree.snapshot))
    }
}
