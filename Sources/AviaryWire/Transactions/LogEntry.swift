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
        header = try TxnHeader(from: &reader)
        if header.type == .closeSession, try Self.hasNoList(reader) {
            txn = .closeSession(ephemerals: nil)
        } else {
            txn = try Txn(type: header.type, from: &reader)
        }
        digest = reader.remaining >= TxnDigest.byteCount ? try TxnDigest(from: &reader) : nil
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

    package func write(to buffer: inout ByteBuffer) {
        let digestByteCount = digest == nil ? 0 : TxnDigest.byteCount
        let byteCount =
            TxnHeader.byteCount + txn.byteCount(type: header.type) + digestByteCount
        buffer.writeFields(byteCount: byteCount) { fields in
            header.write(to: &fields)
            txn.write(type: header.type, to: &fields)
            digest?.write(to: &fields)
        }
    }
}
