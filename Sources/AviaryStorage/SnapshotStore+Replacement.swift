package import AviaryCore
import AviaryWire

extension SnapshotStore where Files: ~Copyable {
    /// Removes every snapshot that holds, or may hold, what came after a transaction: by its name, its
    /// digest, its last zxid or the stat of any node.
    ///
    /// A snapshot of a later tree that is still to be written must not be written any more.
    /// Source: none; ZooKeeper 3.9.5 keeps them (H.1).
    ///
    /// - Throws: `missing`, with nothing changed, if what is left does not lead to the transaction.
    mutating func removeAll(after zxid: Zxid) throws(StorageError) {
        var start: Zxid?
        var later: [SnapshotFile] = []
        for snapshot in SnapshotFile.sorted(try files.list()) {
            if snapshot.zxid > zxid {
                later.append(snapshot)
            } else if let reach = try reach(of: snapshot) {
                if reach > zxid { later.append(snapshot) } else { start = snapshot.zxid }
            }
        }
        guard let start, try LogHistory.leads(from: start, to: zxid, in: logFiles) else {
            throw StorageError(
                .missing,
                "\(files.directory) holds no way back to \(zxid), where the leader's history and "
                    + "this one part; while a majority of the other servers is up, remove the logs and "
                    + "the snapshots from \(files.directory) and \(logFiles.directory) and start "
                    + "again, so that the leader sends its data")
        }
        for snapshot in later.reversed() { try files.remove(snapshot.name) }
        try files.syncDirectory()
        whole.removeAll { later.contains($0) }
    }

    /// The last transaction that a snapshot may hold; nil if it cannot be read, by no one.
    private func reach(of snapshot: SnapshotFile) throws(StorageError) -> Zxid? {
        do throws(StorageError) {
            guard try SnapshotCheck.looksWhole(snapshot, files) else { return nil }
            var reader = try SnapshotReader(snapshot, in: files)
            return max(snapshot.zxid, try reader.survey(files).reach)
        } catch {
            if error.code == .failed { throw error }
            return nil
        }
    }

    /// Puts a snapshot that a leader sent in the place of all snapshots and logs; see `Replacement`.
    mutating func install(
        _ snapshot: TreeSnapshot, didWrite: (Int) -> Void
    ) throws(StorageError) {
        // A marker that an earlier attempt left must not speak for a snapshot that is half written.
        _ = try Replacement.complete(&files, logs: &logFiles)
        let name = FileNames.snapshot(snapshot.zxid, compression)
        let unfinished = FileNames.unfinished(name)
        let byteCount: Int
        do throws(StorageError) {
            var writer = SnapshotWriter<Files>(file: unfinished, compression, isReceived: true)
            try writer.write(snapshot, to: &files, didWrite: didWrite)
            byteCount = writer.byteCount
        } catch {
            throw give(up: unfinished, after: error)
        }
        try files.syncDirectory()
        try Replacement.commit(name, &files)
        whole = []
        _ = try Replacement.complete(&files, logs: &logFiles)
        if let file = SnapshotFile(FileEntry(name: name, size: byteCount)) { whole = [file] }
    }

    /// Reads everything anew, as when the server started.
    package mutating func recover(
        with recovery: inout Recovery
    ) throws(StorageError) -> DataTree {
        try recovery.recover(snapshots: &files, logs: &logFiles)
    }
}
