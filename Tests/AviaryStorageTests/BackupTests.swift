import AviaryWire
import Testing

@testable import AviaryCore
@testable import AviaryStorage

/// Copies of a server's files, also while it writes them.
struct BackupTests {
    private let settings = Recovery.Settings.tests

    @Test(arguments: [
        "01-history-quorum1", "02-after-restart", "03-torn-tail", "12-empty-last-log",
    ])
    func `a backup recovers to what its source does, without what it does not need`(
        name: String
    ) throws {
        let directory = try StorageFixture(name).copy()
        let copy = try backUp(directory)
        #expect(copy.names.count { $0.hasPrefix("snapshot.") } == 1)
        #expect(!copy.names.contains("log.100000001"))
        #expect(copy["currentEpoch"] == directory["currentEpoch"])
        for name in copy.names where name.hasPrefix("log.") {
            let bytes = try #require(copy[name])
            #expect(bytes.last == LogFormat.terminator)
            #expect(directory[name]?.starts(with: bytes) == true)
        }
        let copied = try copy.recover()
        let notes = copied.recovery.notes
        #expect(notes == [])
        #expect(same(copied.tree.snapshot, try directory.recover().tree.snapshot))
    }

    @Test func `a backup of everything has every valid snapshot and every log`() throws {
        let directory = try StorageFixture("05-snapshot-bad-checksum").copy()
        let copy = try backUp(directory, all: true)
        #expect(copy.names == directory.names.filter { $0 != "snapshot.100000052" })
    }

    @Test(
        arguments: [
            "04-corrupt-byte-midfile", "11-gap-between-logs", "13-logs-without-snapshots",
            "03c-record-terminator-zeroed-midfile",
        ])
    func `what a server would not start on is not backed up`(name: String) throws {
        let directory = try StorageFixture(name).copy()
        #expect(throws: StorageError.self) { try backUp(directory) }
    }

    @Test(arguments: 1...60)
    func `a backup of a server at work is one of its states, no older than its beginning`(
        seed: Int
    ) throws {
        let server = try WorkingServer(seed: UInt64(seed))
        try server.work(50)
        let known = server.history.entries.count
        let files = MeddledFiles(disk: server.disk) { try server.work(1) }
        var backup = Backup(.init(recovery: settings, includesAll: seed % 3 == 0))
        var target = MemoryFiles(disk: MemoryDisk())
        let tree = try backup.make(of: files, logs: files, to: &target) {}
        let count = tree.lastProcessedZxid.rawValue
        #expect(count >= known)
        #expect(server.history.entries.count > known)
        let expected = RandomHistory.tree(after: server.history.entries[..<Int(count)])
        #expect(same(tree.snapshot, expected.snapshot))
    }
}

/// A backup of a directory, in another.
func backUp(
    _ directory: TemporaryDirectory, all: Bool = false
) throws -> TemporaryDirectory {
    var backup = Backup(.init(recovery: .tests, includesAll: all))
    let copy = try TemporaryDirectory()
    var target = try copy.files()
    let files = ReadOnlyFiles(try directory.files())
    _ = try backup.make(of: files, logs: files, to: &target) {}
    return copy
}

extension Recovery.Settings {
    /// As the tools have them, but for the seed.
    static var tests: Recovery.Settings {
        var settings = Recovery.Settings(hashSeed: 42)
        settings.extendedTypes = true
        return settings
    }
}

extension Backup.Settings {
    fileprivate init(recovery: Recovery.Settings, includesAll: Bool) {
        self.init(recovery: recovery)
        self.includesAll = includesAll
    }
}

/// Writes its log, snapshots and purges, in an order that follows from a seed.
private final class WorkingServer {
    let disk = MemoryDisk()
    private(set) var history: RandomHistory
    private var log: TransactionLog<MemoryFiles>
    private var store: SnapshotStore<MemoryFiles>
    private var random: SeededRandom

    init(seed: UInt64) throws {
        history = RandomHistory(seed: seed)
        random = SeededRandom(seed: seed)
        log = TransactionLog(
            files: MemoryFiles(disk: disk), preallocateBytes: seed % 2 == 0 ? 1 << 14 : 0,
            sizeLimitBytes: 0, lastZxid: .zero)
        store = SnapshotStore(files: MemoryFiles(disk: disk), logFiles: MemoryFiles(disk: disk))
        try store.write(history.tree.snapshot)
    }

    func work(_ steps: Int) throws {
        for _ in 0..<steps {
            let before = history.entries.count
            history.extend(by: 1 + random.below(3))
            log.append(history.entries[before...])
            try log.flush()
            if random.below(6) == 0 {
                try log.roll()
                try store.write(history.tree.snapshot)
                try store.purge(keeping: 1 + random.below(2))
            }
        }
    }
}

/// Files that are changed between two looks at them.
private struct MeddledFiles: FileSystem, ~Copyable {
    private var files: MemoryFiles
    private let meddle: () throws -> Void

    init(disk: MemoryDisk, meddle: @escaping () throws -> Void) {
        files = MemoryFiles(disk: disk)
        self.meddle = meddle
    }

    var directory: String { "meddled" }

    private func change() throws(StorageError) {
        do { try meddle() } catch { throw error as? StorageError ?? MemoryDisk.crash }
    }

    func list() throws(StorageError) -> [FileEntry] {
        try change()
        return try files.list()
    }

    func read(_ file: String, at offset: Int, count: Int) throws(StorageError) -> [UInt8] {
        try change()
        return try files.read(file, at: offset, count: count)
    }

    mutating func create(_ file: String) throws(StorageError) { throw MemoryDisk.crash }
    mutating func write(_ bytes: RawSpan, to file: String, at offset: Int) throws(StorageError) {
        throw MemoryDisk.crash
    }
    mutating func extend(_ file: String, to size: Int) throws(StorageError) {
        throw MemoryDisk.crash
    }
    mutating func truncate(_ file: String, to size: Int) throws(StorageError) {
        throw MemoryDisk.crash
    }
    mutating func sync(_ file: String) throws(StorageError) { throw MemoryDisk.crash }
    mutating func syncDirectory() throws(StorageError) { throw MemoryDisk.crash }
    mutating func rename(_ file: String, to name: String) throws(StorageError) {
        throw MemoryDisk.crash
    }
    mutating func remove(_ file: String) throws(StorageError) { throw MemoryDisk.crash }
    mutating func close(_ file: String) throws(StorageError) {}
}
