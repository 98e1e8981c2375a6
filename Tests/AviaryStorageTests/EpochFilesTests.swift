import AviaryWire
import Testing

@testable import AviaryCore
@testable import AviaryStorage

/// The files with a member's epochs, read as at a start and written so that no crash harms them.
struct EpochFilesTests {
    /// A directory with these files; what they say together for a log that ends in an epoch.
    private func load(
        _ texts: [String: String], last: Zxid
    ) throws -> Epochs {
        let directory = try TemporaryDirectory()
        for (name, text) in texts { directory[name] = Array(text.utf8) }
        return try EpochFiles.load(last: last, in: directory.files())
    }

    private func isRefused(_ texts: [String: String], last: Zxid) throws -> Bool {
        do {
            _ = try load(texts, last: last)
            return false
        } catch let error as StorageError {
            #expect(error.code == .corrupt)
            return true
        }
    }

    private func zxid(_ epoch: Int64, _ counter: Int64) -> Zxid { Zxid(epoch << 32 | counter) }

    @Test func `what was saved is read again, as Apache writes it`() throws {
        let directory = try TemporaryDirectory()
        var files = try directory.files()
        try EpochFiles.save(accepted: 12, current: 11, in: &files)
        #expect(directory["acceptedEpoch"] == Array("12".utf8))
        #expect(directory["currentEpoch"] == Array("11".utf8))
        #expect(directory.names == ["acceptedEpoch", "currentEpoch"])
        let loaded = try EpochFiles.load(last: zxid(11, 5), in: files)
        #expect(loaded == Epochs(accepted: 12, current: 11))
    }

    @Test func `what Apache left is read`() throws {
        let directory = try StorageFixture("01-history-quorum1").copy()
        let last = try directory.recover().tree.lastProcessedZxid
        let loaded = try EpochFiles.load(last: last, in: directory.files())
        #expect(loaded == Epochs(accepted: Int64(last.epoch), current: Int64(last.epoch)))
    }

    @Test func `missing files are those of the last transaction`() throws {
        #expect(try load([:], last: .zero) == Epochs(accepted: 0, current: 0))
        #expect(try load([:], last: zxid(7, 1)) == Epochs(accepted: 7, current: 7))
        let accepted = ["acceptedEpoch": "9"]
        #expect(try load(accepted, last: zxid(7, 1)) == Epochs(accepted: 9, current: 7))
        let current = ["currentEpoch": "7"]
        #expect(try load(current, last: zxid(7, 1)) == Epochs(accepted: 7, current: 7))
    }

    @Test func `H.25: files that say -1 are missing as long as the database is empty`() throws {
        let texts = ["acceptedEpoch": "-1", "currentEpoch": "-1"]
        #expect(try load(texts, last: .zero) == Epochs(accepted: 0, current: 0))
        #expect(try load(texts, last: Zxid(-1)) == Epochs(accepted: 0, current: 0))
        #expect(try isRefused(texts, last: zxid(0, 1)))
        #expect(try isRefused(texts, last: zxid(1, 1)))
    }

    @Test func `a log that is ahead of the current epoch is believed if the epoch was accepted`()
        throws
    {
        let texts = ["acceptedEpoch": "5", "currentEpoch": "4"]
        #expect(try load(texts, last: zxid(5, 1)) == Epochs(accepted: 5, current: 5))
        #expect(try load(texts, last: zxid(4, 9)) == Epochs(accepted: 5, current: 4))
        // A snapshot from a leader that had nothing in its epoch yet.
        #expect(try load(texts, last: zxid(5, 0)) == Epochs(accepted: 5, current: 5))
        #expect(try isRefused(texts, last: zxid(6, 1)))
        #expect(try isRefused(["currentEpoch": "4"], last: zxid(5, 1)))
        // The log came forward by two epochs in one synchronization.
        let behind = ["acceptedEpoch": "9", "currentEpoch": "4"]
        #expect(try load(behind, last: zxid(8, 3)) == Epochs(accepted: 9, current: 8))
    }

    @Test func `an unfinished current epoch is adopted if the log is ahead of the finished one`()
        throws
    {
        var texts = ["acceptedEpoch": "7", "currentEpoch": "4", "currentEpoch.tmp": "7"]
        #expect(try load(texts, last: zxid(5, 1)) == Epochs(accepted: 7, current: 7))
        #expect(try load(texts, last: zxid(4, 1)) == Epochs(accepted: 7, current: 4))
        // Torn, of another time, or never accepted.
        for tmp in ["", "3", "8", "x"] {
            texts["currentEpoch.tmp"] = tmp
            #expect(try load(texts, last: zxid(5, 1)) == Epochs(accepted: 7, current: 5), "\(tmp)")
        }
    }

    @Test func `a current epoch that was never accepted is refused`() throws {
        #expect(try isRefused(["acceptedEpoch": "3", "currentEpoch": "4"], last: zxid(3, 1)))
        #expect(try isRefused(["currentEpoch": "4"], last: zxid(3, 1)))
    }

    @Test(arguments: ["", "x", "99999999999999999999", "1x"])
    func `H.14: a file that holds no number is not taken for a missing one`(text: String) throws {
        #expect(try isRefused(["acceptedEpoch": text, "currentEpoch": "1"], last: zxid(1, 1)))
        #expect(try isRefused(["acceptedEpoch": "1", "currentEpoch": text], last: zxid(1, 1)))
    }

    @Test func `H.14: saving removes what an earlier attempt left`() throws {
        let directory = try TemporaryDirectory()
        for name in EpochFiles.names {
            directory[name] = Array("3".utf8)
            directory["\(name).tmp"] = Array("2".utf8)
        }
        var files = try directory.files()
        try EpochFiles.save(accepted: 3, current: 3, in: &files)
        #expect(directory.names == ["acceptedEpoch", "currentEpoch"])
    }

    /// The epochs on a disk, as a start of a member with an empty log would find them.
    private func epochs(on disk: MemoryDisk) throws -> Epochs {
        try EpochFiles.load(last: .zero, in: MemoryFiles(disk: disk))
    }

    @Test func `H.14: a crash leaves the old epochs or the new ones, and accepted comes first`()
        throws
    {
        var seen: Set<Epochs> = []
        for seed in 1...60 {
            for operations in 0..<16 {
                var random = SeededRandom(seed: UInt64(seed))
                let disk = MemoryDisk()
                var files = MemoryFiles(disk: disk)
                try EpochFiles.save(accepted: 9, current: 8, in: &files)
                disk.operationsLeft = operations
                var isSaved = false
                do throws(StorageError) {
                    try EpochFiles.save(accepted: 10, current: 10, in: &files)
                    isSaved = true
                } catch {
                    #expect(error == MemoryDisk.crash)
                }
                disk.crash(&random)
                let found = try epochs(on: disk)
                let new = Epochs(accepted: 10, current: 10)
                let allowed = [
                    Epochs(accepted: 9, current: 8), Epochs(accepted: 10, current: 8), new,
                ]
                #expect(isSaved ? found == new : allowed.contains(found), "\(seed) \(operations)")
                seen.insert(found)
                // The next start puts right what was left.
                try EpochFiles.save(accepted: 10, current: 10, in: &files)
                #expect(Set(disk.sizes.keys) == Set(EpochFiles.names))
            }
        }
        #expect(seen.count == 3)
    }

    @Test func `saving that failed can be tried again, and is safe only then`() throws {
        for seed in 1...200 {
            var random = SeededRandom(seed: UInt64(seed))
            let disk = MemoryDisk()
            var files = MemoryFiles(disk: disk)
            try EpochFiles.save(accepted: 1, current: 1, in: &files)
            disk.faults = SeededRandom(seed: UInt64(seed))
            disk.operationsPerFault = 4
            while true {
                do throws(StorageError) {
                    try EpochFiles.save(accepted: 2, current: 2, in: &files)
                    break
                } catch {
                    #expect(error == MemoryDisk.fault)
                }
            }
            disk.crash(&random)
            #expect(try epochs(on: disk) == Epochs(accepted: 2, current: 2), "\(seed)")
        }
    }
}
