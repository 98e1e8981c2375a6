package import AviaryCore
import AviaryWire

/// The snapshots of a data directory, and the logs that a start from them needs.
package struct SnapshotStore<Files: FileSystem & ~Copyable>: ~Copyable {
    var files: Files
    var logFiles: Files
    /// Snapshots that were written here or that a purge found whole; they are not read again.
    var whole: [SnapshotFile] = []
    let compression: SnapshotCompression

    package init(
        files: consuming Files, logFiles: consuming Files,
        compression: SnapshotCompression = .none
    ) {
        self.files = files
        self.logFiles = logFiles
        self.compression = compression
    }

    /// Writes a snapshot so that it is there whole, under its name, or not at all.
    ///
    /// - Parameter didWrite: called with the bytes of each piece, so that it can take its time.
    package mutating func write(
        _ snapshot: TreeSnapshot, didWrite: (Int) -> Void = { _ in }
    ) throws(StorageError) {
        let name = FileNames.snapshot(snapshot.zxid, compression)
        let unfinished = FileNames.unfinished(name)
        do throws(StorageError) {
            var writer = SnapshotWriter<Files>(file: unfinished, compression)
            try writer.write(snapshot, to: &files, didWrite: didWrite)
            try files.rename(unfinished, to: name)
            let written = FileEntry(name: name, size: writer.byteCount)
            if let file = SnapshotFile(written) { whole.append(file) }
        } catch {
            throw give(up: unfinished, after: error)
        }
        try files.syncDirectory()
    }

    /// Removes what no start needs: all but the newest valid snapshots, and the logs that end before
    /// the oldest of them.
    ///
    /// Source: PurgeTxnLog, ZooKeeper 3.9.5. Deviation: a snapshot counts as valid only if its
    /// checksum is right.
    package mutating func purge(keeping count: Int) throws(StorageError) {
        precondition(count > 0, "a purge leaves at least one snapshot")
        let snapshots = SnapshotFile.sorted(try files.list())
        var kept: [SnapshotFile] = []
        for snapshot in snapshots.reversed() where kept.count < count {
            let isWhole =
                whole.contains(snapshot) ? true : try SnapshotCheck.isSealed(snapshot, files)
            if isWhole { kept.append(snapshot) }
        }
        whole = kept
        guard kept.count == count, let oldest = kept.last?.zxid else { return }
        for snapshot in snapshots where snapshot.zxid < oldest {
            try files.remove(snapshot.name)
        }
        let logs = LogFile.sorted(try logFiles.list())
        let firstNeeded = logs.last { $0.zxid <= oldest }?.zxid ?? oldest
        for log in logs where log.zxid < firstNeeded { try logFiles.remove(log.name) }
    }

    /// Removes an unfinished file, whose room may be what the log needs.
    mutating func give(up unfinished: String, after error: StorageError) -> StorageError {
        do throws(StorageError) {
            try files.remove(unfinished)
            return error
        } catch let second {
            return StorageError(
                error.code, "\(error.message); nor could it be removed: \(second.message)",
                file: error.file, cause: error.cause)
        }
    }
}

extension SnapshotStore: Sendable where Files: Sendable & ~Copyable {}

enum SnapshotCheck {
    /// A quick look: whether the file ends as a snapshot does.
    ///
    /// Source: SnapStream.isValidSnapshot, ZooKeeper 3.9.5.
    static func looksWhole<Files: FileSystem & ~Copyable>(
        _ file: SnapshotFile, _ files: borrowing Files
    ) throws(StorageError) -> Bool {
        guard file.size >= 10 else { return false }
        let (offset, mark) =
            switch file.compression {
            case .none: (file.size - SnapshotFormat.end.count, SnapshotFormat.end)
            case .gz: (0, [0x1f, 0x8b])
            case .snappy: (0, SnappyStream.magic)
            }
        return try files.read(file.name, at: offset, count: mark.count) == mark
    }

    /// Whether the last seal fits everything before it. Reads the whole file.
    static func isSealed<Files: FileSystem & ~Copyable>(
        _ file: SnapshotFile, _ files: borrowing Files
    ) throws(StorageError) -> Bool {
        guard try looksWhole(file, files) else { return false }
        let content: DecompressedSnapshot?
        do throws(StorageError) {
            content = try DecompressedSnapshot(file, files)
        } catch {
            if error.code == .corrupt { return false }
            throw error
        }
        var window = FileWindow(name: file.name, size: file.size, content: content)
        let sealStart = window.size - SnapshotFormat.sealByteCount
        guard sealStart >= SnapshotFormat.headerByteCount else { return false }
        var checksum = Adler32()
        var offset = 0
        while offset < sealStart {
            guard try window.fill(files, from: offset, count: 1) else { return false }
            let end = min(window.end, sealStart)
            window.add(offset..<end, to: &checksum)
            offset = end
        }
        guard try window.fill(files, from: sealStart, count: 8) else { return false }
        return window.integer(at: sealStart, as: Int64.self) == checksum.value
    }
}
