package import NIOCore

/// A transaction as it stands in the log and travels in a proposal: header, record, digest.
package struct LogEntry: WireRecord, Hashable {
    package var header: TxnHeader
    package var txn: Txn
    package var digest: TxnDigest?

    /// What an entry takes besides its record, at most.
    package static let frameByteCount = TxnHeader.byteCount + TxnDigest.byteCount

    package init(header: TxnHeader, txn: Txn, digest: TxnDigest?) {
        self.header = header
        self.txn = txn
        self.digest = digest
    }

    package init(from reader: inout JuteReader) throws(WireError) {
        try self.init(TxnHeader(from: &reader), restFrom: &reader)
    }

    /// What follows a header.
    package init(
        _ header: TxnHeader, restFrom reader: inout JuteReader
    ) throws(WireError) {
        let txn: Txn =
            if header.type == .closeSession, try Self.hasNoList(reader) {
                .closeSession(ephemerals: nil)
            } else {
                try Txn(type: header.type, from: &reader)
            }
        self.init(header: header, txn: txn, digest: try Self.readDigest(from: &reader))
    }

    /// What may follow the record.
    package static func readDigest(
        from reader: inout JuteReader
    ) throws(WireError) -> TxnDigest? {
        reader.remaining >= TxnDigest.byteCount ? try TxnDigest(from: &reader) : nil
    }

    /// Whether nothing, or only a digest, follows the header of a closeSession.
    ///
    /// A digest begins with its version, 2. A list of two paths does not fit in its 12 bytes, so the
    /// two cannot be confused.
    private static func hasNoList(_ reader: borrowing JuteReader) throws(WireError) -> Bool {
        if reader.remaining == 0 { return true }
        guard reader.remaining == TxnDigest.byteCount else { return false }
        var probe = copy reader
        return try probe.readInt() == TxnDigest.currentVersion
    }

    private var byteCount: Int {
        let digestByteCount = digest == nil ? 0 : TxnDigest.byteCount
        return TxnHeader.byteCount + txn.byteCount(type: header.type) + digestByteCount
    }

    /// In a buffer of its own, as large as it is.
    package var encoded: ByteBuffer {
        let byteCount = byteCount
        var buffer = ByteBufferAllocator().buffer(capacity: byteCount)
        write(to: &buffer, byteCount)
        return buffer
    }

    package func write(to buffer: inout ByteBuffer) {
        write(to: &buffer, byteCount)
    }

    private func write(to buffer: inout ByteBuffer, _ byteCount: Int) {
        buffer.writeFields(byteCount: byteCount) { fields in
            header.write(to: &fields)
            txn.write(type: header.type, to: &fields)
            digest?.write(to: &fields)
        }
    }
}
