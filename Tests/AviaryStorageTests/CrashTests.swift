import AviaryWire
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

        init(seed: UInt64) {
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
            for _ in 0..<60 {
                let first = history.entries.count
                history.extend(by: 1 + random.below(4))
                try log.append(history.entries[first...])
                if random.below(2) == 0 { continue }
                try log.flush()
                acknowledged = history.entries.count
                switch random.below(12) {
                case 0:
                    try log.roll()
                    try store.write(history.tree.snapshot)
                case 1: try store.purge(keeping: 2)
                case 2: try log.roll()
                default: break
                }
            }
            throw MemoryDisk.crash
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

    @Test func `after an error nothing more is written, and each call says why`() throws {
        let disk = MemoryDisk()
        var history = RandomHistory(seed: 1, count: 6)
        var store = SnapshotStore(
            files: MemoryFiles(disk: disk), logFiles: MemoryFiles(disk: disk))
        try store.write(RandomHistory.tree(after: []).snapshot)
        var log = TransactionLog(
            files: MemoryFiles(disk: disk), preallocateBytes: 4096, sizeLimitBytes: 0,
            lastZxid: .zero)
        try log.append(history.entries[..<3])
        try log.flush()
        try log.append(history.entries[3..<4])
        disk.operationsLeft = 1
        #expect(throws: MemoryDisk.crash) { try log.flush() }
        disk.operationsLeft = nil
        #expect(throws: MemoryDisk.crash) { try log.append(history.entries[4...]) }
        #expect(throws: MemoryDisk.crash) { try log.flush() }
        #expect(throws: MemoryDisk.crash) { try log.roll() }

        var files = MemoryFiles(disk: disk)
        var logFiles = MemoryFiles(disk: disk)
        let recovered = try Recovered(&files, &logFiles)
        history.rewind(to: Int(recovered.tree.lastProcessedZxid.rawValue))
        #expect(history.entries.count >= 3)
        #expect(same(recovered.tree.snapshot, history.tree.snapshot))
    }
}
