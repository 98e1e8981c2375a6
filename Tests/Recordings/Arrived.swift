import AviaryWire
import NIOCore

extension PacketBuffer {
    /// What has come once somebody sent it all at once.
    package init(of send: (inout ByteBuffer) -> Void) {
        var bytes = ByteBuffer()
        send(&bytes)
        self.init()
        append(bytes)
    }
}
