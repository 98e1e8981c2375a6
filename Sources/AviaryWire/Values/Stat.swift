package import NIOCore

/// What a client sees of a node besides its data: 68 bytes on the wire.
public struct Stat: WireRecord, Hashable, Sendable {
    public var czxid: Zxid = .zero
    public var mzxid: Zxid = .zero
    /// Milliseconds since 1970, the leader's clock.
    public var ctime: Int64 = 0
    public var mtime: Int64 = 0
    public var version: Int32 = 0
    public var cversion: Int32 = 0
    public var aversion: Int32 = 0
    public var ephemeralOwner: Int64 = 0
    public var dataLength: Int32 = 0
    public var numChildren: Int32 = 0
    public var pzxid: Zxid = .zero

    public init() {}

    package init(from reader: inout JuteReader) throws(WireError) {
        czxid = Zxid(try reader.readLong())
        mzxid = Zxid(try reader.readLong())
        ctime = try reader.readLong()
        mtime = try reader.readLong()
        version = try reader.readInt()
        cversion = try reader.readInt()
        aversion = try reader.readInt()
        ephemeralOwner = try reader.readLong()
        dataLength = try reader.readInt()
        numChildren = try reader.readInt()
        pzxid = Zxid(try reader.readLong())
    }

    package static let byteCount = 68

    package func write(to buffer: inout ByteBuffer) {
        buffer.writeFields(byteCount: Self.byteCount) { write(to: &$0) }
    }

    package func write(to fields: inout JuteFields) {
        fields.write(czxid.rawValue)
        fields.write(mzxid.rawValue)
        fields.write(ctime)
        fields.write(mtime)
        fields.write(version)
        fields.write(cversion)
        fields.write(aversion)
        fields.write(ephemeralOwner)
        fields.write(dataLength)
        fields.write(numChildren)
        fields.write(pzxid.rawValue)
    }
}
