package import AviaryWire
import NIOCore

/// Writes ZooKeeper's transaction log: files `log.<zxid>` of a header and framed, checksummed
/// entries, lengthened ahead of need.
///
/// Source: FileTxnLog, ZooKeeper 3.9.5. Nothing may be acknowledged before `flush` has returned.
package struct TransactionLog<Files: FileSystem & ~Copyable>: ~Copyable {
    private var files: Files
    private let preallocateBytes: Int
    private let sizeLimitBytes: Int
    private var current: Segment?
    private var lastZxid: Zxid
    /// Appended and not written; flushed as one.
    private var pending = ByteBuffer()
    private var isNameSynced = true

    private struct Segment {
        let name: String
        /// Bytes written.
        var position = 0
        /// Bytes the file has, with those reserved.
        var size = 0
    }

    /// - Parameters:
    ///   - preallocateBytes: the steps in which a file grows; 0 lets it grow as it is written.
    ///   - sizeLimitBytes: a longer file is followed by a new one; 0 is without limit.
    ///   - lastZxid: the last one in the log, as recovered.
    package init(
        files: consuming Files, preallocateBytes: Int, sizeLimitBytes: Int, lastZxid: Zxid
    ) {
        self.files = files
        self.preallocateBytes = preallocateBytes
        self.sizeLimitBytes = sizeLimitBytes
        self.lastZxid = lastZxid
    }

    /// Takes a transaction for the next `flush`.
    ///
    /// - Precondition: the zxid is higher than all before it.
    package mutating func append(zxid: Zxid, payload: RawSpan) throws(StorageError) {
        precondition(zxid > lastZxid, "transactions are logged in order")
        if current == nil { try open(zxid) }
        pending.reserveCapacity(minimumWritableBytes: payload.byteCount + LogFormat.frameByteCount)
        pending.writeInteger(Adler32.checksum(payload))
        pending.writeInteger(Int32(payload.byteCount))
        pending.writeBytes(payload)
        pending.writeInteger(LogFormat.terminator)
        lastZxid = zxid
    }

    /// Returns when all that was appended will outlive a crash.
    package mutating func flush() throws(StorageError) {
        guard var segment = current, pending.readableBytes > 0 else { return }
        var bytes = ByteBuffer()
        swap(&bytes, &pending)
        let end = segment.position + bytes.readableBytes
        if preallocateBytes > 0 && end + LogFormat.reserveByteCount >= segment.size {
            segment.size = (end / preallocateBytes + 1) * preallocateBytes
            try files.extend(segment.name, to: segment.size)
        }
        try files.write(bytes.readableBytesSpan, to: segment.name, at: segment.position)
        try files.sync(segment.name)
        if !isNameSynced {
            try files.syncDirectory()
            isNameSynced = true
        }
        segment.position = end
        current = segment
        bytes.clear(minimumCapacity: min(bytes.capacity, 1 << 20))
        swap(&bytes, &pending)
        if sizeLimitBytes > 0 && max(segment.size, segment.position) > sizeLimitBytes {
            try roll()
        }
    }

    /// The next transaction opens a new file.
    package mutating func roll() throws(StorageError) {
        try flush()
        if let segment = current { try files.close(segment.name) }
        current = nil
    }

    private mutating func open(_ zxid: Zxid) throws(StorageError) {
        let name = FileNames.log(zxid)
        let isThere = try files.list().contains { $0.name == name && $0.size > 0 }
        if isThere, try LogReader.firstEntry(of: name, in: files) != nil {
            throw StorageError(
                .corrupt,
                "\(files.directory)/\(name) already holds transactions and must not be "
                    + "overwritten; move it away if it does not belong here")
        }
        try files.create(name)
        current = Segment(name: name)
        isNameSynced = false
        pending.writeInteger(LogFormat.magic)
        pending.writeInteger(LogFormat.version)
        pending.writeInteger(LogFormat.databaseID)
    }
}

extension TransactionLog: Sendable where Files: Sendable & ~Copyable {}

/// The constants of a log file.
enum LogFormat {
    /// "ZKLG".
    static let magic: Int32 = 0x5a4b_4c47
    static let version: Int32 = 2
    static let databaseID: Int64 = 0
    static let headerByteCount = 16
    /// Before the payload: checksum and length.
    static let prefixByteCount = 12
    static let terminator = UInt8(ascii: "B")
    /// What an entry has around its payload.
    static let frameByteCount = prefixByteCount + 1
    /// Room that is always kept at the end of a file, so that it ends in zeros.
    static let reserveByteCount = 4096
}
