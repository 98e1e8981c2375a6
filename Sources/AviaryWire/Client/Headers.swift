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

    package func write(to buffer: inout ByteBuffer) {
        buffer.writeMultipleIntegers(xid, zxid.rawValue, error)
    }
}

/// The xids that do not number requests.
package enum SpecialXid {
    package static let notification: Int32 = -1
    package static let ping: Int32 = -2
    package static let auth: Int32 = -4
}
