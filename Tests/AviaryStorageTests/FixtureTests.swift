import AviaryWire
import Foundation
import Testing

@testable import AviaryCore
@testable import AviaryStorage

/// Data directories of real Apache ZooKeeper servers, whole and damaged.
struct FixtureTests {
    private static let readable = [
        "01-history-quorum1", "01b-history-standalone", "02-after-restart", "03-torn-tail",
        "03b-torn-tail-in-padding", "05-snapshot-bad-checksum", "05b-snapshot-truncated",
        "06-snapshot-gz", "06-snapshot-snappy",
        "09-history-written-by-3.8.0", "10-history-no-digest-no-close-body", "12-empty-last-log",
    ]

    @Test(arguments: readable)
    func `H.24, H.62: everything Apache served is there after recovery`(name: String) throws {
        let fixture = StorageFixture(name)
        let expected = try fixture.expected
        let directory = try fixture.copy()
        let recovered = try directory.recover()
        let found = recovered.tree.snapshot.views
        let wanted = expected.nodes
        #expect(wanted.count > 50)
        #expect(found.keys.sorted() == wanted.keys.sorted())
        for (path, node) in wanted { #expect(found[path] == node, "\(path)") }
        if let zxid = expected.last_zxid {
            #expect(recovered.tree.lastProcessedZxid.description == zxid)
        }
        if let digest = expected.tree_digest {
            #expect("0x" + String(recovered.tree.digest, radix: 16) == digest.value)
        }
        if let sessions = expected.sessions { #expect(recovered.tree.sessions == sessions) }
        let hasMismatch = recovered.hasMismatch
        #expect(!hasMismatch)
        let isNew = recovered.recovery.isNew
        #expect(!isNew)
    }

    @Test(arguments: readable)
    func `a second recovery finds what the first left`(name: String) throws {
        let directory = try StorageFixture(name).copy()
        let first = try directory.recover().tree.snapshot
        let again = try directory.recover()
        #expect(again.tree.snapshot.views == first.views)
        #expect(again.tree.digest == first.digest)
        #expect(again.recovery.notes.filter { $0.contains("cut") || $0.contains("removed") } == [])
    }

    @Test(
        arguments: [
            "01-history-quorum1", "01b-history-standalone", "02-after-restart",
            "09-history-written-by-3.8.0", "10-history-no-digest-no-close-body",
        ])
    func `H.53: the digest after each entry is the one Apache logged`(name: String) throws {
        let directory = try StorageFixture(name).copy()
        let files = try directory.files()
        var tree = DataTree(hashSeed: 1, extendedTypes: true)
        var compared = 0
        for log in LogFile.sorted(try files.list()) {
            var reader = LogReader(log)
            #expect(try reader.checkHeader(files))
            while case .entry(let entry) = try reader.next(files) {
                tree.apply(entry.header, entry.txn)
                if let digest = entry.digest {
                    #expect(digest.version == 2)
                    #expect(digest.treeDigest == tree.digest, "\(entry.header.zxid)")
                    compared += 1
                }
            }
        }
        #expect(tree.lastProcessedZxid.counter > 0)
        #expect(name.hasPrefix("10") ? compared == 0 : compared > 60)
    }

    @Test(arguments: ["03-torn-tail", "03b-torn-tail-in-padding"])
    func `a torn entry is cut off and kept beside the log`(name: String) throws {
        let directory = try StorageFixture(name).copy()
        let before = try #require(directory["log.100000054"])
        let recovered = try directory.recover()
        #expect(recovered.tree.lastProcessedZxid == Zxid(0x1_0000_0056))
        let after = try #require(directory["log.100000054"])
        let torn = try #require(directory["torn.log.100000054.\(after.count)"])
        #expect(after + torn == Array(before[..<(after.count + torn.count)]))
        // Zeros at its end could as well be padding.
        #expect(before[(after.count + torn.count)...].allSatisfy { $0 == 0 })
        #expect((50...406 - after.count).contains(torn.count))
        #expect(recovered.recovery.notes.contains { $0.contains("torn.log.100000054") })
    }

    @Test func `H.23: a cleared end mark in the middle of a log is refused, with its place`() throws
    {
        let directory = try StorageFixture("03c-record-terminator-zeroed-midfile").copy()
        let error = try #require(refusal(of: directory))
        #expect(error.code == .corrupt)
        #expect(error.file == "log.100000054")
        let offset = try #require(error.offset)
        #expect((16..<235).contains(offset))
        #expect(error.message.contains("log.100000054") && error.message.contains("\(offset)"))
    }

    @Test func `a flipped bit in the middle of a log is refused, with its place`() throws {
        let directory = try StorageFixture("04-corrupt-byte-midfile").copy()
        let error = try #require(refusal(of: directory))
        #expect(error.code == .corrupt)
        #expect(error.file == "log.100000054")
        let offset = try #require(error.offset)
        #expect((16...186).contains(offset))
        #expect(error.message.contains("checksum"))
    }

    @Test func `a gap between two logs is refused, with its place`() throws {
        let directory = try StorageFixture("11-gap-between-logs").copy()
        let error = try #require(refusal(of: directory))
        #expect(error.code == .missing)
        #expect(error.file == "log.100000024")
        #expect(error.offset == 16)
        #expect(error.message.contains("0x10000001f"))
    }

    @Test(
        arguments: [
            "03c-record-terminator-zeroed-midfile", "04-corrupt-byte-midfile",
            "11-gap-between-logs", "13-logs-without-snapshots",
        ])
    func `what is refused is left as it was`(name: String) throws {
        let directory = try StorageFixture(name).copy()
        directory["tmp.snapshot.7"] = [1, 2, 3]
        let names = directory.names
        let contents = names.map { directory[$0] }
        #expect(refusal(of: directory) != nil)
        #expect(directory.names == names)
        #expect(names.map { directory[$0] } == contents)
    }

    @Test func `H.15, H.16: logs without snapshots are refused unless an empty start is trusted`()
        throws
    {
        let fixture = StorageFixture("13-logs-without-snapshots")
        let directory = try fixture.copy()
        let error = try #require(refusal(of: directory))
        #expect(error.code == .missing)
        #expect(error.message.contains("snapshot.trust.empty"))

        let trusted = try directory.recover(trustingEmpty: true)
        var found = trusted.tree.snapshot.views
        var wanted = try StorageFixture("01-history-quorum1").expected.nodes
        // A quorum's configuration gets there by no transaction.
        found["/zookeeper/config"] = nil
        wanted["/zookeeper/config"] = nil
        #expect(found == wanted)
        let isNew = trusted.recovery.isNew
        #expect(isNew)
    }

    @Test func `an empty last log is removed`() throws {
        let directory = try StorageFixture("12-empty-last-log").copy()
        let notes = try directory.recover().recovery.notes
        #expect(directory["log.100001054"] == nil)
        #expect(notes.contains { $0.contains("log.100001054") })
    }

    @Test func `an epoch file that is behind the transactions stops the start`() throws {
        let directory = try StorageFixture("14-current-epoch-behind-zxid").copy()
        directory["acceptedEpoch"] = Array("0".utf8)
        #expect(refusal(of: directory)?.file == "currentEpoch")
        directory["acceptedEpoch"] = nil
        #expect(refusal(of: directory)?.file == "currentEpoch")
    }

    /// A member's crash can leave this, so it starts; Apache does not.
    @Test func `a current epoch that is behind an accepted one may be behind the log`() throws {
        let directory = try StorageFixture("14-current-epoch-behind-zxid").copy()
        let last = try directory.recover().tree.lastProcessedZxid
        let epochs = try EpochFiles.load(last: last, in: directory.files())
        #expect(epochs == Epochs(accepted: 1, current: 1))
    }

    private struct ExpectedEntry: Decodable {
        let offset: Int
        let zxid: String
        let type: String
        /// The configuration that a reconfig sets.
        let config: String?
    }

    @Test func `the log of a member that was reconfigured is read entry by entry`() throws {
        let fixture = StorageFixture("08-reconfig-log")
        let directory = try fixture.copy()
        let expected = try JSONDecoder().decode(
            [ExpectedEntry].self,
            from: Data(contentsOf: fixture.folder.appending(path: "entries.json")))
        let files = try directory.files()
        let log = try #require(LogFile.sorted(try files.list()).first)
        var reader = LogReader(log)
        #expect(try reader.checkHeader(files))
        for wanted in expected {
            #expect(reader.offset == wanted.offset)
            guard case .entry(let entry) = try reader.next(files) else {
                Issue.record("no entry at \(wanted.offset)")
                return
            }
            #expect(entry.header.zxid.description == wanted.zxid)
            #expect("\(entry.header.type)" == wanted.type)
            if case .setData(let path, let data, _) = entry.txn, let config = wanted.config {
                #expect(path == ReservedPath.config)
                #expect(String(decoding: data ?? [], as: UTF8.self) == config)
            }
        }
        let last = try #require(expected.last)
        let recovered = try directory.recover()
        #expect(recovered.tree.lastProcessedZxid.description == last.zxid)
        let found = recovered.tree.find(ReservedPath.config)
        let node = try #require(found)
        let data = recovered.tree.data(of: node)
        let config = expected.compactMap(\.config).last
        #expect(data == config.map { [UInt8]($0.utf8) })
    }

    @Test(arguments: ["gz", "snappy"])
    func `a compressed snapshot is the one that is taken`(method: String) throws {
        let recovery = try StorageFixture("06-snapshot-\(method)").copy().recover().recovery
        #expect(recovery.start?.name.hasSuffix(method) == true)
        #expect(recovery.notes.isEmpty)
    }

    @Test func `a snapshot that is passed over is named`() throws {
        let damaged = try StorageFixture("05-snapshot-bad-checksum").copy()
        let notes = try damaged.recover().recovery.notes
        #expect(notes.contains { $0.contains("snapshot.100000052") && $0.contains("checksum") })
        let cut = try StorageFixture("05b-snapshot-truncated").copy()
        let others = try cut.recover().recovery.notes
        #expect(others.contains { $0.contains("snapshot.100000052") && $0.contains("not whole") })
    }
}
