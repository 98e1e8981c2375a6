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

    private static let windowByteCount = 1 << 20

    /// What a snapshot says of itself.
    struct Trailer: Sendable {
        /// The transaction that the digest is of; until it is replayed the tree may be fuzzy. Nil
        /// if there is none.
        var digestZxid: Zxid?
        var digest: UInt64 = 0
        /// The last transaction that any part names, be it only the stat of a node: what came after
        /// the one in the file's name may or may not be in the tree.
        var reach = Zxid.zero
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
        var loader = SnapshotLoader()
        var trailer = try walk(files) { loader.load($0, into: &tree) }
        guard loader.hasRoot else { throw damage(files, "has no root") }
        trailer.nodesWithoutList = loader.nodesWithoutList
        return trailer
    }

    /// Reads all of it for what it says of itself, and makes no tree.
    ///
    /// - Throws: `corrupt` if the file is not a whole snapshot.
    mutating func survey<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files
    ) throws(StorageError) -> Trailer {
        try walk(files) { _ in nil }
    }

    /// - Parameter body: takes each record, and says what is wrong with it.
    private mutating func walk<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files, _ body: (SnapshotRecord) -> String?
    ) throws(StorageError) -> Trailer {
        let magic = try record(files) { reader throws(WireError) in
            let magic = try reader.readInt()
            try reader.skip(SnapshotFormat.headerByteCount - 4)
            return magic
        }
        guard magic == SnapshotFormat.magic else {
            throw damage(files, "does not begin as a snapshot does")
        }
        var trailer = Trailer()
        try walkTable(files, SnapshotRecord.session(from:), body)
        try walkTable(files, SnapshotRecord.list(from:), body)
        while let node = try record(files, SnapshotRecord.node(from:)) {
            if case .node(let node) = node { trailer.reach = max(trailer.reach, node.newestZxid) }
            if let wrong = body(node) { throw damage(files, wrong) }
        }
        try checkSeal(files)
        try readDigest(files, into: &trailer)
        return trailer
    }

    /// A count, and so many records.
    private mutating func walkTable<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files, _ decode: (inout JuteReader) throws(WireError) -> SnapshotRecord,
        _ body: (SnapshotRecord) -> String?
    ) throws(StorageError) {
        let count = try record(files) { reader throws(WireError) in try reader.readInt() }
        for _ in 0..<max(0, count) {
            if let wrong = body(try record(files, decode)) { throw damage(files, wrong) }
        }
    }

    /// The digest section if the file is long enough to have one, and the last zxid if that follows.
    private mutating func readDigest<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files, into trailer: inout Trailer
    ) throws(StorageError) {
        let zxidSectionByteCount = 8 + SnapshotFormat.sealByteCount
        if window.size - offset > zxidSectionByteCount {
            let (zxid, version, digest) = try record(files) { reader throws(WireError) in
                (Zxid(try reader.readLong()), try reader.readInt(), try reader.readLong())
            }
            try checkSeal(files)
            trailer.reach = max(trailer.reach, zxid)
            // What a server writes that has applied nothing yet.
            let isEmpty = zxid == .zero && digest == 0
            if !isEmpty && version == TxnDigest.currentVersion {
                trailer.digestZxid = zxid
                trailer.digest = UInt64(bitPattern: digest)
            }
        }
        if window.size - offset == zxidSectionByteCount {
            let last = try record(files) { reader throws(WireError) in try reader.readLong() }
            trailer.reach = max(trailer.reach, Zxid(last))
        }
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
