import AviaryWire
import Testing

@testable import AviaryCore
@testable import AviaryStorage

/// A snapshot from a leader in the place of everything.
struct ReplacementTests {
    @Test(arguments: [5, 20, 40])
    func `H.3, ZOOKEEPER-2846: a received snapshot is all there is, older or newer than the log`(
        zxid: Int
    ) throws {
        var member = try MemberDirectory(seed: 1, preallocating: 4096)
        try member.append(10)
        try member.snapshot()
        try member.append(10)
        let received = RandomHistory(seed: 2, count: zxid)
        try member.log.replace(with: received.tree.snapshot, in: &member.store)
        let name = FileNames.snapshot(Zxid(Int64(zxid)))
        #expect(member.directory.names == [name])
        let last = member.log.lastZxid
        #expect(last == Zxid(Int64(zxid)))
        member.history = RandomHistory(seed: 3, after: received.entries)
        #expect(try member.holds(zxid))
        try member.append(3)
        #expect(try member.holds(zxid + 3))
        let notes = try member.directory.recover().recovery.notes
        #expect(notes == [])
    }

    @Test func `what was appended and not flushed is replaced like the rest`() throws {
        var member = try MemberDirectory(seed: 1)
        member.history.extend(by: 9)
        member.log.append(member.history.entries)
        let received = RandomHistory(seed: 2, count: 4)
        try member.log.replace(with: received.tree.snapshot, in: &member.store)
        member.history = RandomHistory(seed: 3, after: received.entries)
        try member.append(1)
        #expect(member.directory.names == ["log.5", "snapshot.4"])
        #expect(try member.holds(5))
    }

    @Test(arguments: [SnapshotCompression.gz, .snappy])
    func `a received snapshot may be written packed`(compression: SnapshotCompression) throws {
        let directory = try TemporaryDirectory()
        var store = SnapshotStore(
            files: try directory.files(), logFiles: try directory.files(),
            compression: compression)
        var log = try directory.log(after: .zero)
        let received = RandomHistory(seed: 2, count: 40)
        try log.replace(with: received.tree.snapshot, in: &store)
        #expect(directory.names == ["snapshot.28\(compression.suffix)"])
        #expect(try same(directory.recover().tree.snapshot, received.tree.snapshot))
    }

    /// The tree that Apache's leader sends may be ahead of its zxid, so its digest would be wrong.
    @Test func `the digest of a received tree is not held against what follows`() throws {
        let history = RandomHistory(seed: 4, count: 60)
        var ahead = RandomHistory.tree(after: history.entries[..<50])
        ahead.finishLoading(zxid: Zxid(40))
        let directory = try TemporaryDirectory()
        var store = try directory.store()
        var log = try directory.log(after: .zero)
        try log.replace(with: ahead.snapshot, in: &store)
        log.append(history.entries[40...])
        try log.flush()
        let recovered = try directory.recover()
        #expect(same(recovered.tree.snapshot, history.tree.snapshot))
        let hasMismatch = recovered.hasMismatch
        #expect(!hasMismatch)
        let floor = recovered.recovery.floor
        #expect(
            floor == RandomHistory.tree(after: history.entries[..<50]).snapshot.newestVisibleZxid)
    }

    /// A directory as a crash leaves it once the marker is durable.
    private func interrupted(in directory: TemporaryDirectory) throws -> RandomHistory {
        var member = try MemberDirectory(seed: 5)
        try member.append(30)
        for name in member.directory.names { directory[name] = member.directory[name] }
        let received = RandomHistory(seed: 6, count: 12)
        let other = try TemporaryDirectory()
        var store = try other.store()
        try store.write(received.tree.snapshot)
        directory["tmp.snapshot.c"] = other["snapshot.c"]
        directory["replacement"] = Array("snapshot.c".utf8)
        return received
    }

    @Test func `H.3: an interrupted replacement is completed at the next start`() throws {
        let directory = try TemporaryDirectory()
        let received = try interrupted(in: directory)
        let recovered = try directory.recover()
        #expect(same(recovered.tree.snapshot, received.tree.snapshot))
        #expect(directory.names == ["snapshot.c"])
        let notes = recovered.recovery.notes
        #expect(notes.contains { $0.contains("snapshot.c") })
        #expect(try directory.recover().recovery.notes == [])
    }

    @Test func `H.3: without the marker the unfinished snapshot is dropped`() throws {
        let directory = try TemporaryDirectory()
        _ = try interrupted(in: directory)
        directory["replacement"] = nil
        directory["tmp.replacement"] = Array("snap".utf8)
        let last = try directory.recover().tree.lastProcessedZxid
        #expect(last == Zxid(30))
        #expect(directory.names == ["log.1", "snapshot.0"])
    }

    @Test func `a marker that is left over does not touch logs that were begun since`() throws {
        let directory = try TemporaryDirectory()
        let received = RandomHistory(seed: 6, count: 12)
        var store = try directory.store()
        try store.write(received.tree.snapshot)
        let history = RandomHistory(seed: 7, after: received.entries)
        var log = try directory.log(after: Zxid(12))
        var longer = RandomHistory(seed: 7, after: history.entries)
        longer.extend(by: 5)
        log.append(longer.entries[12...])
        try log.flush()
        directory["replacement"] = Array("snapshot.c".utf8)
        #expect(try same(directory.recover().tree.snapshot, longer.tree.snapshot))
        #expect(directory.names == ["log.d", "snapshot.c"])
    }

    @Test func `nothing is removed for a snapshot that is damaged, missing or not named`() throws {
        for damage in 0..<3 {
            let directory = try TemporaryDirectory()
            _ = try interrupted(in: directory)
            switch damage {
            case 0: directory["tmp.snapshot.c"]?[60] ^= 1
            case 1: directory["tmp.snapshot.c"] = nil
            default: directory["replacement"] = Array("snap".utf8)
            }
            let names = directory.names
            #expect(refusal(of: directory)?.message.contains("replacement") == true)
            #expect(directory.names == names)
        }
    }

    @Test func `a rehearsal says that the server has to complete it`() throws {
        let directory = try TemporaryDirectory()
        _ = try interrupted(in: directory)
        let names = directory.names
        var recovery = Recovery(Recovery.Settings(hashSeed: 42))
        #expect {
            let files = try directory.files()
            _ = try recovery.rehearse(snapshots: files, logs: try directory.files())
        } throws: { error in
            (error as? StorageError)?.file == "replacement"
        }
        #expect(directory.names == names)
    }

    @Test func `a replacement completes the one before it that failed`() throws {
        let disk = MemoryDisk()
        let history = RandomHistory(seed: 1, count: 20)
        let received = RandomHistory(seed: 6, count: 12)
        for operations in 0..<60 {
            var store = SnapshotStore(
                files: MemoryFiles(disk: disk), logFiles: MemoryFiles(disk: disk))
            try store.write(RandomHistory.tree(after: []).snapshot)
            var log = TransactionLog(
                files: MemoryFiles(disk: disk), preallocateBytes: 0, sizeLimitBytes: 0,
                lastZxid: .zero)
            log.append(history.entries)
            try log.flush()
            disk.operationsLeft = operations
            do throws(StorageError) {
                try log.replace(with: received.tree.snapshot, in: &store)
            } catch {
                #expect(error.message.hasPrefix(MemoryDisk.crash.message))
            }
            disk.operationsLeft = nil
            try log.replace(with: received.tree.snapshot, in: &store)
            #expect(Array(disk.sizes.keys) == ["snapshot.c"])
            var files = MemoryFiles(disk: disk)
            try files.remove("snapshot.c")
        }
    }
}
