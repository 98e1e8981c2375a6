package import AviaryCore
package import AviaryWire

/// A snapshot file by its name.
package struct SnapshotName: Hashable, Sendable {
    package let name: String
    package let zxid: Zxid
    /// In bytes.
    package let size: Int

    /// Those of a directory, by ascending zxid.
    package static func all<Files: FileSystem & ~Copyable>(
        in files: borrowing Files
    ) throws(StorageError) -> [SnapshotName] {
        SnapshotFile.sorted(try files.list()).map {
            SnapshotName(name: $0.name, zxid: $0.zxid, size: $0.size)
        }
    }
}

extension Recovery {
    /// One snapshot and nothing of the logs; `start` then says more about it.
    package mutating func loadSnapshot<Files: FileSystem & ~Copyable>(
        named name: String, in files: borrowing Files
    ) throws(StorageError) -> DataTree {
        let file = SnapshotFile.sorted(try files.list()).first { $0.name == name }
        guard let file else {
            throw StorageError(
                .failed,
                "\(files.directory)/\(name) is not there, or not named as a snapshot is "
                    + "(snapshot. and a hexadecimal zxid)", file: name)
        }
        return try load(file, files)
    }

    /// The newest snapshot that can be read, as a start would take it.
    package mutating func loadNewestSnapshot<Files: FileSystem & ~Copyable>(
        in files: borrowing Files
    ) throws(StorageError) -> DataTree {
        let candidates = SnapshotFile.sorted(try files.list())
        if candidates.isEmpty {
            throw StorageError(.failed, "there is no snapshot in \(files.directory)")
        }
        return try loadNewest(candidates, files)
    }

    /// What a snapshot's own digest says about a tree that was loaded from it.
    package enum DigestVerdict: Hashable, Sendable {
        case matches
        case differs(expected: UInt64)
        /// The snapshot was written while transactions went on, and its digest is of a later one.
        case fuzzy(until: Zxid)
        /// The snapshot has no digest.
        case absent
    }

    package func digestVerdict(of tree: borrowing DataTree) -> DigestVerdict {
        guard let start, let digestZxid = start.digestZxid else { return .absent }
        if digestZxid > tree.lastProcessedZxid { return .fuzzy(until: digestZxid) }
        if digestZxid < tree.lastProcessedZxid { return .absent }
        return start.digest == tree.digest ? .matches : .differs(expected: start.digest)
    }
}
