import AviaryWire
import Testing

@testable import AviaryCore
@testable import AviaryStorage

/// What the tools show of transaction logs.
struct LogInspectionTests {
    @Test func `every transaction of a directory is shown, in order`() throws {
        let directory = try StorageFixture("01-history-quorum1").copy()
        defer { withExtendedLifetime(directory) {} }
        let files = try directory.files()
        var cursor = try LogCursor(files)
        var zxids: [Zxid] = []
        while let record = try cursor.next(files) { zxids.append(record.entry.header.zxid) }
        #expect(zxids == (1...0x5a).map { Zxid(0x1_0000_0000 + $0) })
        #expect(cursor.ends == [])
    }

    @Test func `files that end before the first wanted zxid are not read`() throws {
        let directory = try StorageFixture("01-history-quorum1").copy()
        defer { withExtendedLifetime(directory) {} }
        let files = try directory.files()
        var cursor = try LogCursor(files, from: Zxid(0x1_0000_0024))
        #expect(try cursor.next(files)?.file == "log.100000024")
    }

    @Test func `a torn end is noted and the next file goes on`() throws {
        let directory = try StorageFixture("11-gap-between-logs").copy()
        defer { withExtendedLifetime(directory) {} }
        let files = try directory.files()
        var cursor = try LogCursor(files)
        var count = 0
        while try cursor.next(files) != nil { count += 1 }
        #expect(count == 85)
        #expect(cursor.ends.map(\.action) == [.cut])
    }

    @Test(arguments: [0, 1 << 16])
    func `who follows sees each transaction once, over several files`(preallocating: Int) throws {
        let history = RandomHistory(seed: 3, count: 60)
        let directory = try TemporaryDirectory()
        let files = try directory.files()
        var log = try directory.log(after: .zero, preallocating: preallocating)
        var cursor = try LogCursor(files, following: true)
        var seen: [LogEntry] = []
        #expect(try cursor.next(files) == nil)
        for (index, entry) in history.entries.enumerated() {
            log.append([entry])
            if index % 3 == 0 { try log.flush() }
            if index % 7 == 0 { try log.roll() }
            guard try cursor.refresh(files) else { continue }
            while let record = try cursor.next(files) { seen.append(record.entry) }
        }
        try log.flush()
        #expect(try cursor.refresh(files))
        while let record = try cursor.next(files) { seen.append(record.entry) }
        #expect(seen == history.entries)
        #expect(try !cursor.refresh(files))
    }

    @Test func `who follows waits for the rest of an entry`() throws {
        let history = RandomHistory(seed: 4, count: 3, isSmall: true)
        let directory = try TemporaryDirectory()
        var log = try directory.log(after: .zero)
        log.append(history.entries)
        try log.flush()
        let whole = try #require(directory["log.1"])
        directory["log.1"] = Array(whole[..<10])
        let files = try directory.files()
        var cursor = try LogCursor(files, following: true)
        var seen: [LogEntry] = []
        for end in 10...whole.count {
            directory["log.1"] = Array(whole[..<end])
            _ = try cursor.refresh(files)
            while let record = try cursor.next(files) { seen.append(record.entry) }
            #expect(seen.count < 3 || end == whole.count)
        }
        #expect(seen == history.entries)
    }

    @Test func `paths are matched by whole names, in a multi and a closed session too`() {
        func entry(_ type: OpCode, _ txn: Txn) -> LogEntry {
            let header = TxnHeader(
                session: SessionID(7), cxid: 0, zxid: Zxid(5), time: 100, type: type)
            return LogEntry(header: header, txn: txn, digest: nil)
        }
        let delete = Txn.delete("/app/a")
        let part = Txn.Part(type: .delete, txn: delete)
        var filter = LogFilter()
        for (path, isMatch) in [("/", true), ("/app", true), ("/app/a", true), ("/ap", false)] {
            filter.path = Path([UInt8](path.utf8))
            #expect(filter.matches(entry(.delete, delete)) == isMatch, "\(path)")
            #expect(filter.matches(entry(.multi, .multi([part]))) == isMatch, "\(path)")
            let close = Txn.closeSession(ephemerals: ["/b", "/app/a"])
            #expect(filter.matches(entry(.closeSession, close)) == isMatch, "\(path)")
        }
        #expect(!filter.matches(entry(.error, .error(-101))))
        filter.path = nil
        let matching = entry(.delete, delete)
        #expect(filter.matches(matching))
        filter.since = 101
        #expect(!filter.matches(matching))
        filter.since = 100
        filter.until = 100
        #expect(filter.matches(matching))
        filter.firstZxid = Zxid(6)
        #expect(!filter.matches(matching))
        filter.firstZxid = Zxid(5)
        filter.lastZxid = Zxid(5)
        filter.session = SessionID(7)
        #expect(filter.matches(matching))
        filter.session = SessionID(8)
        #expect(!filter.matches(matching))
    }

    @Test(
        arguments: [
            ("01-history-quorum1", []), ("03-torn-tail", [.torn]),
            ("03b-torn-tail-in-padding", [.torn]),
            ("03c-record-terminator-zeroed-midfile", [.damaged]),
            ("04-corrupt-byte-midfile", [.damaged]), ("11-gap-between-logs", [.torn, .gap]),
            ("12-empty-last-log", [.empty]),
        ] as [(String, [LogCheck.Finding.Kind])])
    func `a check finds what is wrong with logs, and no more`(
        name: String, expected: [LogCheck.Finding.Kind]
    ) throws {
        let directory = try StorageFixture(name).copy()
        let findings = try checks(of: directory).flatMap(\.findings)
        #expect(findings.map(\.kind) == expected)
        if let refusal = refusal(of: directory), expected.contains(.damaged) {
            #expect(findings.contains { $0.offset == refusal.offset })
        }
    }

    @Test func `a check finds a log that is out of order or has a wrong name`() throws {
        let entries = RandomHistory(seed: 9, count: 20).entries
        let directory = try TemporaryDirectory()
        var first = try directory.log(after: .zero)
        first.append(entries[..<10])
        try first.flush()
        var second = try directory.log(after: Zxid(5))
        second.append(entries[7...])
        try second.flush()
        #expect(try checks(of: directory).map(\.count) == [10, 13])
        #expect(try checks(of: directory)[1].findings.map(\.kind) == [.order, .order, .order])
        directory["log.9"] = directory["log.8"]
        directory["log.8"] = nil
        let kinds = try checks(of: directory)[1].findings.map(\.kind)
        #expect(kinds == [.misnamed, .order, .order, .order])
    }

    private func checks(of directory: TemporaryDirectory) throws -> [LogCheck] {
        var checks: [LogCheck] = []
        try LogCheck.checkLogs(in: try directory.files()) { checks.append($0) }
        return checks
    }
}
