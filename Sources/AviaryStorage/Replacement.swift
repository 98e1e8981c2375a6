import AviaryWire

/// A snapshot from a leader on its way to being all that a member has.
///
/// The snapshot is written and synced under its unfinished name, and then a marker that names it: from
/// there on it counts, and everything else goes. Old logs go before the snapshot gets its name, so
/// that no entry of them is ever read on top of it, and old snapshots with them: an older one and
/// what follows it in other logs must not look like one history (ZOOKEEPER-3642, H.3).
enum Replacement {
    static let marker = "replacement"

    /// Orders the replacement.
    ///
    /// - Precondition: the snapshot and its unfinished name are durable.
    static func commit<Files: FileSystem & ~Copyable>(
        _ snapshot: String, _ files: inout Files
    ) throws(StorageError) {
        let unfinished = FileNames.unfinished(marker)
        let text = Array(snapshot.utf8)
        try files.create(unfinished)
        try files.write(text.raw, to: unfinished, at: 0)
        try files.sync(unfinished)
        try files.close(unfinished)
        try files.rename(unfinished, to: marker)
        try files.syncDirectory()
    }

    /// Completes what was ordered, wherever it was interrupted.
    ///
    /// - Returns: the snapshot's name; nil if nothing was ordered.
    static func complete<Files: FileSystem & ~Copyable>(
        _ files: inout Files, logs logFiles: inout Files
    ) throws(StorageError) -> String? {
        guard let snapshot = try ordered(in: files) else { return nil }
        let unfinished = FileNames.unfinished(snapshot)
        let entries = try files.list()
        if let entry = entries.first(where: { $0.name == unfinished }) {
            try checkWhole(entry, files)
            for log in LogFile.sorted(try logFiles.list()) { try logFiles.remove(log.name) }
            try logFiles.syncDirectory()
            for other in SnapshotFile.sorted(entries) { try files.remove(other.name) }
            try files.syncDirectory()
            try files.rename(unfinished, to: snapshot)
        } else if !entries.contains(where: { $0.name == snapshot }) {
            throw StorageError(
                .missing,
                "\(files.directory)/\(marker) says that \(snapshot) takes the place of all data, but "
                    + "it is not there; \(remedy(files))", file: marker)
        }
        // Old logs were removed for good before the snapshot had its name, so whoever finds it so
        // leaves the logs alone.
        try files.syncDirectory()
        try files.remove(marker)
        try files.syncDirectory()
        return snapshot
    }

    /// The snapshot that the marker names; nil if there is no marker.
    static func ordered<Files: FileSystem & ~Copyable>(
        in files: borrowing Files
    ) throws(StorageError) -> String? {
        guard let entry = try files.list().first(where: { $0.name == marker }) else { return nil }
        let bytes = try files.read(marker, at: 0, count: min(entry.size, 256))
        let name = String(decoding: bytes, as: UTF8.self)
        guard SnapshotFile(FileEntry(name: name, size: 0)) != nil else {
            throw StorageError(
                .corrupt,
                "\(files.directory)/\(marker) does not name a snapshot; \(remedy(files))",
                file: marker)
        }
        return name
    }

    private static func remedy<Files: FileSystem & ~Copyable>(_ files: borrowing Files) -> String {
        "while a majority of the other servers is up, remove the logs, the snapshots and \(marker) "
            + "from \(files.directory) and the log directory, so that the leader sends its data again"
    }

    /// Nothing is removed for a snapshot that cannot be read.
    private static func checkWhole<Files: FileSystem & ~Copyable>(
        _ entry: FileEntry, _ files: borrowing Files
    ) throws(StorageError) {
        if let file = SnapshotFile(unfinished: entry), try SnapshotCheck.isSealed(file, files) {
            return
        }
        throw StorageError(
            .corrupt,
            "\(files.directory)/\(entry.name) is to take the place of all data, but it is damaged, "
                + "and the old data may be gone in part; check the disk, and \(remedy(files))",
            file: entry.name)
    }
}
