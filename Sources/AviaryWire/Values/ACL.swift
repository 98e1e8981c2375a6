package import NIOCore

package struct Permissions: OptionSet, Hashable, Sendable {
    package let rawValue: Int32

    package init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    package static let read = Permissions(rawValue: 1)
    package static let write = Permissions(rawValue: 2)
    package static let create = Permissions(rawValue: 4)
    package static let delete = Permissions(rawValue: 8)
    package static let admin = Permissions(rawValue: 16)
    package static let all = Permissions(rawValue: 31)
}

/// An identity: of a connection, or one that an ACL entry names.
package struct Identity: Hashable, Sendable {
    package var scheme: ByteString
    package var id: ByteString

    package init(scheme: ByteString, id: ByteString) {
        self.scheme = scheme
        self.id = id
    }
}

/// One entry of a node's access control list.
package struct ACL: WireRecord, Hashable {
    /// Stored and returned as they came: bits outside `all` mean nothing.
    package var permissions: Permissions
    package var identity: Identity

    package init(_ permissions: Permissions, _ scheme: ByteString, _ id: ByteString) {
        self.permissions = permissions
        self.identity = Identity(scheme: scheme, id: id)
    }

    package static let openToAll = [ACL(.all, "world", "anyone")]
    /// The ACL of `/zookeeper/config`.
    package static let readableByAll = [ACL(.read, "world", "anyone")]

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
        guard let count = try reader.readCount(elementSize: minimumByteCount) else { return nil }
        var list: [ACL] = []
        list.reserveCapacity(count)
        for _ in 0..<count { list.append(try ACL(from: &reader)) }
        return list
    }

    package static func writeList(_ list: [ACL], to buffer: inout ByteBuffer) {
        buffer.writeVector(list) { $1.write(to: &$0) }
    }
}
