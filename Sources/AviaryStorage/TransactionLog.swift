package import AviaryWire
import NIOCore

/// Writes ZooKeeper's transaction log: files `log.<zxid>` of a header and framed, checksummed
/// entries, lengthened ahead of need.
///
/// After an error what was appended is kept, and `flush` may be tried again. What the file holds
/// behind the last sync is not known then, and a second sync that succeeds would prove nothing about
/// what the first one lost: so the file is cut there, and everything goes into a new one.
///
/// Source: FileTxnLog, ZooKeeper 3.9.5, which ends the server at the first error. Nothing may be
/// acknowledged before `flush` has returned.
package struct TransactionLog<Files: FileSystem & ~Copyable>: ~Copyable {
    var files: Files
    private let preallocateBytes: Int
    private let sizeLimitBytes: Int
    private var current: Segment?
    /// The last one that was taken.
    package private(set) var lastZxid: Zxid
    /// Appended and not known to be durable; flushed as one.
    private var pending = ByteBuffer()
    /// The first of them.
    private var firstPending: Zxid?
    /// An operation on the current file has failed.
    private var isSuspect = false

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
    package mutating func append(zxid: Zxid, payload: RawSpan) {
        precondition(zxid > lastZxid, "transactions are logged in order")
        firstPending = firstPending ?? zxid
        let checksum = Adler32.checksum(payload)
        pending.writeFields(byteCount: payload.byteCount + LogFormat.frameByteCount) { fields in
            fields.write(checksum)
            fields.write(payload)
            fields.write(LogFormat.terminator)
        }
        lastZxid = zxid
    }

    /// Returns when all that was appended will outlive a crash.
    package mutating func flush() throws(StorageError) {
        if isSuspect { try abandon() }
        guard let firstPending else { return }
        do throws(StorageError) {
            if current == nil { try open(firstPending) }
            try writePending()
        } catch {
            isSuspect = true
            throw error
        }
        if let current, sizeLimitBytes > 0, max(current.size, current.position) > sizeLimitBytes {
            try roll()
        }
    }

    /// The next transaction opens a new file.
    package mutating func roll() throws(StorageError) {
        try flush()
        guard let segment = current else { return }
        do throws(StorageError) {
            if segment.size > segment.position {
                try files.truncate(segment.name, to: segment.position)
            }
            try files.close(segment.name)
        } catch {
            isSuspect = true
            throw error
        }
        current = nil
    }

    /// Everything before is settled, and the next transaction, of any later zxid, opens a new file.
    ///
    /// - Precondition: the log was rolled.
    mutating func restart(after zxid: Zxid) {
        precondition(current == nil, "the file before is closed")
        precondition(firstPending == nil, "nothing waits to be written")
        lastZxid = zxid
    }

    /// Leaves a file in which something went wrong with what is known to be in it, and no more.
    private mutating func abandon() throws(StorageError) {
        if let segment = current {
            try files.truncate(segment.name, to: segment.position)
            try files.sync(segment.name)
            try files.close(segment.name)
            current = nil
        }
        isSuspect = false
    }

    private mutating func writePending() throws(StorageError) {
        guard var segment = current else { preconditionFailure("there is a file to write to") }
        let end = segment.position + pending.readableBytes
        if preallocateBytes > 0 && end + LogFormat.reserveByteCount >= segment.size {
            repeat {
                segment.size += preallocateBytes
            } while end + LogFormat.reserveByteCount >= segment.size
            try files.extend(segment.name, to: segment.size)
        }
        let bytes = pending
        try files.write(bytes.readableBytesSpan, to: segment.name, at: segment.position)
        try files.sync(segment.name)
        segment.position = end
        current = segment
        firstPending = nil
        // `clear` alone would keep whatever a storm once needed.
        if pending.capacity > Self.keptByteCount {
            pending = ByteBuffer()
        } else {
            pending.clear()
        }
    }

    /// The buffer of a larger batch is given back.
    private static var keptByteCount: Int { 1 << 20 }

    /// The name and the header are durable before space is reserved: a crash leaves no file that is
    /// longer than what is known of it.
    private mutating func open(_ zxid: Zxid) throws(StorageError) {
        let name = FileNames.log(zxid)
        if let entry = try files.list().first(where: { $0.name == name }),
            let file = LogFile(entry), try LogReader.hasEntries(file, in: files)
        {
            throw StorageError(
                .misplaced,
                "\(files.directory)/\(name) already holds transactions and must not be "
                    + "overwritten; move it away if it does not belong here", file: name)
        }
        let header = LogFormat.header
        try files.create(name)
        try files.write(header.raw, to: name, at: 0)
        try files.sync(name)
        try files.syncDirectory()
        current = Segment(name: name, position: header.count, size: header.count)
    }
}

extension TransactionLog: Sendable where Files: Sendable & ~Copyable {}

/// The constants of a log file.
enum LogFormat {
    /// "ZKLG".
    static let magic: Int32 = 0x5a4b_4c47
    /// Magic, version 2 and a database id of 0.
    static let header: [UInt8] = [0x5a, 0x4b, 0x4c, 0x47, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]
    static let headerByteCount = 16
    /// Before the payload: checksum and length.
    static let prefixByteCount = 12
    static let terminator = UInt8(ascii: "B")
    /// What an entry has around its payload.
    static let frameByteCount = prefixByteCount + 1
    /// A transaction's header alone.
    static let smallestPayloadByteCount = 32
    static let smallestEntryByteCount = smallestPayloadByteCount + frameByteCount
    /// Room that is always kept at the end of a file, so that it ends in zeros.
    static let reserveByteCount = 4096
}
