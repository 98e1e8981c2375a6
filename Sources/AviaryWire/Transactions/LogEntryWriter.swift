package import NIOCore

/// Puts a log entry together: the header, a record or the parts of a multi, and the digest.
package struct LogEntryWriter: ~Copyable {
    private let header: TxnHeader
    private var bytes: ByteBuffer
    private var partCount: Int32 = 0
    private var lastStart = 0

    /// - Parameter bodyByteCount: of the request, which takes about as many as its record.
    package init(_ header: TxnHeader, bodyByteCount: Int) {
        self.header = header
        let room = LogEntry.frameByteCount + bodyByteCount + Self.spareByteCount
        bytes = ByteBufferAllocator().buffer(capacity: room)
        if header.type == .multi {
            bytes.writeFields(byteCount: TxnHeader.byteCount + Self.countByteCount) { fields in
                header.write(to: &fields)
                fields.write(Int32(0))
            }
        }
    }

    private static let countByteCount = 4
    /// What a record may have more than its request: a sequence number and a flag.
    private static let spareByteCount = 16

    /// What a multi's entry will take with its digest.
    package var byteCount: Int { bytes.writerIndex + TxnDigest.byteCount }

    /// The record, or that of the next part.
    package mutating func write(
        _ type: OpCode, byteCount: Int, _ write: (inout JuteFields) -> Void
    ) {
        if header.type != .multi {
            let header = header
            bytes.writeFields(byteCount: TxnHeader.byteCount + byteCount) { fields in
                header.write(to: &fields)
                write(&fields)
            }
            return
        }
        lastStart = bytes.writerIndex
        partCount += 1
        bytes.writeFields(byteCount: Txn.Part.frameByteCount + byteCount) { fields in
            Txn.Part.writeFrame(type, byteCount: byteCount, to: &fields)
            write(&fields)
        }
    }

    /// A part that failed.
    package mutating func writeError(_ code: Int32) {
        write(.error, byteCount: 4) { $0.write(code) }
    }

    /// Takes back the last part.
    package mutating func dropLast() {
        bytes.moveWriterIndex(to: lastStart)
        partCount -= 1
    }

    package consuming func finish(_ digest: TxnDigest) -> ByteBuffer {
        digest.write(to: &bytes)
        if header.type == .multi { bytes.setInteger(partCount, at: TxnHeader.byteCount) }
        return bytes
    }
}
