package import AviaryCore
import AviaryWire

/// Brings a tree back from the newest snapshot that can be read, and the logs after it.
///
/// Source: FileTxnSnapLog.restore, ZooKeeper 3.9.5. Stricter than there where something that was
/// acknowledged could be missing: then it stops.
package struct Recovery: Sendable {
    package struct Settings: Sendable {
        package var hashSeed: UInt64
        package var extendedTypes = false
        /// `snapshot.trust.empty`: logs without any snapshot are replayed from nothing.
        package var trustsEmpty = false

        package init(hashSeed: UInt64) {
            self.hashSeed = hashSeed
        }
    }

    private let settings: Settings
    /// What an operator should know, in the order it was found.
    package private(set) var notes: [String] = []
    /// Transactions replayed from the logs.
    package private(set) var replayed = 0
    /// There was nothing: a first snapshot is to be written before anything is logged.
    package private(set) var isNew = false
    private var events: [WatchEvent] = []
    /// Before this the digests of a fuzzy snapshot mean nothing; nil if there is none to compare.
    private var digestsFrom: Zxid?
    private var digestMismatches = 0

    private static let maximumCandidates = 100

    package init(_ settings: Settings) {
        self.settings = settings
    }

    /// - Returns: the tree with everything that was acknowledged.
    package mutating func recover<Files: FileSystem & ~Copyable>(
        snapshots files: inout Files, logs logFiles: inout Files
    ) throws(StorageError) -> DataTree {
        try removeUnfinished(&files)
        let candidates = FileNames.sorted(try files.list(), prefix: "snapshot.")
        let logs = try usableLogs(&logFiles)
        var tree: DataTree
        if candidates.isEmpty {
            tree = try startEmpty(logs, logFiles)
        } else {
            tree = try loadNewest(candidates, files)
        }
        try replay(logs, into: &tree, &logFiles)
        removeOrphans(from: &tree)
        tree.recountQuotas()
        if digestMismatches > 0 {
            notes.append("the tree's digest differed after \(digestMismatches) transactions")
        }
        isNew = candidates.isEmpty
        return tree
    }

    // MARK: Snapshots

    private mutating func removeUnfinished<Files: FileSystem & ~Copyable>(
        _ files: inout Files
    ) throws(StorageError) {
        let prefix = FileNames.unfinished("snapshot.")
        for entry in try files.list() where entry.name.hasPrefix(prefix) {
            try files.remove(entry.name)
            notes.append("removed the unfinished snapshot \(entry.name)")
        }
    }

    private mutating func startEmpty<Files: FileSystem & ~Copyable>(
        _ logs: [Log], _ files: borrowing Files
    ) throws(StorageError) -> DataTree {
        for log in logs where !settings.trustsEmpty {
            if try LogReader.firstEntry(of: log.name, in: files) != nil {
                throw StorageError(
                    .missing,
                    "\(files.directory) has transaction logs but there is no snapshot, so a part "
                        + "of the data is missing; restore a snapshot, or set "
                        + "snapshot.trust.empty=true if there never was one")
            }
        }
        digestsFrom = .zero
        return DataTree(hashSeed: settings.hashSeed, extendedTypes: settings.extendedTypes)
    }

    private mutating func loadNewest<Files: FileSystem & ~Copyable>(
        _ candidates: [(zxid: Zxid, name: String, size: Int)], _ files: borrowing Files
    ) throws(StorageError) -> DataTree {
        for candidate in candidates.reversed().prefix(Self.maximumCandidates) {
            guard try SnapshotCheck.looksWhole(candidate.name, size: candidate.size, files) else {
                notes.append("passed over \(candidate.name), which is not whole")
                continue
            }
            var tree = DataTree(
                emptyWithHashSeed: settings.hashSeed, extendedTypes: settings.extendedTypes)
            var reader = SnapshotReader(name: candidate.name, size: candidate.size)
            do throws(StorageError) {
                let trailer = try reader.read(into: &tree, from: files)
                tree.finishLoading(zxid: candidate.zxid)
                digestsFrom = trailer.digestZxid.map { max($0, candidate.zxid) }
                if trailer.digestZxid == candidate.zxid, trailer.digest != tree.digest {
                    digestMismatches += 1
                }
                return tree
            } catch {
                if error.code != .corrupt { throw error }
                notes.append("passed over a snapshot: \(error.message)")
            }
        }
        throw StorageError(
            .corrupt,
            "no snapshot in \(files.directory) can be read (\(notes.joined(separator: "; "))); "
                + "restore one from a backup")
    }

    // MARK: Logs

    typealias Log = (zxid: Zxid, name: String, size: Int)

    /// The logs, less a last one that was never begun.
    private mutating func usableLogs<Files: FileSystem & ~Copyable>(
        _ files: inout Files
    ) throws(StorageError) -> [Log] {
        var logs = FileNames.sorted(try files.list(), prefix: "log.")
        while let last = logs.last, last.size < LogFormat.headerByteCount {
            try files.remove(last.name)
            notes.append("removed \(last.name), which was never begun")
            logs.removeLast()
        }
        return logs
    }

    private mutating func replay<Files: FileSystem & ~Copyable>(
        _ logs: [Log], into tree: inout DataTree, _ files: inout Files
    ) throws(StorageError) {
        let start = logs.lastIndex { $0.zxid <= tree.lastProcessedZxid } ?? 0
        var last = tree.lastProcessedZxid
        for (number, log) in logs.enumerated().dropFirst(start) {
            var reader = LogReader(name: log.name, size: log.size)
            guard try reader.checkHeader(files) else { continue }
            var isOver = false
            while !isOver {
                switch try reader.next(files) {
                case .entry(let entry):
                    try apply(entry, of: log.name, to: &tree, after: &last, files)
                case .end: isOver = true
                case .torn:
                    isOver = true
                    if number == logs.count - 1 {
                        try cut(log, at: reader.offset, &files)
                    } else {
                        notes.append("\(log.name) ends in a torn entry at \(reader.offset)")
                    }
                }
            }
        }
    }

    private mutating func apply<Files: FileSystem & ~Copyable>(
        _ entry: LogEntry, of log: String, to tree: inout DataTree, after last: inout Zxid,
        _ files: borrowing Files
    ) throws(StorageError) {
        let zxid = entry.header.zxid
        if zxid <= tree.lastProcessedZxid { return }
        if zxid.epoch == last.epoch && zxid != last.next {
            throw StorageError(
                .corrupt,
                "\(files.directory)/\(log) goes on with \(zxid) where \(last.next) should follow: "
                    + "transactions between them are missing; restore the logs that held them")
        }
        last = zxid
        _ = tree.apply(entry.header, entry.txn, firing: &events)
        events.removeAll(keepingCapacity: true)
        replayed += 1
        if let digest = entry.digest, digest.version == TxnDigest.currentVersion,
            let digestsFrom, zxid >= digestsFrom, digest.treeDigest != tree.digest
        {
            digestMismatches += 1
        }
    }

    /// Ends the last log before an entry that was not written to its end, and keeps what is cut off.
    private mutating func cut<Files: FileSystem & ~Copyable>(
        _ log: Log, at offset: Int, _ files: inout Files
    ) throws(StorageError) {
        let copy = FileNames.torn(log.name, at: offset)
        var tail = try files.read(log.name, at: offset, count: min(log.size - offset, 64 << 20))
        let written = tail.lastIndex { $0 != 0 } ?? 0
        tail.removeLast(tail.count - written - 1)
        try files.create(copy)
        try files.write(tail.raw, to: copy, at: 0)
        try files.sync(copy)
        try files.close(copy)
        try files.truncate(log.name, to: offset)
        try files.sync(log.name)
        try files.close(log.name)
        try files.syncDirectory()
        notes.append(
            "cut a torn entry, which was never acknowledged, off \(log.name) at \(offset); "
                + "kept it as \(copy)")
    }

    // MARK: Sessions

    /// Ephemeral nodes whose session is not in the table cannot end with it, so they end now.
    private mutating func removeOrphans(from tree: inout DataTree) {
        for session in tree.sessionsWithEphemerals where tree.sessions[session] == nil {
            let header = TxnHeader(
                session: session, cxid: 0, zxid: tree.lastProcessedZxid, time: 0,
                type: .closeSession)
            _ = tree.apply(header, .closeSession(ephemerals: nil), firing: &events)
            events.removeAll()
            notes.append("removed the ephemeral nodes of session \(session), which is not open")
        }
    }
}
