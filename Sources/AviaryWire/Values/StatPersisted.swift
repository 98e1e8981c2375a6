package import NIOCore

/// What is kept of a node besides its data and ACL: 60 bytes in a snapshot.
///
/// `cversion` here counts the children ever created; clients see `2 · cversion − numChildren`.
package struct StatPersisted: WireRecord, Hashable {
    package var czxid: Zxid = .zero
    package var mzxid: Zxid = .zero
    package var ctime: Int64 = 0
    package var mtime: Int64 = 0
    package var version: Int32 = 0
    package var cversion: Int32 = 0
    package var aversion: Int32 = 0
    package var owner: NodeOwner = .none
    package var pzxid: Zxid = .zero

    package init() {}

    /// What a node has right after it was created.
    package init(createdBy zxid: Zxid, at time: Int64, owner: NodeOwner) {
        czxid = zxid
        mzxid = zxid
        pzxid = zxid
        ctime = time
        mtime = time
        self.owner = owner
    }

    package init(from reader: inout JuteReader) throws(WireError) {
        czxid = Zxid(try reader.readLong())
        mzxid = Zxid(try reader.readLong())
        ctime = try reader.readLong()
        mtime = try reader.readLong()
        version = try reader.readInt()
        cversion = try reader.readInt()
        aversion = try reader.readInt()
        owner = NodeOwner(rawValue: try reader.readLong())
        pzxid = Zxid(try reader.readLong())
    }

    package static let byteCount = 60

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
        fields.write(owner.rawValue)
        fields.write(pzxid.rawValue)
    }
}

/// The stored `ephemeralOwner`: a session, or a mark of a container or TTL node.
package struct NodeOwner: RawRepresentable, Hashable, Sendable {
    package var rawValue: Int64

    package init(rawValue: Int64) {
        self.rawValue = rawValue
    }

    package static let none = NodeOwner(rawValue: 0)
    package static let container = NodeOwner(rawValue: .min)

    /// The longest time to live: 40 bits of milliseconds.
    package static let maximumTTL: Int64 = 1 << 40 - 1
    private static let ttlMark = UInt64(0xff) << 56

    package static func session(_ id: SessionID) -> NodeOwner { NodeOwner(rawValue: id.rawValue) }

    /// - Precondition: `milliseconds` is in 0...`maximumTTL`.
    package static func ttl(milliseconds: Int64) -> NodeOwner {
        precondition((0...maximumTTL).contains(milliseconds), "a TTL has 40 bits")
        return NodeOwner(rawValue: Int64(bitPattern: ttlMark | UInt64(milliseconds)))
    }

    package var isContainer: Bool { self == .container }

    /// The TTL in milliseconds, if this is a TTL node. Only meaningful with extended types enabled.
    package var ttlMilliseconds: Int64? {
        let bits = UInt64(bitPattern: rawValue)
        return bits >> 56 == 0xff ? Int64(bits & UInt64(NodeOwner.maximumTTL)) : nil
    }

    /// The session that owns an ephemeral node.
    package func session(extendedTypes: Bool) -> SessionID? {
        if rawValue == 0 || isContainer { return nil }
        if extendedTypes && ttlMilliseconds != nil { return nil }
        return SessionID(rawValue)
    }
}
