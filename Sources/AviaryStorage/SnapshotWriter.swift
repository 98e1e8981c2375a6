import AviaryCore
import AviaryWire
import NIOCore

/// The constants of a snapshot file.
enum SnapshotFormat {
    /// "ZKSN".
    static let magic: Int32 = 0x5a4b_534e
    static let version: Int32 = 2
    static let databaseID: Int64 = -1
    static let headerByteCount = 16
    /// What ends the nodes and each seal: the string `/`.
    static let end: [UInt8] = [0, 0, 0, 1, UInt8(ascii: "/")]
    /// A checksum and `end`.
    static let sealByteCount = 13
}

/// Writes a tree in ZooKeeper's format, in pieces, with the three parts that 3.9 writes: tree,
/// digest and last zxid, each sealed with the checksum of everything before it.
///
/// Source: FileSnap.serialize and SerializeUtils, ZooKeeper 3.9.5.
struct SnapshotWriter<Files: FileSystem & ~Copyable>: ~Copyable {
    private let file: String
    /// The tree came from a leader that may have gone on meanwhile, so that its digest says nothing.
    /// The section is left empty then, as Apache leaves it.
    private let isReceived: Bool
    private var compressor: SnapshotCompressor?
    private var buffer = ByteBuffer()
    private var checksum = Adler32()
    private var offset = 0
    /// What was written so far.
    var byteCount: Int { offset }
    /// So many of the buffer's bytes are in the checksum.
    private var summed = 0

    /// So much is written and synced at a time: one sync of it all would hold up those of the log.
    private static var pieceByteCount: Int { 64 << 10 }
    /// So much room is reserved at a time. Where a file system finds room only when it writes, as
    /// ext4 does, a sync of the log waits for what is being found for the snapshot.
    private static var reserveByteCount: Int { 8 << 20 }
    private var reserved = 0

    init(file: String, _ compression: SnapshotCompression, isReceived: Bool = false) {
        self.file = file
        self.isReceived = isReceived
        compressor = SnapshotCompressor(compression)
        buffer.reserveCapacity(Self.pieceByteCount + 4096)
    }

    mutating func write(
        _ snapshot: TreeSnapshot, to files: inout Files, didWrite: (Int) -> Void = { _ in }
    ) throws(StorageError) {
        try files.create(file)
        if let head = compressor?.head { try write(head.raw, to: &files) }
        buffer.writeInteger(SnapshotFormat.magic)
        buffer.writeInteger(SnapshotFormat.version)
        buffer.writeInteger(SnapshotFormat.databaseID)
        var body = SnapshotBody(snapshot)
        while body.writeNext(to: &buffer, atLeast: Self.pieceByteCount) {
            let before = offset
            if offset + buffer.readableBytes > reserved {
                reserved = offset + buffer.readableBytes + Self.reserveByteCount
                try files.extend(file, to: reserved)
            }
            try writePiece(to: &files, isLast: false)
            try files.sync(file)
            didWrite(offset - before)
        }
        seal()
        writeDigest(of: snapshot)
        seal()
        buffer.writeInteger(snapshot.zxid.rawValue)
        seal()
        try writePiece(to: &files, isLast: true)
        if reserved > offset { try files.truncate(file, to: offset) }
        try files.sync(file)
        try files.close(file)
    }

    private mutating func writeDigest(of snapshot: TreeSnapshot) {
        buffer.writeInteger(isReceived ? Zxid.zero.rawValue : snapshot.zxid.rawValue)
        buffer.writeInteger(TxnDigest.currentVersion)
        buffer.writeInteger(isReceived ? 0 : snapshot.digest)
    }

    /// Ends a part with the checksum of everything so far. The seal itself is covered by the next.
    private mutating func seal() {
        sum()
        buffer.writeInteger(checksum.value)
        buffer.writeBytes(SnapshotFormat.end)
    }

    private mutating func writePiece(
        to files: inout Files, isLast: Bool
    ) throws(StorageError) {
        sum()
        let piece = buffer
        if let packed = compressor?.add([UInt8](piece.readableBytesView), isLast: isLast) {
            try write(packed.raw, to: &files)
        } else {
            try write(piece.readableBytesSpan, to: &files)
        }
        buffer.clear()
        summed = 0
    }

    private mutating func write(_ bytes: RawSpan, to files: inout Files) throws(StorageError) {
        if bytes.isEmpty { return }
        try files.write(bytes, to: file, at: offset)
        offset += bytes.byteCount
    }

    /// Brings the checksum up to the end of the buffer.
    private mutating func sum() {
        var checksum = self.checksum
        checksum.update(buffer.readableBytesSpan.extracting(droppingFirst: summed))
        self.checksum = checksum
        summed = buffer.readableBytes
    }
}
