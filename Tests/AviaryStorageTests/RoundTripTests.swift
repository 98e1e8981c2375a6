import AviaryWire
import Testing

@testable import AviaryCore
@testable import AviaryStorage

struct RoundTripTests {
    private static let seeds: [UInt64] = [1, 2, 3, 4, 5, 6]

    @Test(arguments: seeds)
    func `a tree is the same after a snapshot was written and loaded`(seed: UInt64) throws {
        let history = RandomHistory(seed: seed, count: 400)
        let directory = try TemporaryDirectory()
        var store = try directory.store()
        try store.write(history.tree.snapshot)
        #expect(directory.names == ["snapshot.190"])
        let recovered = try directory.recover()
        #expect(same(recovered.tree.snapshot, history.tree.snapshot))
        #expect(recovered.recovery.notes == [])
        let replayed = recovered.recovery.replayed
        #expect(replayed == 0)
    }

    @Test(arguments: seeds, [0, 4096, 1 << 20])
    func `a tree is the same after its log was replayed`(seed: UInt64, step: Int) throws {
        let history = RandomHistory(seed: seed, count: 300)
        let directory = try TemporaryDirectory()
        var store = try directory.store()
        try store.write(RandomHistory.tree(after: []).snapshot)
        var random = SeededRandom(seed: seed)
        var done = 0
        while done < history.entries.count {
            // A new log each time, as after a restart.
            var log = try directory.log(after: Zxid(Int64(done)), preallocating: step)
            for _ in 0..<4 {
                let next = min(done + random.below(40), history.entries.count)
                log.append(history.entries[done..<next])
                if random.below(3) == 0 { try log.roll() }
                done = next
            }
            try log.flush()
        }
        let recovered = try directory.recover()
        #expect(same(recovered.tree.snapshot, history.tree.snapshot))
        #expect(recovered.recovery.notes == [])
        let replayed = recovered.recovery.replayed
        #expect(replayed == history.entries.count)
    }

    @Test(arguments: seeds)
    func `a snapshot that holds more than its name says is brought to the same end`(
        seed: UInt64
    ) throws {
        // As Apache writes them: named when they were begun, with what was applied meanwhile.
        let history = RandomHistory(seed: seed, count: 400)
        for (named, taken) in [(100, 101), (100, 140), (20, 390), (0, 400), (399, 400)] {
            let directory = try TemporaryDirectory()
            var store = try directory.store()
            try store.write(RandomHistory.tree(after: history.entries[..<taken]).snapshot)
            let name = FileNames.snapshot(Zxid(Int64(taken)))
            let bytes = try #require(directory[name])
            directory[name] = nil
            directory[FileNames.snapshot(Zxid(Int64(named)))] = bytes
            var log = try directory.log(after: .zero)
            log.append(history.entries)
            try log.flush()
            let recovered = try directory.recover()
            #expect(same(recovered.tree.snapshot, history.tree.snapshot), "\(named) \(taken)")
            #expect(recovered.recovery.notes == [], "\(named) \(taken)")
        }
    }

    @Test func `H.51, H.52: the log has the bytes that Apache would have written`() throws {
        // Fixture 01, log.100000001 from offset 16.
        let header = TxnHeader(
            session: SessionID(0x0100_0027_8563_0000), cxid: 0, zxid: Zxid(0x1_0000_0001),
            time: 0x0000_01a1_fbde_fc01, type: .createSession)
        let entry = LogEntry(
            header: header, txn: .createSession(timeoutMilliseconds: 20000),
            digest: TxnDigest(treeDigest: 0x51c6_d660))
        let directory = try TemporaryDirectory()
        var log = try directory.log(after: .zero, preallocating: 65536)
        log.append([entry])
        try log.flush()
        let written = try #require(directory["log.100000001"])
        let apache = try #require(StorageFixture("01-history-quorum1").copy()["log.100000001"])
        #expect(written.count == 65552)
        #expect(written.count == apache.count)
        #expect(written[..<77] == apache[..<77])
    }

    @Test func `H.51, H.52: a snapshot has the bytes that Apache would have written`() throws {
        // A fresh standalone server's; it writes an empty digest section, Aviary a true one.
        let directory = try TemporaryDirectory()
        var store = try directory.store()
        try store.write(DataTree(hashSeed: 1, extendedTypes: true).snapshot)
        let written = try #require(directory["snapshot.0"])
        let apache = try #require(StorageFixture("01b-history-standalone").copy()["snapshot.0"])
        #expect(written.count == 478)
        #expect(written.count == apache.count)
        // Header, no sessions, one list with key 1.
        #expect(written[..<20] == apache[..<20])
    }

    @Test func `H.50: a file that holds entries is not overwritten`() throws {
        let history = RandomHistory(seed: 1, count: 3)
        let directory = try TemporaryDirectory()
        var log = try directory.log(after: .zero)
        log.append(history.entries)
        try log.flush()
        let before = directory["log.1"]
        var other = try directory.log(after: .zero)
        other.append(history.entries)
        #expect(throws: StorageError.self) { try other.flush() }
        #expect(directory["log.1"] == before)
    }

    @Test func `a file without entries is begun again`() throws {
        let history = RandomHistory(seed: 1, count: 3)
        let header = LogFormat.header
        for bytes in [[], header, Array(header.prefix(5)), [UInt8](repeating: 0, count: 65552)] {
            let directory = try TemporaryDirectory()
            directory["log.1"] = bytes
            var store = try directory.store()
            try store.write(RandomHistory.tree(after: []).snapshot)
            var log = try directory.log(after: .zero)
            log.append(history.entries)
            try log.flush()
            #expect(try directory.recover().tree.lastProcessedZxid == Zxid(3))
        }
    }

    @Test func `rolling gives back the room that was reserved`() throws {
        let history = RandomHistory(seed: 1, count: 3)
        let directory = try TemporaryDirectory()
        var log = try directory.log(after: .zero, preallocating: 1 << 20)
        log.append(history.entries)
        try log.flush()
        #expect(directory["log.1"]?.count == 16 + 1 << 20)
        try log.roll()
        let used = history.entries.reduce(16) { $0 + $1.payload.count + 13 }
        #expect(directory["log.1"]?.count == used)
    }

    @Test func `a log longer than its limit is followed by another`() throws {
        let history = RandomHistory(seed: 1, count: 100)
        let directory = try TemporaryDirectory()
        var log = TransactionLog(
            files: try directory.files(), preallocateBytes: 0, sizeLimitBytes: 2000,
            lastZxid: .zero)
        for entry in history.entries {
            log.append([entry])
            try log.flush()
        }
        #expect(directory.names.count > 2)
    }

    @Test func `H.22: a purge leaves what a start needs`() throws {
        var history = RandomHistory(seed: 3)
        let directory = try TemporaryDirectory()
        var store = try directory.store()
        try store.write(history.tree.snapshot)
        var log = try directory.log(after: .zero)
        for _ in 0..<6 {
            log.append(history.entries[Int(history.tree.lastProcessedZxid.rawValue)...])
            let first = history.entries.count
            history.extend(by: 10)
            log.append(history.entries[first...])
            try log.roll()
            try store.write(history.tree.snapshot)
        }
        // 0, 10 … 60 in tens; the newest but one is damaged, so 60, 40 and 30 are the newest three.
        let damaged = FileNames.snapshot(Zxid(50))
        directory[damaged]?[40] ^= 1
        // A store that did not write them itself.
        var later = try directory.store()
        try later.purge(keeping: 3)
        #expect(
            directory.names == [
                "log.15", "log.1f", "log.29", "log.33", "snapshot.1e", "snapshot.28",
                "snapshot.32", "snapshot.3c",
            ])
        directory["snapshot.3c"]?[40] ^= 1
        #expect(same(try directory.recover().tree.snapshot, history.tree.snapshot))
    }

    @Test func `H.22: a purge with too few whole snapshots removes nothing`() throws {
        let directory = try StorageFixture("05-snapshot-bad-checksum").copy()
        let names = directory.names
        var store = try directory.store()
        try store.purge(keeping: 3)
        #expect(directory.names == names)
    }

    @Test(arguments: [0, 1, 7, 8, 9, 5552, 5553, 70000])
    func `H.51: the checksum is Adler-32`(count: Int) {
        var random = SeededRandom(seed: UInt64(count))
        let bytes = (0..<count).map { _ in UInt8(random.below(256)) }
        for bytes in [bytes, [UInt8](repeating: 255, count: count)] {
            var a = 1
            var b = 0
            for byte in bytes {
                a = (a + Int(byte)) % 65521
                b = (b + a) % 65521
            }
            #expect(Adler32.checksum(bytes.raw) == Int64(b << 16 | a))
            var inParts = Adler32()
            inParts.update(bytes.raw.extracting(first: count / 3))
            inParts.update(bytes.raw.extracting(droppingFirst: count / 3))
            #expect(inParts.value == Int64(b << 16 | a))
        }
    }
}
