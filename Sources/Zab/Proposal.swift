package import AviaryWire
package import NIOCore

/// A transaction on its way into the log, encoded once for every lane it goes to.
package struct Proposal: Hashable, Sendable {
    package let zxid: Zxid
    /// Header, record and digest, as they stand in the log and on the wire.
    package let bytes: ByteBuffer

    package init(zxid: Zxid, bytes: ByteBuffer) {
        self.zxid = zxid
        self.bytes = bytes
    }
}
