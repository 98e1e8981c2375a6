package import NIOCore

/// Who asked for a transaction, and its place in the order of all.
package struct TxnHeader: WireRecord, Hashable {
    package var session: SessionID
    package var cxid: Int32
    package var zxid: Zxid
    /// Milliseconds since 1970, the leader's clock.
    package var time: Int64
    package var type: OpCode

    package init(session: SessionID, cxid: Int32, zxid: Zxid, time: Int64, type: OpCode) {
        self.session = session
        self.cxid = cxid
        self.zxid = zxid
        self.time = time
        self.type = type
    }

    package init(from reader: inout JuteReader) throws(WireError) {
        session = SessionID(try reader.readLong())
        cxid = try reader.readInt()
        zxid = Zxid(try reader.readLong())
        time = try reader.readLong()
        let type = try reader.readInt()
        guard let code = OpCode(rawValue: type) else { throw .unknownType(type) }
        self.type = code
    }

    package func write(to buffer: inout ByteBuffer) {
        buffer.writeFields(byteCount: Self.byteCount) { write(to: &$0) }
    }

    static let byteCount = 32

    func write(to fields: inout JuteFields) {
        fields.write(session.rawValue)
        fields.write(cxid)
        fields.write(zxid.rawValue)
        fields.write(time)
        fields.write(type.rawValue)
    }
}

/// The digest of the whole tree after a transaction, as the leader predicts it.
package struct TxnDigest: WireRecord, Hashable {
    /// The only version in use since 3.6.
    package static let currentVersion: Int32 = 2

    package var version: Int32
    package var treeDigest: UInt64

    package init(treeDigest: UInt64) {
        self.version = Self.currentVersion
        self.treeDigest = treeDigest
    }

    package init(from reader: inout JuteReader) throws(WireError) {
        version = try reader.readInt()
        treeDigest = UInt64(bitPattern: try reader.readLong())
    }

    package func write(to buffer: inout ByteBuffer) {
        buffer.writeFields(byteCount: Self.byteCount) { write(to: &$0) }
    }

    static let byteCount = 12

    func write(to fields: inout JuteFields) {
        fields.write(version)
        fields.write(treeDigest)
    }
}
