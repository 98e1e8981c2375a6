import AviaryWire
import Testing

@testable import AviaryCore
@testable import AviaryStorage

/// Files that were cut or altered. Nothing here may stop the process.
struct DamageTests {
    /// A directory with an empty snapshot and one log.
    private struct Sample: ~Copyable {
        let history: RandomHistory
        let directory: TemporaryDirectory
        let log: [UInt8]

        init(seed: UInt64, count: Int) throws {
            let history = RandomHistory(seed: seed, count: count, isSmall: true)
            let directory = try TemporaryDirectory()
            var store = try directory.store()
            try store.write(RandomHistory.tree(after: []).snapshot)
            var log = try directory.log(after: .zero)
            log.append(history.entries)
            try log.roll()
            self.directory = directory
            self.log = directory["log.1"] ?? []
            self.history = history
        }

        var lastEntryStart: Int { log.count - (history.entries.last?.payload.count ?? 0) - 13 }
    }

    @Test(arguments: [0, 500])
    func `a log cut anywhere in its last entry gives all before it`(padding: Int) throws {
        let sample = try Sample(seed: 5, count: 12)
        let prefix = RandomHistory.tree(after: sample.history.entries.dropLast()).snapshot
        for end in sample.lastEntryStart..<sample.log.count {
            let cut = sample.log[..<end] + [UInt8](repeating: 0, count: padding)
            sample.directory["log.1"] = Array(cut)
            let recovered = try sample.directory.recover()
            // Only the end mark is missing: the entry is as good as whole.
            let isWhole = end == sample.log.count - 1
            let expected = isWhole ? sample.history.tree.snapshot : prefix
            #expect(same(recovered.tree.snapshot, expected), "\(end)")
            let log = sample.directory["log.1"] ?? []
            #expect(log == Array(isWhole ? sample.log[...] : sample.log[..<sample.lastEntryStart]))
            // An entry begins with zeros, and as long as there is nothing else none is missed.
            let hasNote = !recovered.recovery.notes.isEmpty
            #expect(hasNote == (end > sample.lastEntryStart + 4), "\(end)")
        }
    }

    @Test(arguments: [0, 300])
    func `no flipped bit in a log loses an entry in silence`(padding: Int) throws {
        let sample = try Sample(seed: 6, count: 8)
        let whole = sample.history.tree.snapshot
        let log = sample.log + [UInt8](repeating: 0, count: padding)
        var refused = 0
        for position in 0..<sample.log.count {
            for bit in [0x01, 0x80, 0xff] as [UInt8] {
                var damaged = log
                damaged[position] ^= bit
                sample.directory["log.1"] = damaged
                if let error = refusal(of: sample.directory) {
                    #expect(error.code == .corrupt)
                    #expect(error.file == "log.1" && error.offset != nil)
                    refused += 1
                } else {
                    let recovered = try sample.directory.recover()
                    #expect(same(recovered.tree.snapshot, whole), "\(position) \(bit)")
                }
            }
        }
        // Of the header, only the magic matters.
        #expect(refused == 3 * (sample.log.count - 12))
    }

    @Test func `a page that was never written is not taken for the end`() throws {
        let sample = try Sample(seed: 7, count: 40)
        let start = sample.log.count / 2
        for length in [20, 64, 200] {
            var damaged = sample.log
            for position in start..<start + length { damaged[position] = 0 }
            sample.directory["log.1"] = damaged
            #expect(refusal(of: sample.directory)?.code == .corrupt)
        }
    }

    @Test func `a damaged snapshot gives way to an older one`() throws {
        let sample = try Sample(seed: 8, count: 15)
        var store = try sample.directory.store()
        let newest = RandomHistory.tree(after: sample.history.entries[..<10]).snapshot
        try store.write(newest)
        let bytes = try #require(sample.directory["snapshot.a"])
        let whole = sample.history.tree.snapshot
        var passedOver = 0
        for position in bytes.indices {
            for bit in [0x01, 0x80, 0xff] as [UInt8] {
                var damaged = bytes
                damaged[position] ^= bit
                sample.directory["snapshot.a"] = damaged
                let recovered = try sample.directory.recover()
                #expect(same(recovered.tree.snapshot, whole), "\(position) \(bit)")
                if recovered.recovery.notes.contains(where: { $0.contains("snapshot.a") }) {
                    passedOver += 1
                }
            }
        }
        // Not what is behind the digest: the last zxid once more, and its seal but for the end.
        #expect(passedOver == 3 * (bytes.count - 16))
    }

    @Test func `a snapshot cut anywhere gives way to an older one`() throws {
        let sample = try Sample(seed: 9, count: 15)
        var store = try sample.directory.store()
        try store.write(RandomHistory.tree(after: sample.history.entries[..<10]).snapshot)
        let bytes = try #require(sample.directory["snapshot.a"])
        let whole = sample.history.tree.snapshot
        for end in bytes.indices {
            sample.directory["snapshot.a"] = Array(bytes[..<end])
            let recovered = try sample.directory.recover()
            #expect(same(recovered.tree.snapshot, whole), "\(end)")
        }
    }

    @Test(arguments: 1...150)
    func `random damage to a real data directory ends in a tree or an error`(seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        let directory = try StorageFixture("01-history-quorum1").copy()
        let names = directory.names.filter { !$0.hasSuffix("Epoch") }
        for _ in 0...random.below(4) {
            let name = names[random.below(names.count)]
            guard var bytes = directory[name] else { continue }
            let content = bytes.lastIndex { $0 != 0 } ?? 0
            switch random.below(4) {
            case 0: bytes.removeLast(random.below(bytes.count))
            case 1:
                let start = random.below(content)
                for position in start..<min(start + random.below(5000), bytes.count) {
                    bytes[position] = 0
                }
            case 2:
                // A length or count that is far too large.
                bytes[random.below(content)] = 0x7f
            default:
                for _ in 0..<3 { bytes[random.below(content)] = UInt8(random.below(256)) }
            }
            directory[name] = bytes
        }
        do throws(StorageError) {
            let recovered = try directory.recover()
            #expect(recovered.tree.nodeCount >= 3)
        } catch {
            #expect(error.code == .corrupt || error.code == .missing)
        }
    }

    @Test
    func `a compressed snapshot that is damaged is passed over, and refused if there is no other`()
        throws
    {
        let directory = try StorageFixture("01-history-quorum1").copy()
        directory["snapshot.10000005a.gz"] = [0x1f, 0x8b, 0, 0]
        let notes = try directory.recover().recovery.notes
        #expect(notes.contains { $0.contains("snapshot.10000005a.gz") })
        for name in directory.names where !name.hasSuffix(".gz") { directory[name] = nil }
        let error = try #require(refusal(of: directory))
        #expect(
            error.message.contains("cannot be decompressed") || error.message.contains("not whole"))
    }

    @Test func `ephemeral nodes without a session are removed`() throws {
        var tree = DataTree(hashSeed: 1, extendedTypes: true)
        let create = CreateTxn(
            path: "/e", data: nil, acl: ACL.openToAll, isEphemeral: true, parentCVersion: 1)
        let header = TxnHeader(
            session: SessionID(9), cxid: 0, zxid: Zxid(1), time: 1, type: .create)
        tree.apply(header, .create(create))
        let directory = try TemporaryDirectory()
        var store = try directory.store()
        try store.write(tree.snapshot)
        let recovered = try directory.recover()
        #expect(recovered.tree.snapshot.views["/e"] == nil)
        #expect(recovered.recovery.notes.count == 1)
    }

    @Test func `H.19: a node whose access list is missing is closed to all`() throws {
        var tree = DataTree(hashSeed: 1, extendedTypes: true)
        let acl = [ACL(.all, "digest", "user:hash")]
        let create = CreateTxn(
            path: "/a", data: nil, acl: acl, isEphemeral: false, parentCVersion: 1)
        let header = TxnHeader(
            session: SessionID(9), cxid: 0, zxid: Zxid(1), time: 1, type: .create)
        tree.apply(header, .create(create))
        let directory = try TemporaryDirectory()
        var store = try directory.store()
        try store.write(tree.snapshot)
        var bytes = try #require(directory["snapshot.1"])
        // The last of the table's keys, which nothing else equals, becomes another one.
        let key = try #require(bytes.firstIndex(of: 2, after: 20, count: 8))
        bytes[key] = 99
        directory["snapshot.1"] = resealed(bytes)
        let recovered = try directory.recover()
        let views = recovered.tree.snapshot.views
        #expect(views["/a"]?.acl == [ACL([], "world", "anyone")])
        #expect(recovered.recovery.notes.count == 1)
    }

    /// Makes the first seal fit what was altered before it, and leaves out the sections behind it.
    private func resealed(_ bytes: [UInt8]) -> [UInt8] {
        let end = SnapshotFormat.end
        let start = bytes.indices.first { Array(bytes[$0...].prefix(5)) == end } ?? 0
        let content = Array(bytes[..<(start + 5)])
        let checksum = UInt64(bitPattern: Adler32.checksum(content.raw))
        return content + (0..<8).map { UInt8(truncatingIfNeeded: checksum >> UInt64(56 - 8 * $0)) }
            + end
    }
}

extension [UInt8] {
    /// Where, from an offset on, a big-endian integer of so many bytes has this value: its last byte.
    fileprivate func firstIndex(of value: UInt8, after start: Int, count size: Int) -> Int? {
        indices.dropFirst(start + size - 1).first { index in
            self[index] == value && self[(index - size + 1)..<index].allSatisfy { $0 == 0 }
        }
    }
}
