import AviaryCore
import AviaryWire

/// Reads a snapshot into a tree, a window at a time.
///
/// Source: FileSnap.deserialize and SerializeUtils, ZooKeeper 3.9.5. Which parts follow the tree is
/// told from how many bytes are left, not from settings.
struct SnapshotReader: Sendable {
    private let name: String
    private let size: Int
    private var window: [UInt8] = []
    /// The window's place in the file.
    private var windowStart = 0
    /// The next byte to read.
    private var offset = 0
    private var checksum = Adler32()

    private static let windowByteCount = 1 << 20

    /// What a snapshot says of itself after the tree.
    struct Trailer: Sendable {
        /// The transaction that the digest is of; until it is replayed the tree may be fuzzy.
        var digestZxid: Zxid?
        var digest: UInt64?
    }

    init(name: String, size: Int) {
        self.name = name
        self.size = size
    }

    mutating func read<Files: FileSystem & ~Copyable>(
        into tree: inout DataTree, from files: borrowing Files
    ) throws(StorageError) -> Trailer {
        let magic = try record(files) { reader throws(WireError) in
            let magic = try reader.readInt()
            try reader.skip(SnapshotFormat.headerByteCount - 4)
            return magic
        }
        guard magic == SnapshotFormat.magic else {
            throw damage(files, "does not begin as a snapshot does")
        }
        try readSessions(into: &tree, files)
        let lists = try readLists(files)
        while try readNode(into: &tree, lists, files) {}
        try checkSeal(files)
        return try readTrailer(files)
    }

    private mutating func readSessions<Files: FileSystem & ~Copyable>(
        into tree: inout DataTree, _ files: borrowing Files
    ) throws(StorageError) {
        let count = try record(files) { reader throws(WireError) in try reader.readInt() }
        for _ in 0..<max(0, count) {
            let (id, timeout) = try record(files) { reader throws(WireError) in
                (SessionID(try reader.readLong()), try reader.readInt())
            }
            tree.load(session: id, timeoutMilliseconds: timeout)
        }
    }

    private mutating func readLists<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files
    ) throws(StorageError) -> [Int64: [ACL]] {
        var lists: [Int64: [ACL]] = [-1: ACL.openToAll]
        let count = try record(files) { reader throws(WireError) in try reader.readInt() }
        for _ in 0..<max(0, count) {
            let (key, list) = try record(files) { reader throws(WireError) in
                (try reader.readLong(), try ACL.readList(from: &reader) ?? [])
            }
            lists[key] = list
        }
        return lists
    }

    /// - Returns: false at the end of the nodes.
    private mutating func readNode<Files: FileSystem & ~Copyable>(
        into tree: inout DataTree, _ lists: [Int64: [ACL]], _ files: borrowing Files
    ) throws(StorageError) -> Bool {
        let path = try record(files) { reader throws(WireError) in
            try reader.readBuffer() ?? []
        }
        if path == Path.root.bytes { return false }
        let (data, key, stat) = try record(files) { reader throws(WireError) in
            (
                try reader.readBuffer(), try reader.readLong(),
                try StatPersisted(from: &reader)
            )
        }
        // In a fuzzy snapshot a list may be missing; the log that follows sets it.
        guard tree.load(path: path, data: data, acl: lists[key] ?? [], stat: stat) else {
            throw damage(files, "has a node before its parent")
        }
        return true
    }

    private mutating func readTrailer<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files
    ) throws(StorageError) -> Trailer {
        var trailer = Trailer()
        let sealByteCount = 13
        let digestByteCount = 20 + sealByteCount
        if size - offset >= digestByteCount {
            let (zxid, version, digest) = try record(files) { reader throws(WireError) in
                (Zxid(try reader.readLong()), try reader.readInt(), try reader.readLong())
            }
            try checkSeal(files)
            if version == TxnDigest.currentVersion {
                trailer.digestZxid = zxid
                trailer.digest = UInt64(bitPattern: digest)
            }
        }
        // What may follow, the last zxid once more, tells nothing that the file's name does not.
        return trailer
    }

    private mutating func checkSeal<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files
    ) throws(StorageError) {
        let expected = checksum.value
        let (found, end) = try record(files) { reader throws(WireError) in
            (try reader.readLong(), try reader.readBuffer())
        }
        guard found == expected, end == Path.root.bytes else {
            throw damage(files, "does not match its checksum")
        }
    }

    // MARK: The window

    /// Decodes a record, with as much of the file before it as it needs.
    private mutating func record<Files: FileSystem & ~Copyable, Value>(
        _ files: borrowing Files, _ decode: (inout JuteReader) throws(WireError) -> Value
    ) throws(StorageError) -> Value {
        while true {
            let window = self.window
            var reader = JuteReader(window.raw.extracting(droppingFirst: offset - windowStart))
            do throws(WireError) {
                let value = try decode(&reader)
                let start = offset - windowStart
                let bytes = window.raw.extracting(start..<start + reader.position)
                checksum.update(bytes)
                offset += reader.position
                return value
            } catch {
                let wanted = max(Self.windowByteCount, 2 * (windowStart + window.count - offset))
                let available = min(wanted, size - offset)
                guard available > windowStart + window.count - offset else {
                    throw damage(files, "cannot be read (\(error))")
                }
                self.window = try files.read(name, at: offset, count: available)
                windowStart = offset
            }
        }
    }

    private func damage<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files, _ what: String
    ) -> StorageError {
        StorageError(.corrupt, "\(files.directory)/\(name) \(what), at offset \(offset)")
    }
}
