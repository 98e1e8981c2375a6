import AviaryServer
import AviaryWire
import Testing

@testable import AviaryCore
@testable import AviaryStorage

/// A member's directory, and its log and snapshots as they are while it runs.
struct MemberDirectory: ~Copyable {
    let directory: TemporaryDirectory
    var history: RandomHistory
    var log: TransactionLog<PosixFiles>
    var store: SnapshotStore<PosixFiles>

    /// With a first snapshot, as a start leaves it.
    init(seed: UInt64, preallocating bytes: Int = 0) throws {
        let directory = try TemporaryDirectory()
        let log = try directory.log(after: .zero, preallocating: bytes)
        var store = try directory.store()
        try store.write(RandomHistory.tree(after: []).snapshot)
        self.directory = directory
        self.log = log
        self.store = store
        history = RandomHistory(seed: seed)
    }

    mutating func append(_ count: Int) throws {
        let first = history.entries.count
        history.extend(by: count)
        log.append(history.entries[first...])
        try log.flush()
    }

    mutating func snapshot() throws {
        try log.roll()
        try store.write(history.tree.snapshot)
    }

    mutating func truncate(after zxid: Zxid) throws(StorageError) {
        try log.truncate(after: zxid, in: &store)
    }

    /// Whether a start finds the first so many entries, and nothing else.
    func holds(_ count: Int) throws -> Bool {
        let expected = RandomHistory.tree(after: history.entries[..<count]).snapshot
        return same(try directory.recover().tree.snapshot, expected)
    }
}

struct TruncationTests {
    @Test(arguments: [0, 4096], [1, 2, 14, 15, 29, 30])
    func `H.13: the file is cut behind the transaction, and later files go`(
        preallocated: Int, kept: Int
    ) throws {
        var member = try MemberDirectory(seed: 1, preallocating: preallocated)
        for _ in 0..<3 {
            try member.append(10)
            try member.log.roll()
        }
        try member.append(4)
        try member.truncate(after: Zxid(Int64(kept)))
        let last = member.log.lastZxid
        #expect(last == Zxid(Int64(kept)))
        #expect(try member.holds(kept))
        let logs = member.directory.names.filter { $0.hasPrefix("log.") }
        #expect(logs == ["log.1", "log.b", "log.15"].prefix((kept + 9) / 10).sorted())

        // It goes on in another file, with other transactions.
        member.history = RandomHistory(
            seed: 99, after: Array(member.history.entries.prefix(kept)))
        try member.append(7)
        #expect(try member.holds(kept + 7))
    }

    @Test func `what was appended and not flushed is truncated like the rest`() throws {
        var member = try MemberDirectory(seed: 2)
        try member.append(3)
        member.history.extend(by: 5)
        member.log.append(member.history.entries[3...])
        try member.truncate(after: Zxid(6))
        #expect(try member.holds(6))
    }

    @Test func `to truncate nothing changes nothing`() throws {
        var member = try MemberDirectory(seed: 2)
        try member.append(5)
        try member.truncate(after: Zxid(5))
        #expect(try member.holds(5))
        try member.append(1)
        #expect(member.directory.names == ["log.1", "log.6", "snapshot.0"])
        #expect(try member.holds(6))
    }

    @Test func `H.50: a log of the same name may be begun after a truncation`() throws {
        var member = try MemberDirectory(seed: 3)
        try member.append(4)
        try member.log.roll()
        try member.append(4)
        #expect(member.directory.names.contains("log.5"))
        try member.truncate(after: Zxid(4))
        member.history = RandomHistory(seed: 98, after: Array(member.history.entries.prefix(4)))
        try member.append(2)
        #expect(member.directory.names == ["log.1", "log.5", "snapshot.0"])
        #expect(try member.holds(6))
    }

    @Test func `H.1: snapshots with a later name go`() throws {
        var member = try MemberDirectory(seed: 4)
        for _ in 0..<3 {
            try member.append(10)
            try member.snapshot()
        }
        try member.truncate(after: Zxid(15))
        #expect(member.directory.names == ["log.1", "log.b", "snapshot.0", "snapshot.a"])
        #expect(try member.holds(15))
    }

    /// As Apache writes them: named when they were begun, with what was applied meanwhile.
    @Test(arguments: [12, 15, 16, 19])
    func `H.1: a snapshot that may hold later transactions goes, whatever its name`(
        truncated: Int
    ) throws {
        var member = try MemberDirectory(seed: 5)
        try member.append(20)
        let later = RandomHistory.tree(after: member.history.entries[..<16]).snapshot
        try member.store.write(later)
        member.directory["snapshot.c"] = member.directory["snapshot.10"]
        member.directory["snapshot.10"] = nil
        member.store = try member.directory.store()
        try member.truncate(after: Zxid(Int64(truncated)))
        #expect((member.directory["snapshot.c"] == nil) == (truncated < 16))
        #expect(try member.holds(truncated))
    }

    /// The digest section alone, the last zxid alone, or only the stat of a node tells of it.
    @Test(arguments: ["digest", "last", "node"])
    func `H.1: each part of a snapshot can tell that it is later`(part: String) throws {
        let history = RandomHistory(seed: 6, count: 30)
        let directory = try TemporaryDirectory()
        var files = try directory.files()
        let before = RandomHistory.tree(after: history.entries[..<20]).snapshot
        let after = RandomHistory.tree(after: history.entries[..<25]).snapshot
        var writer = SnapshotWriter<PosixFiles>(
            file: "snapshot.14", .none, isReceived: part == "node")
        try writer.write(part == "node" ? after : before, to: &files)
        var bytes = try #require(directory["snapshot.14"])
        // The sections at the end are 33 and 21 bytes long.
        let digest = bytes.count - 21 - 33
        func put(_ zxid: UInt8, at offset: Int) { bytes[offset + 7] = zxid }
        switch part {
        case "digest": put(25, at: digest)
        case "last": put(25, at: digest + 33)
        default: put(20, at: digest + 33)
        }
        if part == "digest" {
            // Sealed anew, so that the section can be read.
            let seal = UInt64(bitPattern: Adler32.checksum(Array(bytes[..<(digest + 20)]).raw))
            for index in 0..<8 {
                bytes[digest + 20 + index] = UInt8(truncatingIfNeeded: seal >> (56 - 8 * index))
            }
        }
        directory["snapshot.14"] = bytes
        let file = try #require(SnapshotFile.sorted(try files.list()).first)
        var reader = try SnapshotReader(file, in: files)
        #expect(
            try reader.survey(files).reach == (part == "node" ? after.newestVisibleZxid : Zxid(25)))
    }

    @Test func `a transaction that only a snapshot has can be gone back to`() throws {
        var member = try MemberDirectory(seed: 7)
        try member.append(10)
        let installed = RandomHistory(seed: 70, count: 25)
        try member.log.replace(with: installed.tree.snapshot, in: &member.store)
        member.history = RandomHistory(seed: 71, after: installed.entries)
        try member.append(5)
        try member.truncate(after: Zxid(25))
        #expect(member.directory.names == ["snapshot.19"])
        #expect(try member.holds(25))
        member.history = RandomHistory(seed: 72, after: installed.entries)
        try member.append(1)
        #expect(member.directory.names == ["log.1a", "snapshot.19"])
    }

    @Test func `H.13: what is not there is not truncated to, and nothing changes`() throws {
        var member = try MemberDirectory(seed: 8)
        try member.append(10)
        try member.snapshot()
        try member.append(5)
        let names = member.directory.names
        // Later than everything, of another epoch, and before the oldest snapshot.
        #expect(throws: StorageError.self) { try member.truncate(after: Zxid(16)) }
        #expect(throws: StorageError.self) { try member.truncate(after: Zxid(1 << 32 | 3)) }
        try member.store.purge(keeping: 1)
        let rest = member.directory.names
        #expect(rest.count < names.count)
        #expect {
            try member.truncate(after: Zxid(9))
        } throws: { error in
            (error as? StorageError)?.code == .missing
        }
        #expect(member.directory.names == rest)
        #expect(try member.holds(15))
    }

    @Test func `a way back over a gap in the logs is none`() throws {
        var member = try MemberDirectory(seed: 9)
        for _ in 0..<3 {
            try member.append(10)
            try member.log.roll()
        }
        member.directory["log.b"] = nil
        let names = member.directory.names
        #expect(throws: StorageError.self) { try member.truncate(after: Zxid(25)) }
        #expect(member.directory.names == names)
    }

    @Test func `a snapshot that cannot be read is no way back`() throws {
        var member = try MemberDirectory(seed: 10)
        try member.append(10)
        try member.snapshot()
        try member.append(10)
        member.directory["snapshot.0"]?[40] ^= 1
        #expect(throws: StorageError.self) { try member.truncate(after: Zxid(5)) }
        #expect(try member.holds(20))
        try member.truncate(after: Zxid(15))
        #expect(try member.holds(15))
    }
}
