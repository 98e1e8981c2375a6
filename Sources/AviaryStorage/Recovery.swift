package import AviaryCore
package import AviaryWire

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
        /// The last transaction that may be in the tree; nil is without limit. With a limit nothing
        /// can be put right, so only `rehearse` takes one.
        package var limit: Zxid?
        /// How many of the log's last entries are kept in `history`.
        package var historyLimit = 0
        /// Ephemeral nodes whose session is not open stay. So it is for a member of an ensemble: only
        /// what the ensemble decides changes its tree.
        package var keepsOrphans = false
        /// A database without snapshots and logs is what it should be: `db.autocreate` is true, or
        /// there is the file `Recovery.initializeFile`. If not, the data may have been lost.
        package var trustsEmptyDatabase = true

        package init(hashSeed: UInt64) {
            self.hashSeed = hashSeed
        }
    }

    let settings: Settings
    /// What an operator should know, in the order it was found.
    package internal(set) var notes: [String] = []
    /// Transactions replayed from the logs.
    package internal(set) var replayed = 0
    /// There was no snapshot: a first one is to be written before anything is logged.
    package private(set) var isNew = false
    /// There was nothing at all, and that is not trusted: this member has the zxid -1, so that its vote
    /// counts for nothing until it has followed. No snapshot is to be written.
    ///
    /// Source: FileTxnSnapLog.restore, ZooKeeper 3.9.5.
    package private(set) var isUninitialized = false
    /// The end of the log without a gap, up to the tree's last transaction.
    package private(set) var history: [LoggedEntry] = []
    /// Nothing can be truncated after an earlier transaction: what the tree was begun with may hold
    /// all up to this one.
    package private(set) var floor = Zxid.zero
    /// What the tree was loaded from; nil if there was no snapshot.
    package private(set) var start: Start?
    /// The logs that were read, in order.
    package internal(set) var logs: [ReplayedLog] = []
    /// What is to be put right in the last log before it can be appended to.
    package private(set) var repairs: [LogRepair] = []
    var digests = DigestCheck()
    var recent: RecentEntries

    private static let maximumCandidates = 100
    /// In the parent of the log directory: an operator's word that an empty database is meant to be
    /// one. Whoever starts a server removes it once the database is there.
    package static let initializeFile = "initialize"

    package init(_ settings: Settings) {
        self.settings = settings
        recent = RecentEntries(limit: settings.historyLimit)
    }

    /// Files change only when all of them could be read: what no write finished is cut off then.
    ///
    /// - Returns: the tree with everything that was acknowledged.
    package mutating func recover<Files: FileSystem & ~Copyable>(
        snapshots files: inout Files, logs logFiles: inout Files
    ) throws(StorageError) -> DataTree {
        precondition(settings.limit == nil, "what is behind a limit is not cut off")
        try checkPlaces(files, logFiles)
        if let snapshot = try Replacement.complete(&files, logs: &logFiles) {
            notes.append(
                "completed the replacement of all data by \(snapshot), which a leader sent")
        }
        var tree = try decide(files, logFiles)
        try carryOut(repairs, &logFiles)
        try removeUnfinished(&files)
        finish(&tree)
        return tree
    }

    /// What `recover` would give, and in `repairs` what it would do, with no file changed.
    package mutating func rehearse<Files: FileSystem & ~Copyable>(
        snapshots files: borrowing Files, logs logFiles: borrowing Files
    ) throws(StorageError) -> DataTree {
        var tree = try decide(files, logFiles)
        finish(&tree)
        return tree
    }

    /// Reads everything, and writes nothing.
    private mutating func decide<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files, _ logFiles: borrowing Files
    ) throws(StorageError) -> DataTree {
        try checkPlaces(files, logFiles)
        try checkThatNoneIsReplaced(files)
        var candidates = SnapshotFile.sorted(try files.list())
        let logs = LogFile.sorted(try logFiles.list())
        let before = self
        var tree =
            candidates.isEmpty
            ? try startEmpty(logs, logFiles) : try loadNewest(candidates, files)
        repairs = try replay(logs, into: &tree, logFiles)
        while let start, let digestZxid = start.digestZxid, digestZxid == settings.limit,
            start.digest != tree.digest
        {
            // It holds a part of the transaction after the limit as well.
            candidates.removeAll { $0.zxid >= start.zxid }
            self = before
            tree = try loadNewest(candidates, files)
            repairs = try replay(logs, into: &tree, logFiles)
        }
        let isNothing = candidates.isEmpty && tree.lastProcessedZxid == .zero
        isUninitialized = isNothing && !settings.trustsEmptyDatabase
        isNew = candidates.isEmpty && !isUninitialized
        floor = start?.reach ?? tree.lastProcessedZxid
        if recent.last == tree.lastProcessedZxid { history = recent.all }
        if settings.limit == nil {
            try EpochFiles.check(against: tree.lastProcessedZxid, in: files)
        }
        return tree
    }

    private mutating func finish(_ tree: inout DataTree) {
        if !settings.keepsOrphans { removeOrphans(from: &tree) }
        tree.recountQuotas()
        notes.append(contentsOf: digests.notes)
    }

    // MARK: Snapshots

    /// Source: FileTxnSnapLog.checkLogDir and checkSnapDir, ZooKeeper 3.9.5.
    private func checkPlaces<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files, _ logFiles: borrowing Files
    ) throws(StorageError) {
        if files.directory == logFiles.directory { return }
        if let snapshot = SnapshotFile.sorted(try logFiles.list()).first {
            throw StorageError(
                .misplaced,
                "\(logFiles.directory)/\(snapshot.name) is a snapshot in the log directory; move "
                    + "it to \(files.directory), or check dataDir and dataLogDir",
                file: snapshot.name)
        }
        if let log = LogFile.sorted(try files.list()).first {
            throw StorageError(
                .misplaced,
                "\(files.directory)/\(log.name) is a log in the snapshot directory; move it to "
                    + "\(logFiles.directory), or check dataDir and dataLogDir", file: log.name)
        }
    }

    private func checkThatNoneIsReplaced<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files
    ) throws(StorageError) {
        guard let snapshot = try Replacement.ordered(in: files) else { return }
        throw StorageError(
            .missing,
            "in \(files.directory) the replacement of all data by \(snapshot), which a leader sent, "
                + "was interrupted; start the server, which completes it",
            file: Replacement.marker)
    }

    private mutating func removeUnfinished<Files: FileSystem & ~Copyable>(
        _ files: inout Files
    ) throws(StorageError) {
        let prefix = FileNames.unfinished(FileNames.snapshotPrefix)
        let marker = FileNames.unfinished(Replacement.marker)
        for entry in try files.list() {
            if entry.name == marker { try files.remove(entry.name) }
            guard entry.name.hasPrefix(prefix) else { continue }
            try files.remove(entry.name)
            notes.append("removed the unfinished snapshot \(entry.name)")
        }
    }

    private func startEmpty<Files: FileSystem & ~Copyable>(
        _ logs: [LogFile], _ files: borrowing Files
    ) throws(StorageError) -> DataTree {
        for log in logs where !settings.trustsEmpty {
            if try LogReader.hasEntries(log, in: files) {
                throw StorageError(
                    .missing,
                    "\(files.directory) has transaction logs but there is no snapshot, so a part "
                        + "of the data is missing; restore a snapshot, or set "
                        + "snapshot.trust.empty=true if there never was one", file: log.name)
            }
        }
        return DataTree(hashSeed: settings.hashSeed, extendedTypes: settings.extendedTypes)
    }

    mutating func loadNewest<Files: FileSystem & ~Copyable>(
        _ candidates: [SnapshotFile], _ files: borrowing Files
    ) throws(StorageError) -> DataTree {
        var refusals: [String] = []
        let limit = settings.limit ?? Zxid(.max)
        let usable = candidates.filter { $0.zxid <= limit }
        let notesBefore = notes.count
        for candidate in usable.reversed().prefix(Self.maximumCandidates) {
            do throws(StorageError) {
                let tree = try load(candidate, files)
                try checkReach(candidate, of: tree, files)
                notes.append(contentsOf: refusals.map { "passed over a snapshot: \($0)" })
                return tree
            } catch {
                if error.code == .failed { throw error }
                refusals.append(error.message)
                // What was learnt of a snapshot that is not used tells nothing.
                notes.removeSubrange(notesBefore...)
                digests = DigestCheck()
                start = nil
            }
        }
        if settings.limit != nil {
            let reasons = refusals.isEmpty ? "" : " (\(refusals.joined(separator: "; ")))"
            throw StorageError(
                .missing, "no snapshot in \(files.directory) leads to \(limit)\(reasons)")
        }
        throw StorageError(
            .corrupt,
            "no snapshot in \(files.directory) can be read (\(refusals.joined(separator: "; "))); "
                + "restore one from a backup", file: candidates.last?.name)
    }

    /// Sees that a tree holds nothing later than the limit.
    private func checkReach<Files: FileSystem & ~Copyable>(
        _ candidate: SnapshotFile, of tree: borrowing DataTree, _ files: borrowing Files
    ) throws(StorageError) {
        guard let limit = settings.limit, let reach = start?.reach(of: tree) else { return }
        if reach <= limit { return }
        throw StorageError(
            .missing,
            "\(files.directory)/\(candidate.name) was written while transactions went on and holds "
                + "some up to \(reach)", file: candidate.name)
    }

    mutating func load<Files: FileSystem & ~Copyable>(
        _ candidate: SnapshotFile, _ files: borrowing Files
    ) throws(StorageError) -> DataTree {
        guard try SnapshotCheck.looksWhole(candidate, files) else {
            throw StorageError(
                .corrupt, "\(files.directory)/\(candidate.name) is not whole", file: candidate.name)
        }
        var tree = DataTree(
            emptyWithHashSeed: settings.hashSeed, extendedTypes: settings.extendedTypes)
        var reader = try SnapshotReader(candidate, in: files)
        let trailer = try reader.read(into: &tree, from: files)
        tree.finishLoading(zxid: candidate.zxid)
        if trailer.nodesWithoutList > 0 {
            notes.append(
                "\(candidate.name) has no access control list for \(trailer.nodesWithoutList) "
                    + "nodes; only the super user may use those that the logs do not set")
        }
        digests.begin(candidate.zxid, trailer, tree.digest)
        start = Start(name: candidate.name, zxid: candidate.zxid, trailer: trailer)
        return tree
    }

    // MARK: Sessions

    /// Ephemeral nodes whose session is not in the table cannot end with it, so they end now.
    ///
    /// Source: ZooKeeperServer.loadData, ZooKeeper 3.9.5.
    private mutating func removeOrphans(from tree: inout DataTree) {
        for session in tree.sessionsWithEphemerals where tree.sessions[session] == nil {
            let header = TxnHeader(
                session: session, cxid: 0, zxid: tree.lastProcessedZxid, time: 0,
                type: .closeSession)
            tree.apply(header, .closeSession(ephemerals: nil))
            notes.append("removed the ephemeral nodes of session \(session), which is not open")
        }
    }
}

extension Recovery {
    /// The snapshot that a tree was loaded from.
    package struct Start: Hashable, Sendable {
        package let name: String
        package let zxid: Zxid
        /// The transaction that the snapshot's digest is of; nil if it has none.
        package let digestZxid: Zxid?
        /// Of no meaning without `digestZxid`.
        package let digest: UInt64
        /// No later transaction is in the snapshot, as far as it says.
        package let reach: Zxid

        /// No later transaction is in the tree that was loaded.
        ///
        /// Apache's server notes a digest after it has applied a transaction (DataTree.processTxn,
        /// 3.8), so one more may be in the snapshot in part. What that one deleted no stat tells.
        func reach(of tree: borrowing DataTree) -> Zxid {
            let named = max(reach, tree.snapshot.newestVisibleZxid)
            if digestZxid == zxid && digest != tree.digest { return max(named, zxid.next) }
            return named
        }

        init(name: String, zxid: Zxid, trailer: SnapshotReader.Trailer) {
            self.name = name
            self.zxid = zxid
            digestZxid = trailer.digestZxid
            digest = trailer.digest
            reach = max(zxid, trailer.reach)
        }
    }

    package struct ReplayedLog: Hashable, Sendable {
        package let name: String
        /// Transactions that were applied: those that the snapshot did not have.
        package internal(set) var count = 0
    }
}
