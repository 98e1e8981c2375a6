import AviaryWire
import NIOCore
import Testing

@testable import AviaryCore
@testable import AviaryStorage

/// Data directories that are made of backups, as of one transaction.
struct RestorationTests {
    private func restore(
        _ directory: TemporaryDirectory, to target: Restoration.Target,
        _ change: (inout Restoration.Settings) -> Void = { _ in }
    ) throws -> TreeSnapshot {
        var settings = Restoration.Settings(recovery: .tests)
        settings.target = target
        change(&settings)
        var restoration = Restoration(settings)
        let files = ReadOnlyFiles(try directory.files())
        let tree = try restoration.prepare(snapshots: files, logs: files)
        return try written(tree.snapshot, epochsFrom: directory)
    }

    /// What a server finds that starts on the result.
    private func written(
        _ snapshot: TreeSnapshot, epochsFrom directory: TemporaryDirectory
    ) throws -> TreeSnapshot {
        let copy = try TemporaryDirectory()
        var target = try copy.files()
        let source = ReadOnlyFiles(try directory.files())
        let epochs = try Restoration.write(snapshot, epochsFrom: source, to: &target)
        #expect(epochs.allSatisfy { copy[$0] == directory[$0] })
        let recovered = try copy.recover()
        let notes = recovered.recovery.notes
        #expect(notes == [])
        return recovered.tree.snapshot
    }

    private func refusal(
        _ directory: TemporaryDirectory, to target: Restoration.Target
    ) -> StorageError? {
        do {
            _ = try restore(directory, to: target)
            return nil
        } catch {
            return error as? StorageError
        }
    }

    @Test(arguments: 1...10)
    func `every transaction of a backup can be gone back to`(seed: Int) throws {
        let history = RandomHistory(seed: UInt64(seed), count: 60)
        let directory = try TemporaryDirectory()
        var log = try directory.log(after: .zero)
        var store = try directory.store()
        for (index, entry) in history.entries.enumerated() {
            if index % 23 == 0 {
                try log.roll()
                try store.write(RandomHistory.tree(after: history.entries[..<index]).snapshot)
            }
            log.append([entry])
        }
        try log.flush()
        let copy = try backUp(directory, all: true)
        for count in 0...60 {
            let restored = try restore(copy, to: .zxid(Zxid(Int64(count))))
            let expected = RandomHistory.tree(after: history.entries[..<count])
            #expect(same(restored, expected.snapshot), "\(count)")
            guard count > 0 else { continue }
            // The clock of the history ticks once for each.
            let time = history.entries[count - 1].header.time
            #expect(same(try restore(copy, to: .time(time)), expected.snapshot), "\(count)")
        }
        let late = try #require(refusal(copy, to: .zxid(Zxid(61))))
        #expect(late.message.contains("0x0 to 0x3c"))
        #expect(refusal(copy, to: .time(1_699_999_999_999))?.code == .missing)
        let small = try backUp(directory)
        let early = try #require(refusal(small, to: .zxid(Zxid(40))))
        #expect(early.message.contains("0x2e to 0x3c"))
    }

    @Test func `every transaction of a real history can be gone back to, but for its config`()
        throws
    {
        let directory = try StorageFixture("01-history-quorum1").copy()
        let files = try directory.files()
        var cursor = try LogCursor(files)
        var tree = DataTree(hashSeed: 1, extendedTypes: true)
        while let record = try cursor.next(files) {
            tree.apply(record.entry.header, record.entry.txn)
            let restored = try restore(directory, to: .zxid(tree.lastProcessedZxid))
            #expect(restored.digest == tree.digest, "\(tree.lastProcessedZxid)")
            #expect(restored.sessions == tree.sessions, "\(tree.lastProcessedZxid)")
            var views = (restored.views, tree.snapshot.views)
            // A quorum's configuration gets there by no transaction.
            views.0["/zookeeper/config"] = nil
            views.1["/zookeeper/config"] = nil
            #expect(views.0 == views.1, "\(tree.lastProcessedZxid)")
        }
    }

    @Test func `a fuzzy snapshot leads to nothing before the last transaction in it`() throws {
        let directory = try StorageFixture("01-history-quorum1").copy()
        directory["snapshot.0"] = nil
        for zxid in [0x1_0000_0022, 0x1_0000_0023] as [Int64] {
            let error = try #require(refusal(directory, to: .zxid(Zxid(zxid))))
            #expect(error.message.contains("0x100000024 to 0x10000005a"))
        }
        let restored = try restore(directory, to: .zxid(Zxid(0x1_0000_0024)))
        #expect(restored.zxid == Zxid(0x1_0000_0024))
    }

    /// Apache's server notes a digest after it has applied a transaction, so that a snapshot may hold
    /// the next one already. A deletion shows in no stat of it.
    @Test(arguments: [3, 5] as [Int64])
    func `a snapshot that lacks what the transaction after its digest deletes is no start for it`(
        name: Int64
    ) throws {
        let directory = try TemporaryDirectory()
        var log = try directory.log(after: .zero)
        var store = try directory.store()
        var tree = DataTree(hashSeed: 42, extendedTypes: true)
        try store.write(tree.snapshot)
        var entries: [LogEntry] = []
        func apply(_ type: OpCode, _ txn: Txn) {
            let header = TxnHeader(
                session: SessionID(1), cxid: 1, zxid: tree.lastProcessedZxid.next, time: 5,
                type: type)
            tree.apply(header, txn)
            let digest = TxnDigest(treeDigest: tree.digest)
            entries.append(LogEntry(header: header, txn: txn, digest: digest))
        }
        for path in ["/a", "/b", "/c", "/d", "/e"] as [Path] {
            let create = CreateTxn(
                path: path, data: [], acl: ACL.openToAll, isEphemeral: false,
                parentCVersion: Int32(entries.count + 1), ttlMilliseconds: 0)
            apply(.create, .create(create))
        }
        let before = (RandomHistory.tree(after: entries).snapshot, digest: tree.digest)
        apply(.delete, .delete("/c"))
        apply(.setData, .setData(path: "/a", data: [1], version: 1))
        log.append(entries)
        try log.flush()
        let named = RandomHistory.tree(after: entries[..<Int(name)]).snapshot
        var fuzzy = DataTree(emptyWithHashSeed: 42, extendedTypes: true)
        for (path, stat) in named.persisted.sorted(by: { $0.key < $1.key }) where path != "/c" {
            let view = try #require(named.views[path == "" ? "/" : path])
            fuzzy.load(path: [UInt8](path.utf8), data: view.data, acl: view.acl, stat: stat)
        }
        fuzzy.finishLoading(zxid: Zxid(name))
        try store.write(fuzzy.snapshot)
        sealDigest(of: Zxid(5), before.digest, in: "snapshot.\(name)", directory)

        let restored = try restore(directory, to: .zxid(Zxid(5)))
        #expect(same(restored, before.0))
        for limit in 6...7 {
            let restored = try restore(directory, to: .zxid(Zxid(Int64(limit))))
            #expect(same(restored, RandomHistory.tree(after: entries[..<limit]).snapshot))
        }
        // The transaction after the digest puts the tree right, and nobody need know.
        #expect(try directory.recover().recovery.notes == [])
        directory["snapshot.0"] = nil
        #expect(refusal(directory, to: .zxid(Zxid(5)))?.code == .missing)
    }

    /// Replaces the digest that a snapshot ends with, and the last zxid behind it.
    private func sealDigest(
        of zxid: Zxid, _ digest: UInt64, in name: String, _ directory: TemporaryDirectory
    ) {
        let byteCount = 20 + 8 + 2 * SnapshotFormat.sealByteCount
        var bytes = ByteBuffer(bytes: directory[name]!.dropLast(byteCount))
        func seal() {
            bytes.writeInteger(Int64(Adler32.checksum(bytes.readableBytesSpan)))
            bytes.writeBytes(SnapshotFormat.end)
        }
        bytes.writeInteger(zxid.rawValue)
        bytes.writeInteger(TxnDigest.currentVersion)
        bytes.writeInteger(digest)
        seal()
        bytes.writeInteger(zxid.rawValue)
        seal()
        directory[name] = Array(bytes.readableBytesView)
    }

    @Test func `what its nodes show makes a snapshot without a digest fuzzy`() throws {
        var tree = DataTree(hashSeed: 1, extendedTypes: true)
        var stat = StatPersisted()
        stat.mzxid = Zxid(9)
        tree.load(path: [UInt8]("/a".utf8), data: nil, acl: ACL.openToAll, stat: stat)
        #expect(tree.snapshot.newestVisibleZxid == Zxid(9))
        let directory = try TemporaryDirectory()
        tree.finishLoading(zxid: Zxid(7))
        var store = try directory.store()
        try store.write(tree.snapshot)
        #expect(refusal(directory, to: .zxid(Zxid(7)))?.message.contains("0x9") == true)
    }

    @Test func `damage behind the target does not matter`() throws {
        let directory = try StorageFixture("04-corrupt-byte-midfile").copy()
        let restored = try restore(directory, to: .zxid(Zxid(0x1_0000_0054)))
        #expect(restored.zxid == Zxid(0x1_0000_0054))
        #expect(refusal(directory, to: .zxid(Zxid(0x1_0000_0055)))?.code == .corrupt)
    }

    @Test func `dropping ephemerals ends every session and leaves the rest`() throws {
        let directory = try StorageFixture("01-history-quorum1").copy()
        let kept = try restore(directory, to: .end)
        #expect(kept.sessions.count == 2)
        let dropped = try restore(directory, to: .end) { $0.dropsEphemerals = true }
        #expect(dropped.sessions == [:])
        let views = kept.views.filter { $0.value.stat.ephemeralOwner == 0 }
        #expect(views.count == kept.nodeCount - 4)
        #expect(dropped.views.keys.sorted() == views.keys.sorted())
        #expect(dropped.views.mapValues(\.data) == views.mapValues(\.data))
    }

    // MARK: Subtrees

    @Test func `a subtree has what is in it and what leads to it`() throws {
        let directory = try StorageFixture("01-history-quorum1").copy()
        let whole = try restore(directory, to: .end)
        let part = try restore(directory, to: .end) { settings in
            settings.subtree = try? Subtree(path: "/m", newPath: nil)
        }
        #expect(part.sessions == [:])
        let wanted = ["/", "/m", "/m/a", "/m/c2", "/m/cont", "/m/s-0000000001"]
        let own = ["/zookeeper", "/zookeeper/config", "/zookeeper/quota"]
        #expect(part.views.keys.sorted() == (wanted + own).sorted())
        for path in wanted {
            let key = path == "/" ? "" : path
            #expect(part.persisted[key] == whole.persisted[key])
            #expect(part.views[path]?.data == whole.views[path]?.data)
            #expect(part.views[path]?.acl == whole.views[path]?.acl)
        }
    }

    @Test func `a subtree can move, and what its new path needs is made`() throws {
        let directory = try StorageFixture("01-history-quorum1").copy()
        let whole = try restore(directory, to: .end)
        let part = try restore(directory, to: .end) { settings in
            settings.subtree = try? Subtree(path: "/acl", newPath: "/old/here/acl2")
        }
        #expect(part.views["/old/here"]?.data == [])
        #expect(part.views["/old/here"]?.children == ["acl2"])
        #expect(part.views["/acl"] == nil)
        let source = whole.views["/acl/digest"]
        #expect(source != nil && part.views["/old/here/acl2/digest"] == source)
        let grafted = try restore(directory, to: .end) { settings in
            settings.subtree = try? Subtree(path: "/", newPath: "/all")
        }
        #expect(grafted.views["/all"]?.data == whole.views["/"]?.data)
        #expect(grafted.views["/all/acl/digest"] == source)
        #expect(grafted.views["/all/zookeeper"] == nil)
        #expect(grafted.views["/"]?.children == ["all", "zookeeper"])
    }

    @Test func `a subtree that cannot be is refused`() throws {
        for (path, newPath) in [
            ("/zookeeper", nil), ("/zookeeper/quota/a", nil), ("/a", "/"), ("/a", "/zookeeper/b"),
            ("a", nil), ("/a/", nil), ("/a", "b"),
        ] as [(Path, Path?)] {
            #expect(throws: StorageError.self) { try Subtree(path: path, newPath: newPath) }
        }
        let directory = try StorageFixture("01-history-quorum1").copy()
        for path in ["/none", "/m/eph"] as [Path] {
            let subtree = try Subtree(path: path, newPath: nil)
            #expect(throws: StorageError.self) {
                try restore(directory, to: .end) { $0.subtree = subtree }
            }
        }
    }
}
