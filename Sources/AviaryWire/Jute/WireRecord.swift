package import NIOCore

/// A record of ZooKeeper's `zookeeper.jute`, written big-endian with no padding.
package protocol WireRecord: Sendable {
    init(from reader: inout JuteReader) throws(WireError)
    func write(to buffer: inout ByteBuffer)
}
