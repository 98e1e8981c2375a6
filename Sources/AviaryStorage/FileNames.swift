import AviaryWire

/// `log.` and `snapshot.` and the hexadecimal zxid that the file begins with or shows.
enum FileNames {
    static let logPrefix = "log."
    static let snapshotPrefix = "snapshot."
    static let unfinishedPrefix = "tmp."
    static func log(_ zxid: Zxid) -> String { logPrefix + zxid.hexadecimal }
    static func snapshot(
        _ zxid: Zxid, _ compression: SnapshotCompression = .none
    ) -> String {
        snapshotPrefix + zxid.hexadecimal + compression.suffix
    }
    /// While it is being written; nobody takes it for a snapshot.
    static func unfinished(_ snapshot: String) -> String { unfinishedPrefix + snapshot }
    /// A copy of what was cut off a log, for whoever wants to look.
    static func torn(_ log: String, at offset: Int) -> String { "torn.\(log).\(offset)" }

    /// The zxid in a name, if the name has this prefix and nothing else.
    static func zxid(in name: some StringProtocol, prefix: String) -> Zxid? {
        guard name.hasPrefix(prefix), let value = UInt64(name.dropFirst(prefix.count), radix: 16)
        else { return nil }
        return Zxid(Int64(bitPattern: value))
    }
}

/// A transaction log by its name: the zxid is that of its first entry.
struct LogFile: Hashable, Sendable {
    let zxid: Zxid
    let name: String
    let size: Int

    init?(_ entry: FileEntry) {
        guard let zxid = FileNames.zxid(in: entry.name, prefix: FileNames.logPrefix) else {
            return nil
        }
        self.zxid = zxid
        self.name = entry.name
        self.size = entry.size
    }

    /// By ascending zxid.
    static func sorted(_ entries: [FileEntry]) -> [LogFile] {
        entries.compactMap { LogFile($0) }.sorted { $0.zxid < $1.zxid }
    }

    /// The logs of a server that may be writing them: each but the last has its final size.
    ///
    /// A listing alone can have the size that a log had before the next one, which it has too, was
    /// begun. So the names are of one listing, and the sizes of another after it.
    static func settled<Files: FileSystem & ~Copyable>(
        in files: borrowing Files
    ) throws(StorageError) -> [LogFile] {
        let names = Set(try files.list().map(\.name))
        return sorted(try files.list().filter { names.contains($0.name) })
    }
}

/// A snapshot by its name: what is after the zxid has to be replayed on it.
struct SnapshotFile: Hashable, Sendable {
    let zxid: Zxid
    let name: String
    let size: Int
    let compression: SnapshotCompression

    init?(_ entry: FileEntry) {
        let compression =
            [SnapshotCompression.gz, .snappy].first { entry.name.hasSuffix($0.suffix) } ?? .none
        let stem = entry.name.dropLast(compression.suffix.count)
        guard let zxid = FileNames.zxid(in: stem, prefix: FileNames.snapshotPrefix) else {
            return nil
        }
        self.zxid = zxid
        self.name = entry.name
        self.size = entry.size
        self.compression = compression
    }

    /// One that has not got its name yet.
    init?(unfinished entry: FileEntry) {
        let prefix = FileNames.unfinishedPrefix
        guard entry.name.hasPrefix(prefix),
            let file = SnapshotFile(
                FileEntry(name: String(entry.name.dropFirst(prefix.count)), size: entry.size))
        else { return nil }
        zxid = file.zxid
        name = entry.name
        size = entry.size
        compression = file.compression
    }

    /// By ascending zxid.
    static func sorted(_ entries: [FileEntry]) -> [SnapshotFile] {
        entries.compactMap { SnapshotFile($0) }.sorted { ($0.zxid, $0.name) < ($1.zxid, $1.name) }
    }
}
