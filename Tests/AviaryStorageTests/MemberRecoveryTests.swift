import AviaryWire
import NIOCore
import Testing

@testable import AviaryCore
@testable import AviaryStorage

/// What a member of an ensemble needs of its past.
struct MemberRecoveryTests {
    private func recovery(
        of directory: TemporaryDirectory, historyLimit: Int = 0, keepsOrphans: Bool = false,
        trustsEmpty: Bool = true
    ) throws -> (Recovery, TreeSnapshot) {
        var settings = Recovery.Settings(hashSeed: 42)
        settings.extendedTypes = true
        settings.historyLimit = historyLimit
        settings.keepsOrphans = keepsOrphans
        settings.trustsEmptyDatabase = trustsEmpty
        var recovery = Recovery(settings)
        var store = try directory.store()
        let tree = try store.recover(with: &recovery)
        return (recovery, tree.snapshot)
    }

    private func logged(_ entries: some Sequence<LogEntry>) -> [LoggedEntry] {
        entries.map { LoggedEntry(zxid: $0.header.zxid, payload: ByteBuffer(bytes: $0.payload)) }
    }

    // MARK: History

    @Test(arguments: [0, 1, 7, 30, 100])
    func `the last entries of the log are returned as they stand in it`(limit: Int) throws {
        var member = try MemberDirectory(seed: 1, preallocating: 4096)
        for _ in 0..<3 {
            try member.append(10)
            try member.log.roll()
        }
        let (recovery, _) = try recovery(of: member.directory, historyLimit: limit)
        #expect(recovery.history == logged(member.history.entries.suffix(limit)))
        #expect(recovery.floor == .zero)
    }

    @Test func `entries of the snapshot's own epoch count, which the tree does not need`() throws {
        var member = try MemberDirectory(seed: 2)
        try member.append(10)
        try member.snapshot()
        try member.append(3)
        let (found, _) = try recovery(of: member.directory, historyLimit: 8)
        #expect(found.replayed == 3)
        #expect(found.history == logged(member.history.entries.suffix(8)))
        #expect(found.floor == Zxid(10))
        // With nothing behind the snapshot, too.
        try member.snapshot()
        #expect(
            try recovery(of: member.directory, historyLimit: 2).0.history
                == logged(member.history.entries.suffix(2)))
    }

    /// A leader's snapshot at the beginning of its epoch, in a directory where Apache left the log of
    /// the epoch before: its last entries may never have been committed.
    @Test func `entries of an epoch before the snapshot's do not count`() throws {
        var member = try MemberDirectory(seed: 3)
        try member.append(5)
        member.history.begin(epoch: 1)
        try member.append(5)
        try member.snapshot()
        member.history.begin(epoch: 2)
        try member.append(2)
        let (found, _) = try recovery(of: member.directory, historyLimit: 100)
        #expect(found.history == logged(member.history.entries.suffix(7)))
    }

    @Test func `H.11: a log that ends before the snapshot gives no history`() throws {
        var member = try MemberDirectory(seed: 4)
        try member.append(10)
        member.history.extend(by: 5)
        try member.store.write(member.history.tree.snapshot)
        let (found, tree) = try recovery(of: member.directory, historyLimit: 100)
        #expect(tree.zxid == Zxid(15))
        #expect(found.history == [])
    }

    @Test func `H.11: entries before a gap do not count`() throws {
        var member = try MemberDirectory(seed: 5)
        try member.append(10)
        try member.log.roll()
        member.history.extend(by: 1)
        try member.store.write(member.history.tree.snapshot)
        var log = try member.directory.log(after: Zxid(11))
        member.history.extend(by: 4)
        log.append(member.history.entries[11...])
        try log.flush()
        let (found, _) = try recovery(of: member.directory, historyLimit: 100)
        #expect(found.history == logged(member.history.entries[11...]))
    }

    @Test func `what Apache logged is returned byte by byte`() throws {
        let directory = try StorageFixture("10-history-no-digest-no-close-body").copy()
        let (found, tree) = try recovery(of: directory, historyLimit: 5)
        #expect(found.history.last?.zxid == tree.zxid)
        #expect(!found.history.isEmpty)
        let logs = directory.names.filter { $0.hasPrefix("log.") }.compactMap { directory[$0] }
        for entry in found.history {
            let bytes = Array(entry.payload.readableBytesView)
            let isThere = logs.contains { log in
                var frame = ByteBuffer()
                frame.writeInteger(Adler32.checksum(bytes.raw))
                frame.writeInteger(Int32(bytes.count))
                frame.writeBytes(bytes + [LogFormat.terminator])
                return log.firstRange(of: Array(frame.readableBytesView)) != nil
            }
            #expect(isThere, "\(entry.zxid)")
        }
    }

    // MARK: Orphans

    @Test func `a member keeps the ephemeral nodes of sessions that are not open`() throws {
        var tree = DataTree(hashSeed: 42, extendedTypes: true)
        let header = TxnHeader(
            session: SessionID(7), cxid: 1, zxid: Zxid(1), time: 5, type: .create)
        let create = CreateTxn(
            path: "/e", data: [], acl: ACL.openToAll, isEphemeral: true, parentCVersion: 1,
            ttlMilliseconds: 0)
        tree.apply(header, .create(create))
        let directory = try TemporaryDirectory()
        var store = try directory.store()
        try store.write(tree.snapshot)
        let (kept, member) = try recovery(of: directory, keepsOrphans: true)
        #expect(same(member, tree.snapshot))
        #expect(kept.notes == [])
        let (removed, alone) = try recovery(of: directory)
        #expect(alone.nodeCount == member.nodeCount - 1)
        #expect(removed.notes.count == 1)
    }

    // MARK: An empty database

    @Test func `H.15: an empty database that is not trusted is not initialized`() throws {
        let directory = try TemporaryDirectory()
        let (found, _) = try recovery(of: directory, trustsEmpty: false)
        #expect(found.isUninitialized)
        #expect(!found.isNew)
        let (trusted, _) = try recovery(of: directory)
        #expect(!trusted.isUninitialized)
        #expect(trusted.isNew)
        var store = try directory.store()
        try store.write(DataTree(hashSeed: 42, extendedTypes: true).snapshot)
        let (begun, _) = try recovery(of: directory, trustsEmpty: false)
        #expect(!begun.isUninitialized)
    }

    @Test func `the floor of a tree without snapshot is its end, where the first one will be`()
        throws
    {
        let directory = try StorageFixture("13-logs-without-snapshots").copy()
        var settings = Recovery.Settings(hashSeed: 42)
        settings.trustsEmpty = true
        settings.trustsEmptyDatabase = false
        var recovery = Recovery(settings)
        var store = try directory.store()
        let last = try store.recover(with: &recovery).lastProcessedZxid
        #expect(last > .zero)
        #expect(recovery.floor == last)
        #expect(recovery.isNew)
        #expect(!recovery.isUninitialized)
    }

    @Test func `the floor is where a fuzzy snapshot may end`() throws {
        let directory = try StorageFixture("01-history-quorum1").copy()
        let (found, _) = try recovery(of: directory)
        let start = try #require(found.start)
        #expect(found.floor == start.reach)
        #expect(start.reach >= start.zxid)
    }

    // MARK: Reading the log for a learner

    private func history(
        _ member: borrowing MemberDirectory, _ first: Int, _ last: Int, limit: Int = .max
    ) throws -> [LoggedEntry]? {
        try LogHistory.read(
            from: Zxid(Int64(first)), through: Zxid(Int64(last)), limitBytes: limit,
            in: member.directory.files())
    }

    @Test func `a history goes from the last entry at or before a zxid through another`() throws {
        var member = try MemberDirectory(seed: 11, preallocating: 4096)
        for _ in 0..<3 {
            try member.append(10)
            try member.log.roll()
        }
        try member.append(4)
        for first in 1...34 {
            for last in first...34 {
                let expected = logged(member.history.entries[(first - 1)..<last])
                #expect(try history(member, first, last) == expected)
            }
        }
        #expect(try history(member, 0, 5) == nil)
        #expect(try history(member, 5, 35) == nil)
    }

    @Test func `a history from a zxid that is not in the log begins before it`() throws {
        var member = try MemberDirectory(seed: 12)
        try member.append(5)
        member.history.begin(epoch: 1)
        try member.append(5)
        let found = try LogHistory.read(
            from: Zxid(9), through: member.history.tree.lastProcessedZxid, limitBytes: .max,
            in: member.directory.files())
        #expect(found == logged(member.history.entries[4...]))
        let none = try LogHistory.read(
            from: Zxid(3), through: Zxid(1 << 32), limitBytes: .max, in: member.directory.files())
        #expect(none == nil)
    }

    @Test func `a history that is longer than its limit is none`() throws {
        var member = try MemberDirectory(seed: 13)
        try member.append(20)
        let size = member.history.entries[4..<15].reduce(0) { $0 + $1.payload.count }
        #expect(try history(member, 5, 15, limit: size)?.count == 11)
        #expect(try history(member, 5, 15, limit: size - 1) == nil)
    }

    @Test func `H.11: a history with a gap is none`() throws {
        var member = try MemberDirectory(seed: 14)
        for _ in 0..<3 {
            try member.append(10)
            try member.log.roll()
        }
        member.directory["log.b"] = nil
        #expect(try history(member, 5, 25) == nil)
        #expect(try history(member, 22, 25)?.count == 4)
        #expect(try history(member, 2, 9)?.count == 8)
        // Purged from the beginning.
        member.directory["log.1"] = nil
        #expect(try history(member, 5, 9) == nil)
    }

    @Test func `nothing behind the end of a history is looked at`() throws {
        var member = try MemberDirectory(seed: 15)
        try member.append(10)
        var log = try #require(member.directory["log.1"])
        let end = member.history.entries[..<6].reduce(16) { $0 + $1.payload.count + 13 }
        for length in [end, end + 5, log.count - 3] {
            member.directory["log.1"] = Array(log.prefix(length))
            #expect(try history(member, 2, 6)?.count == 5, "\(length)")
        }
        for index in end..<log.count { log[index] = 0xff }
        member.directory["log.1"] = log
        #expect(try history(member, 2, 6)?.count == 5)
    }

    @Test func `a history over the torn end of an earlier log goes on in the next`() throws {
        var member = try MemberDirectory(seed: 16)
        try member.append(10)
        try member.log.roll()
        try member.append(5)
        member.directory["log.1"]? += [0, 0, 0, 0, 1, 2, 3]
        #expect(try history(member, 8, 13)?.count == 6)
    }
}
