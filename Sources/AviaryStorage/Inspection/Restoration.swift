package import AviaryCore
package import AviaryWire

/// Goes back to what a backup, or any data directory, held after one transaction.
package struct Restoration: Sendable {
    package enum Target: Hashable, Sendable {
        case end
        /// Up to and including this transaction, which must have been.
        case zxid(Zxid)
        /// Up to the last transaction before the first, in the order of zxids, that is later than
        /// so many milliseconds since 1970.
        case time(Int64)
    }

    package struct Settings: Sendable {
        package var recovery: Recovery.Settings
        package var target = Target.end
        /// Nil is the whole tree.
        package var subtree: Subtree?
        /// Ends all sessions, as if each had been closed; their ephemeral nodes go with them. A
        /// subtree never keeps any.
        package var dropsEphemerals = false

        package init(recovery: Recovery.Settings) {
            self.recovery = recovery
        }
    }

    private let settings: Settings
    /// How the tree was recovered.
    package private(set) var recovery: Recovery
    package private(set) var droppedSessions = 0
    package private(set) var droppedEphemerals = 0

    package init(_ settings: Settings) {
        self.settings = settings
        recovery = Recovery(settings.recovery)
    }

    /// The tree to be written.
    ///
    /// - Throws: `missing` if the target is outside what the files hold, with what they do.
    package mutating func prepare<Files: FileSystem & ~Copyable>(
        snapshots files: borrowing Files, logs logFiles: borrowing Files
    ) throws(StorageError) -> DataTree {
        var limited = settings.recovery
        switch settings.target {
        case .end: limited.limit = nil
        case .zxid(let zxid): limited.limit = zxid
        case .time(let time): limited.limit = try Self.lastZxid(before: time, logFiles)
        }
        recovery = Recovery(limited)
        var tree: DataTree
        do throws(StorageError) {
            tree = try recovery.rehearse(snapshots: files, logs: logFiles)
        } catch {
            guard let limit = limited.limit, error.code == .missing else { throw error }
            throw try outside(limit, because: error.message, files, logFiles)
        }
        if let limit = limited.limit, tree.lastProcessedZxid != limit {
            let reason = "the transaction before it is \(tree.lastProcessedZxid)"
            throw try outside(limit, because: reason, files, logFiles)
        }
        if let subtree = settings.subtree {
            droppedSessions = tree.sessions.count
            droppedEphemerals = tree.ephemeralCount
            return try subtree.extract(from: tree, settings.recovery)
        }
        if settings.dropsEphemerals { dropEphemerals(of: &tree) }
        return tree
    }

    /// Writes what `prepare` gave into an empty directory, with the epochs of the backup.
    ///
    /// - Returns: the names of the epoch files that were copied.
    package static func write<Source: FileSystem & ~Copyable, Target: FileSystem & ~Copyable>(
        _ snapshot: TreeSnapshot, epochsFrom source: borrowing Source, to target: inout Target
    ) throws(StorageError) -> [String] {
        let name = FileNames.snapshot(snapshot.zxid)
        var writer = SnapshotWriter<Target>(file: name, .none)
        try writer.write(snapshot, to: &target)
        let epochs = try FileCopy.copyEpochs(from: source, to: &target)
        try target.syncDirectory()
        return epochs
    }

    private mutating func dropEphemerals(of tree: inout DataTree) {
        droppedSessions = tree.sessions.count
        droppedEphemerals = tree.ephemeralCount
        let sessions = Set(tree.sessions.keys).union(tree.sessionsWithEphemerals).sorted()
        for session in sessions {
            let header = TxnHeader(
                session: session, cxid: 0, zxid: tree.lastProcessedZxid, time: 0,
                type: .closeSession)
            tree.apply(header, .closeSession(ephemerals: nil))
        }
    }

    // MARK: Targets

    /// The transaction that a time leads to; nil if it is the last one.
    private static func lastZxid<Files: FileSystem & ~Copyable>(
        before time: Int64, _ files: borrowing Files
    ) throws(StorageError) -> Zxid? {
        var cursor = try LogCursor(files)
        var previous: Zxid?
        while let record = try cursor.next(files) {
            let header = record.entry.header
            if header.time > time {
                guard let previous else {
                    throw StorageError(
                        .missing,
                        "the first transaction in \(files.directory), \(header.zxid), is of "
                            + "\(Timestamp(milliseconds: header.time).text), which is later than "
                            + "\(Timestamp(milliseconds: time).text); what was before is not known")
                }
                return previous
            }
            previous = max(header.zxid, previous ?? header.zxid)
        }
        if previous == nil {
            throw StorageError(
                .missing,
                "\(files.directory) has no transaction log, so times are not known; name a zxid")
        }
        return nil
    }

    private func outside<Files: FileSystem & ~Copyable>(
        _ limit: Zxid, because reason: String, _ files: borrowing Files,
        _ logFiles: borrowing Files
    ) throws(StorageError) -> StorageError {
        let coverage = try Coverage(
            snapshots: files, logs: logFiles, settings: settings.recovery)
        return StorageError(
            .missing,
            "\(limit) cannot be restored from \(files.directory): \(reason); it leads to "
                + coverage.description)
    }
}

/// Which transactions a directory leads to: from each snapshot as far as the logs go on from it.
package struct Coverage: Hashable, Sendable, CustomStringConvertible {
    /// Ascending, apart from each other.
    package private(set) var ranges: [ClosedRange<Zxid>] = []

    package init<Files: FileSystem & ~Copyable>(
        snapshots files: borrowing Files, logs logFiles: borrowing Files,
        settings: Recovery.Settings
    ) throws(StorageError) {
        let runs = try Self.runs(logFiles)
        for snapshot in try SnapshotName.all(in: files) {
            var recovery = Recovery(settings)
            let reach: Zxid
            do throws(StorageError) {
                let tree = try recovery.loadSnapshot(named: snapshot.name, in: files)
                reach = recovery.start?.reach(of: tree) ?? snapshot.zxid
            } catch {
                if error.code == .failed { throw error }
                continue
            }
            let run = runs.last { $0.lowerBound <= snapshot.zxid }
            let last = run?.upperBound ?? snapshot.zxid
            if last >= reach {
                add(reach...last)
            } else if reach == snapshot.zxid {
                add(reach...reach)
            }
        }
    }

    package var description: String {
        if ranges.isEmpty { return "no transaction at all" }
        return ranges.map { "\($0.lowerBound) to \($0.upperBound)" }.joined(separator: ", ")
    }

    private mutating func add(_ range: ClosedRange<Zxid>) {
        if let last = ranges.last, last.upperBound >= range.lowerBound {
            let upper = max(last.upperBound, range.upperBound)
            ranges[ranges.count - 1] = last.lowerBound...upper
        } else {
            ranges.append(range)
        }
    }

    /// The stretches of the logs without a gap, each from what a snapshot would have to hold on.
    private static func runs<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files
    ) throws(StorageError) -> [ClosedRange<Zxid>] {
        var runs: [ClosedRange<Zxid>] = []
        var cursor = try LogCursor(files)
        do throws(StorageError) {
            while let zxid = try cursor.next(files)?.entry.header.zxid { add(zxid, to: &runs) }
        } catch {
            // What is damaged ends a stretch, and nothing is known of what follows.
            if error.code != .corrupt { throw error }
        }
        return runs
    }

    private static func add(_ zxid: Zxid, to runs: inout [ClosedRange<Zxid>]) {
        guard let run = runs.last else {
            // The first transaction of an epoch may follow any of an earlier one.
            let before = zxid.counter == 1 ? Zxid.zero : Zxid(zxid.rawValue - 1)
            runs.append(before...zxid)
            return
        }
        if zxid <= run.upperBound { return }
        if zxid == zxid.successor(of: run.upperBound) {
            runs[runs.count - 1] = run.lowerBound...zxid
        } else {
            runs.append(Zxid(zxid.rawValue - 1)...zxid)
        }
    }
}
