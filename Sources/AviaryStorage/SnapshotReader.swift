import AviaryCore
import AviaryWire

/// Reads a snapshot into a tree, a window at a time.
///
/// Source: FileSnap.deserialize and SerializeUtils, ZooKeeper 3.9.5. Which parts follow the tree is
/// told from how many bytes are left, not from settings.
struct SnapshotReader: Sendable {
    private var window: FileWindow
    /// The next byte to read.
    private var offset = 0
    private var checksum = Adler32()
    /// What is in the checksum; the window never moves past it.
    private var summed = 0
    private var nodesWithoutList = 0

    private static let windowByteCount = 1 << 20

    /// What a snapshot says of itself after the tree.
    struct Trailer: Sendable {
        /// The transaction that the digest is of; until it is replayed the tree may be fuzzy. Nil
        /// if there is none.
        var digestZxid: Zxid?
        var digest: UInt64 = 0
        /// Nodes that name an access control list which the snapshot does not hold.
        var nodesWithoutList = 0
    }

    init<Files: FileSystem & ~Copyable>(
        _ file: SnapshotFile, in files: borrowing Files
    ) throws(StorageError) {
        window = FileWindow(
            name: file.name, size: file.size, content: try DecompressedSnapshot(file, files))
    }

    /// - Throws: `corrupt` if the file is not a whole snapshot. The tree is of no use then.
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
        try readNodes(into: &tree, lists, files)
        try checkSeal(files)
        var trailer = try readDigest(files)
        trailer.nodesWithoutList = nodesWithoutList
        return trailer
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
        var lists: [Int64: [ACL]] = [:]
        let count = try record(files) { reader throws(WireError) in try reader.readInt() }
        for _ in 0..<max(0, count) {
            let (key, list) = try record(files) { reader throws(WireError) in
                (try reader.readLong(), try ACL.readList(from: &reader) ?? [])
            }
            lists[key] = list
        }
        lists[Self.openToAllKey] = ACL.openToAll
        return lists
    }

    private static let openToAllKey: Int64 = -1
    /// For a node whose list is missing. In a fuzzy snapshot the log that follows sets it; should it
    /// not, only a super user gets at the node.
    private static let closedToAll = [ACL([], "world", "anyone")]

    private mutating func readNodes<Files: FileSystem & ~Copyable>(
        into tree: inout DataTree, _ lists: [Int64: [ACL]], _ files: borrowing Files
    ) throws(StorageError) {
        var isFirst = true
        while true {
            let node = try record(files) { reader throws(WireError) in
                try SnapshotNode(from: &reader)
            }
            guard let node else { break }
            // The root first, and only once: the tree insists on it.
            guard node.path.isEmpty == isFirst else { throw damage(files, "has a misplaced root") }
            isFirst = false
            if lists[node.aclKey] == nil { nodesWithoutList += 1 }
            let isLoaded = tree.load(
                path: node.path, data: node.data, acl: lists[node.aclKey] ?? Self.closedToAll,
                stat: node.stat)
            guard isLoaded else { throw damage(files, "has a node before its parent") }
        }
        if isFirst { throw damage(files, "has no root") }
    }

    /// The digest section, if the file is long enough to have one. What may follow it, the last zxid
    /// once more, tells nothing that is needed.
    private mutating func readDigest<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files
    ) throws(StorageError) -> Trailer {
        let zxidSectionByteCount = 8 + SnapshotFormat.sealByteCount
        if window.size - offset <= zxidSectionByteCount { return Trailer() }
        let (zxid, version, digest) = try record(files) { reader throws(WireError) in
            (Zxid(try reader.readLong()), try reader.readInt(), try reader.readLong())
        }
        try checkSeal(files)
        // What a server writes that has applied nothing yet.
        let isEmpty = zxid == .zero && digest == 0
        if isEmpty || version != TxnDigest.currentVersion { return Trailer() }
        return Trailer(digestZxid: zxid, digest: UInt64(bitPattern: digest))
    }

    private mutating func checkSeal<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files
    ) throws(StorageError) {
        sum()
        let expected = checksum.value
        let (found, end) = try record(files) { reader throws(WireError) in
            (try reader.readLong(), try reader.readBuffer())
        }
        guard found == expected, end == Path.root.bytes else {
            throw damage(files, "does not match its checksum")
        }
    }

    // MARK: Records

    /// Decodes a record, with as much of the file before it as it needs.
    private mutating func record<Files: FileSystem & ~Copyable, Value>(
        _ files: borrowing Files, _ decode: (inout JuteReader) throws(WireError) -> Value
    ) throws(StorageError) -> Value {
        while true {
            do throws(WireError) {
                let (value, byteCount) = try window.decode(offset..<window.end, decode)
                offset += byteCount
                return value
            } catch {
                try widen(files, after: error)
            }
        }
    }

    /// Has more of the file in the window, from the record that did not fit on.
    private mutating func widen<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files, after error: WireError
    ) throws(StorageError) {
        let inWindow = window.end - offset
        let rest = window.size - offset
        let isHopeless =
            switch error {
            case .truncated: false
            case .lengthOutOfBounds(let length): length < 0 || Int(length) > rest
            case .unexpectedNull, .unknownType: true
            }
        guard !isHopeless, inWindow < rest else {
            throw damage(files, "cannot be read", cause: "\(error)")
        }
        sum()
        let wanted = min(max(Self.windowByteCount, 2 * inWindow), rest)
        guard try window.fill(files, from: offset, count: wanted) else {
            throw damage(files, "became shorter while it was read")
        }
    }

    /// Brings the checksum up to what has been read.
    private mutating func sum() {
        window.add(summed..<offset, to: &checksum)
        summed = offset
    }

    private func damage<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files, _ what: String, cause: String? = nil
    ) -> StorageError {
        let reason = cause.map { " (\($0))" } ?? ""
        return StorageError(
            .corrupt, "\(files.directory)/\(window.name) \(what)\(reason), at offset \(offset)",
            file: window.name, offset: offset, cause: cause)
    }
}

/// A node as it stands in a snapshot.
private struct SnapshotNode {
    let path: [UInt8]
    let data: [UInt8]?
    let aclKey: Int64
    let stat: StatPersisted

    /// Nil for the path `/`, which ends the nodes.
    init?(from reader: inout JuteReader) throws(WireError) {
        guard let path = try reader.readBuffer() else { throw .unexpectedNull }
        if path == Path.root.bytes { return nil }
        self.path = path
        data = try reader.readBuffer()
        aclKey = try reader.readLong()
        stat = try StatPersisted(from: &reader)
    }
}
