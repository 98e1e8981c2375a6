package import AviaryWire
package import NIOCore

/// An entry as its bytes stand in the log and travel in a proposal: header, record and digest.
package struct LoggedEntry: Hashable, Sendable {
    package let zxid: Zxid
    package let payload: ByteBuffer

    package init(zxid: Zxid, payload: ByteBuffer) {
        self.zxid = zxid
        self.payload = payload
    }
}

/// What the log holds of a server's past, also while it is appended to.
package enum LogHistory {
    /// The entries from the last one at or before a zxid through another, for a learner that lacks
    /// what is between.
    ///
    /// Nothing behind the last of them is looked at: an entry may be half written there.
    /// Source: LearnerHandler.syncFollower and queueCommittedProposals, ZooKeeper 3.9.5.
    ///
    /// - Precondition: `last` would outlive a crash.
    /// - Parameter limitBytes: of all payloads together.
    /// - Returns: nil if the log does not reach back so far, if an entry is missing (ZOOKEEPER-2418),
    ///   or if it is too much to be worth it.
    package static func read<Files: FileSystem & ~Copyable>(
        from first: Zxid, through last: Zxid, limitBytes: Int, in files: borrowing Files
    ) throws(StorageError) -> [LoggedEntry]? {
        precondition(first <= last, "a history goes forward")
        let logs = try LogFile.settled(in: files)
        guard let start = logs.lastIndex(where: { $0.zxid <= first }) else { return nil }
        var run = Run(first: first, last: last, limitBytes: limitBytes)
        for log in logs.dropFirst(start) where !run.isEnded {
            do throws(StorageError) {
                try run.read(log, files)
            } catch {
                // It may have been purged since.
                let isGone = try !files.list().contains { $0.name == log.name }
                if error.code == .failed && isGone { return nil }
                throw error
            }
        }
        return run.isBroken || run.entries.last?.zxid != last ? nil : run.entries
    }

    /// In bytes; 0 if there is none.
    package static func newestSnapshotSize<Files: FileSystem & ~Copyable>(
        in files: borrowing Files
    ) throws(StorageError) -> Int {
        SnapshotFile.sorted(try files.list()).last?.size ?? 0
    }

    /// Whether the log brings a tree from one transaction to another: nothing is missing between
    /// them, and the second is there. O(bytes of the logs between).
    static func leads<Files: FileSystem & ~Copyable>(
        from first: Zxid, to last: Zxid, in files: borrowing Files
    ) throws(StorageError) -> Bool {
        let logs = LogFile.sorted(try files.list())
        var reached = first
        var isBroken = false
        for log in logs.dropFirst(logs.lastIndex { $0.zxid <= first } ?? 0) {
            if reached >= last || isBroken { break }
            var reader = LogReader(log)
            _ = try reader.readAll(files) { entry, _, _ in
                let zxid = entry.header.zxid
                if zxid <= reached { return true }
                isBroken = zxid != zxid.successor(of: reached)
                if !isBroken { reached = zxid }
                return !isBroken && reached < last
            }
        }
        return reached == last
    }

    private struct Run {
        let first: Zxid
        let last: Zxid
        let limitBytes: Int
        var entries: [LoggedEntry] = []
        var byteCount = 0
        var isBroken = false

        var isEnded: Bool { isBroken || (entries.last.map { $0.zxid >= last } ?? false) }

        mutating func read<Files: FileSystem & ~Copyable>(
            _ log: LogFile, _ files: borrowing Files
        ) throws(StorageError) {
            var reader = LogReader(log)
            _ = try reader.readAll(files) { entry, _, reader in
                take(entry.header.zxid, reader)
                return !isEnded
            }
        }

        private mutating func take(_ zxid: Zxid, _ reader: LogReader) {
            if let previous = entries.last?.zxid, zxid <= previous { return }
            if zxid <= first {
                entries.removeAll(keepingCapacity: true)
                byteCount = 0
            } else if entries.last.map({ zxid != zxid.successor(of: $0.zxid) }) ?? true {
                isBroken = true
                return
            }
            let entry = LoggedEntry(zxid: zxid, payload: reader.payload)
            byteCount += entry.payload.readableBytes
            isBroken = byteCount > limitBytes
            entries.append(entry)
        }
    }
}

/// The last entries that were read, so many and no more, and without a gap.
struct RecentEntries: Sendable {
    private let limit: Int
    private var entries: [LoggedEntry] = []
    /// Where in the array the first one is.
    private var start = 0
    private(set) var last: Zxid?

    init(limit: Int) {
        precondition(limit >= 0, "there are no fewer than no entries")
        self.limit = limit
    }

    /// In the order of their zxids.
    var all: [LoggedEntry] { Array(entries[start...] + entries[..<start]) }

    mutating func append(_ entry: LoggedEntry) {
        if let last, entry.zxid != entry.zxid.successor(of: last) { removeAll() }
        last = entry.zxid
        if entries.count < limit {
            entries.append(entry)
        } else if limit > 0 {
            entries[start] = entry
            start = (start + 1) % limit
        }
    }

    mutating func removeAll() {
        entries.removeAll()
        start = 0
        last = nil
    }
}
