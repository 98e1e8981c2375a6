package import AviaryCore
import AviaryWire

/// The snapshots of a data directory, and the logs that a start from them needs.
package struct SnapshotStore<Files: FileSystem & ~Copyable>: ~Copyable {
    private var files: Files
    private var logFiles: Files

    package init(files: consuming Files, logFiles: consuming Files) {
        self.files = files
        self.logFiles = logFiles
    }

    /// Writes a snapshot so that it is there whole, under its name, or not at all.
    package mutating func write(_ snapshot: TreeSnapshot) throws(StorageError) {
        let name = FileNames.snapshot(snapshot.zxid)
        let unfinished = FileNames.unfinished(name)
        var writer = SnapshotWriter<Files>(file: unfinished)
        try writer.write(snapshot, to: &files)
        try files.rename(unfinished, to: name)
        try files.syncDirectory()
    }

    /// Removes what no start needs: all but the newest valid snapshots, and the logs that end before
    /// the oldest of them.
    ///
    /// Source: PurgeTxnLog, ZooKeeper 3.9.5.
    package mutating func purge(keeping count: Int) throws(StorageError) {
        precondition(count > 0, "a purge leaves at least one snapshot")
        let snapshots = FileNames.sorted(try files.list(), prefix: "snapshot.")
        var kept: [Zxid] = []
        for snapshot in snapshots.reversed() where kept.count < count {
            if try SnapshotCheck.looksWhole(snapshot.name, size: snapshot.size, files) {
                kept.append(snapshot.zxid)
            }
        }
        guard kept.count == count, let oldest = kept.last else { return }
        for snapshot in snapshots where snapshot.zxid < oldest {
            try files.remove(snapshot.name)
        }
        let logs = FileNames.sorted(try logFiles.list(), prefix: "log.")
        let firstNeeded = logs.last { $0.zxid <= oldest }?.zxid ?? oldest
        for log in logs where log.zxid < firstNeeded { try logFiles.remove(log.name) }
    }
}

extension SnapshotStore: Sendable where Files: Sendable & ~Copyable {}

enum SnapshotCheck {
    /// A quick look: whether the file ends as a snapshot does.
    ///
    /// Source: SnapStream.isValidSnapshot, ZooKeeper 3.9.5.
    static func looksWhole<Files: FileSystem & ~Copyable>(
        _ name: String, size: Int, _ files: borrowing Files
    ) throws(StorageError) -> Bool {
        let end = SnapshotFormat.end
        guard size >= 10 else { return false }
        return try files.read(name, at: size - end.count, count: end.count) == end
    }
}
