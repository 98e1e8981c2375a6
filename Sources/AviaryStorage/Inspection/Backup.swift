package import AviaryCore
import AviaryWire

/// A copy of a server's state, made from its files while it may go on writing them.
///
/// The log files are listed once, after the snapshot was read. Each but the last was finished when
/// it was listed, and the last is copied up to its last whole entry: so the copy is what the server
/// had at one moment after the listing, with every transaction acknowledged before.
package struct Backup: Sendable {
    package struct Settings: Sendable {
        package var recovery: Recovery.Settings
        /// Every snapshot and log that is there, so that earlier transactions can be gone back to.
        package var includesAll = false

        package init(recovery: Recovery.Settings) {
            self.recovery = recovery
        }
    }

    package struct CopiedFile: Hashable, Sendable {
        package let name: String
        package let byteCount: Int
    }

    private let settings: Settings
    package private(set) var snapshots: [CopiedFile] = []
    package private(set) var logs: [CopiedFile] = []
    package private(set) var epochs: [String] = []
    package private(set) var notes: [String] = []
    /// The last transaction that was copied; nil if no log has any.
    private var lastCopied: Zxid?

    private static let attempts = 10
    /// How often what looks damaged at the end of a log that is being written is read again.
    private static let looks = 5

    package init(_ settings: Settings) {
        self.settings = settings
    }

    /// Copies into an empty directory, and recovers the copy to see that a server would.
    ///
    /// - Parameter pause: waits a little for the server, before something is tried again.
    /// - Returns: the tree of the copy.
    package mutating func make<Source: FileSystem & ~Copyable, Target: FileSystem & ~Copyable>(
        of files: borrowing Source, logs logFiles: borrowing Source, to target: inout Target,
        pause: () -> Void
    ) throws(StorageError) -> DataTree {
        var attempt = 1
        while true {
            let before = try names(files, logFiles)
            do throws(StorageError) {
                return try tryOnce(files, logFiles, &target, pause)
            } catch {
                let hasChanged = try names(files, logFiles) != before
                guard hasChanged, attempt < Self.attempts else { throw error }
            }
            attempt += 1
            for entry in try target.list() { try target.remove(entry.name) }
            pause()
        }
    }

    /// A purge, a new log or a new snapshot changes them.
    private func names<Source: FileSystem & ~Copyable>(
        _ files: borrowing Source, _ logFiles: borrowing Source
    ) throws(StorageError) -> [String] {
        try files.list().map(\.name).sorted() + logFiles.list().map(\.name).sorted()
    }

    private mutating func tryOnce<Source: FileSystem & ~Copyable, Target: FileSystem & ~Copyable>(
        _ files: borrowing Source, _ logFiles: borrowing Source, _ target: inout Target,
        _ pause: () -> Void
    ) throws(StorageError) -> DataTree {
        self = Backup(settings)
        let newest = try copySnapshots(files, &target)
        try copyLogs(neededBy: newest, logFiles, &target, pause)
        epochs = try FileCopy.copyEpochs(from: files, to: &target)
        try target.syncDirectory()
        return try verify(target)
    }

    /// - Returns: the zxid of the newest snapshot that is whole.
    private mutating func copySnapshots<
        Source: FileSystem & ~Copyable, Target: FileSystem & ~Copyable
    >(_ files: borrowing Source, _ target: inout Target) throws(StorageError) -> Zxid {
        var newest: Zxid?
        for snapshot in SnapshotFile.sorted(try files.list()).reversed() {
            if newest != nil && !settings.includesAll { break }
            guard try SnapshotCheck.isSealed(snapshot, files) else {
                notes.append("left out \(snapshot.name), which is not whole")
                continue
            }
            try FileCopy.copy(snapshot.name, byteCount: snapshot.size, from: files, to: &target)
            snapshots.append(CopiedFile(name: snapshot.name, byteCount: snapshot.size))
            newest = newest ?? snapshot.zxid
        }
        guard let newest else {
            throw StorageError(
                .missing,
                "there is no whole snapshot in \(files.directory), so there is nothing that a server "
                    + "could start from")
        }
        return newest
    }

    private mutating func copyLogs<Source: FileSystem & ~Copyable, Target: FileSystem & ~Copyable>(
        neededBy snapshot: Zxid, _ files: borrowing Source, _ target: inout Target,
        _ pause: () -> Void
    ) throws(StorageError) {
        let all = try LogFile.settled(in: files)
        if all.isEmpty { notes.append(LogName.noteThatNoneIs(in: files.directory)) }
        let firstNeeded = all.lastIndex { $0.zxid <= snapshot } ?? 0
        for log in settings.includesAll ? all[...] : all.dropFirst(firstNeeded) {
            let content = try measure(log, isLast: log == all.last, files, pause)
            // Zeros, or a first entry that is not whole yet.
            guard let last = content.last else { continue }
            try FileCopy.copy(log.name, byteCount: content.byteCount, from: files, to: &target)
            logs.append(CopiedFile(name: log.name, byteCount: content.byteCount))
            lastCopied = max(last, lastCopied ?? last)
        }
    }

    /// How far a log has whole entries, and the last one's zxid.
    private func measure<Source: FileSystem & ~Copyable>(
        _ log: LogFile, isLast: Bool, _ files: borrowing Source, _ pause: () -> Void
    ) throws(StorageError) -> (byteCount: Int, last: Zxid?) {
        var look = 1
        while true {
            var last: (start: Int, zxid: Zxid)?
            var zxidBefore: Zxid?
            var reader = LogReader(log)
            do throws(StorageError) {
                let repair = try reader.readAll(files) { entry, offset, _ throws(StorageError) in
                    zxidBefore = last?.zxid
                    last = (offset, entry.header.zxid)
                    return true
                }
                // Without its end mark the last entry is not whole.
                if let last, repair?.action == .mark { return (last.start, zxidBefore) }
                return (repair?.offset ?? log.size, last?.zxid)
            } catch {
                // A page of what is being written may be seen before the one in front of it.
                guard isLast, error.code == .corrupt, look < Self.looks else { throw error }
            }
            look += 1
            pause()
        }
    }

    private mutating func verify<Target: FileSystem & ~Copyable>(
        _ target: borrowing Target
    ) throws(StorageError) -> DataTree {
        var recovery = Recovery(settings.recovery)
        let tree = try recovery.rehearse(snapshots: target, logs: target)
        guard recovery.repairs.isEmpty, tree.lastProcessedZxid >= lastCopied ?? .zero else {
            throw StorageError(
                .corrupt,
                "the copy ends at \(tree.lastProcessedZxid) and not at \(lastCopied ?? .zero), where "
                    + "the logs did; check the disk")
        }
        notes += recovery.notes
        if let start = recovery.start, start.reach > tree.lastProcessedZxid {
            notes.append(
                "\(start.name) holds some transactions up to \(start.reach), which the logs do not "
                    + "have yet")
        }
        return tree
    }
}
