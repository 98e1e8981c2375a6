package import NIOCore

package struct RequestHeader: WireRecord, Hashable {
    package var xid: Int32
    /// As it came; it need not be a known `OpCode`.
    package var type: Int32

    package init(xid: Int32, type: Int32) {
        self.xid = xid
        self.type = type
    }

    package init(from reader: inout JuteReader) throws(WireError) {
        xid = try reader.readInt()
        type = try reader.readInt()
    }

    package func write(to buffer: inout ByteBuffer) {
        buffer.writeInteger(xid)
        buffer.writeInteger(type)
    }
}

package struct ReplyHeader: WireRecord, Hashable {
    package var xid: Int32
    package var zxid: Zxid
    /// 0, or a `ZooKeeperError`'s raw value.
    package var error: Int32

    package init(xid: Int32, zxid: Zxid, error: Int32 = 0) {
        self.xid = xid
        self.zxid = zxid
        self.error = error
    }

    package init(from reader: inout JuteReader) throws(WireError) {
        xid = try reader.readInt()
        zxid = Zxid(try reader.readLong())
        error = try reader.readInt()
    }

    package static let byteCount = 16

    func write(to fields: inout JuteFields) {
        fields.write(xid)
        fields.write(zxid.rawValue)
        fields.write(error)
    }

    package func write(to buffer: inout ByteBuffer) {
        buffer.writeFields(byteCount: Self.byteCount) { write(to: &$0) }
    }
}

extension ByteBuffer {
    /// What an outbox has room for at first: several replies, and `malloc` is quick to give it.
    private static let firstRoom = 1024

    /// Begins the frame of a reply, to be ended by `endFrame`.
    ///
    /// - Returns: where it begins.
    package mutating func beginReply(_ header: ReplyHeader) -> Int {
        makeFirstRoom()
        let start = writerIndex
        writeFields(byteCount: frameLengthByteCount + ReplyHeader.byteCount) { fields in
            fields.write(Int32(0))
            header.write(to: &fields)
        }
        return start
    }

    /// A reply of which it is known how long it is, written at once.
    ///
    /// - Parameter byteCount: what `body` writes.
    @inline(__always)
    package mutating func writeReply(
        _ header: ReplyHeader, byteCount: Int = 0, body: (inout JuteFields) -> Void = { _ in }
    ) {
        makeFirstRoom()
        let byteCount = ReplyHeader.byteCount + byteCount
        writeFields(byteCount: frameLengthByteCount + byteCount) { fields in
            fields.write(Int32(byteCount))
            header.write(to: &fields)
            body(&fields)
        }
    }

    private mutating func makeFirstRoom() {
        if capacity == 0 { self = ByteBufferAllocator().buffer(capacity: Self.firstRoom) }
    }
}

/// The xids that do not number requests.
package enum SpecialXid {
    package static let notification: Int32 = -1
    package static let ping: Int32 = -2
    package static let auth: Int32 = -4
}
