package import NIOCore

/// What an ACL entry allows.
public struct Permissions: OptionSet, Hashable, Sendable {
    public let rawValue: Int32

    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    public static let read = Permissions(rawValue: 1)
    public static let write = Permissions(rawValue: 2)
    public static let create = Permissions(rawValue: 4)
    public static let delete = Permissions(rawValue: 8)
    public static let admin = Permissions(rawValue: 16)
    public static let all = Permissions(rawValue: 31)
}

/// An identity: of a connection, or one that an ACL entry names.
public struct Identity: Hashable, Sendable {
    public var scheme: ByteString
    public var id: ByteString

    public init(scheme: ByteString, id: ByteString) {
        self.scheme = scheme
        self.id = id
    }
}

/// One entry of a node's access control list.
public struct ACL: WireRecord, Hashable, Sendable {
    /// Stored and returned as they came: bits outside `all` mean nothing.
    public var permissions: Permissions
    public var identity: Identity

    public init(_ permissions: Permissions, _ scheme: ByteString, _ id: ByteString) {
        self.permissions = permissions
        self.identity = Identity(scheme: scheme, id: id)
    }

    public static let openToAll = [ACL(.all, "world", "anyone")]
    /// Everything, for whoever creates the node: for clients that have authenticated.
    public static let creatorOnly = [ACL(.all, "auth", "")]
    /// The ACL of `/zookeeper/config`.
    public static let readableByAll = [ACL(.read, "world", "anyone")]

    package init(from reader: inout JuteReader) throws(WireError) {
        permissions = Permissions(rawValue: try reader.readInt())
        // A null scheme is no scheme that anyone provides; a null id is fine where ids mean nothing.
        let scheme = try reader.readString() ?? ""
        let id = try reader.readString()
        guard let id = id ?? (scheme == "auth" ? "" : nil) else { throw .unexpectedNull }
        identity = Identity(scheme: scheme, id: id)
    }

    package func write(to buffer: inout ByteBuffer) {
        buffer.writeInteger(permissions.rawValue)
        buffer.writeJute(identity.scheme)
        buffer.writeJute(identity.id)
    }

    /// The least bytes an entry takes on the wire.
    package static let minimumByteCount = 12

    /// The bytes it takes on the wire.
    package var byteCount: Int {
        Self.minimumByteCount + identity.scheme.bytes.count + identity.id.bytes.count
    }

    /// Nil for a null list.
    package static func readList(from reader: inout JuteReader) throws(WireError) -> [ACL]? {
        // Nearly every node has this one, which is not made anew for each.
        if startsWithOpenToAll(reader) {
            try reader.skip(openToAllBytes.count)
            return openToAll
        }
        guard let count = try reader.readCount(elementSize: minimumByteCount) else { return nil }
        var list: [ACL] = []
        list.reserveCapacity(count)
        for _ in 0..<count { list.append(try ACL(from: &reader)) }
        return list
    }

    package static func writeList(_ list: [ACL], to buffer: inout ByteBuffer) {
        buffer.writeFields(byteCount: byteCount(ofList: list)) { writeList(list, to: &$0) }
    }

    static func byteCount(ofList list: [ACL]) -> Int {
        if list == openToAll { return openToAllBytes.count }
        return list.reduce(4) { $0 + $1.byteCount }
    }

    static func writeList(_ list: [ACL], to fields: inout JuteFields) {
        if list == openToAll {
            fields.writeBytes(openToAllBytes.raw)
            return
        }
        fields.write(Int32(list.count))
        for entry in list {
            fields.write(entry.permissions.rawValue)
            fields.write(entry.identity.scheme.bytes)
            fields.write(entry.identity.id.bytes)
        }
    }

    /// `openToAll` as it is on the wire.
    private static let openToAllBytes: [UInt8] = {
        var buffer = ByteBuffer()
        buffer.writeVector(openToAll) { $1.write(to: &$0) }
        return Array(buffer.readableBytesView)
    }()

    private static func startsWithOpenToAll(_ reader: borrowing JuteReader) -> Bool {
        let expected = openToAllBytes
        guard reader.remaining >= expected.count else { return false }
        let found = reader.span(reader.position..<reader.position + expected.count)
        return found.isEqual(to: expected.raw)
    }
}
