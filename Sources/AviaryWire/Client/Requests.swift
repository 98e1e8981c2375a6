package import NIOCore

/// exists, getData, getChildren, getChildren2: the path stays in the frame it came in.
package struct ReadRequest: ~Escapable {
    /// Empty for a null path, which names the root like an empty one.
    package let path: RawSpan
    package let watch: Bool

    @_lifetime(copy reader)
    package init(from reader: inout JuteReader) throws(WireError) {
        let range = try reader.readRange()
        let watch = try reader.readBool()
        guard let range else { throw .unexpectedNull }
        self.path = reader.span(range)
        self.watch = watch
    }
}

/// getACL, sync, getAllChildrenNumber, getEphemerals: a path, which may be null.
package struct PathRequest: WireRecord, Hashable {
    package var path: ByteString?

    package init(path: ByteString?) {
        self.path = path
    }

    package init(from reader: inout JuteReader) throws(WireError) {
        path = try reader.readString()
    }

    package func write(to buffer: inout ByteBuffer) {
        buffer.writeJute(path)
    }
}

/// create, create2, createContainer and, with a time to live, createTTL.
package struct CreateRequest: WireRecord, Hashable {
    package var path: Path
    package var data: [UInt8]?
    package var acl: [ACL]?
    package var flags: Int32
    package var ttlMilliseconds: Int64?

    package init(path: Path, data: [UInt8]?, acl: [ACL]?, flags: Int32, ttlMilliseconds: Int64?) {
        self.path = path
        self.data = data
        self.acl = acl
        self.flags = flags
        self.ttlMilliseconds = ttlMilliseconds
    }

    package init(from reader: inout JuteReader) throws(WireError) {
        self.init(try CreateBody(.create, from: &reader))
    }

    package init(withTTLFrom reader: inout JuteReader) throws(WireError) {
        self.init(try CreateBody(.createTTL, from: &reader))
    }

    private init(_ body: borrowing CreateBody) {
        path = Path(repairing: body.path)
        data = [UInt8](copying: body.data)
        acl = body.acl
        flags = body.flags
        ttlMilliseconds = body.ttlMilliseconds
    }

    package func write(to buffer: inout ByteBuffer) {
        buffer.writeJute(path)
        buffer.writeJute(data)
        if let acl { ACL.writeList(acl, to: &buffer) } else { buffer.writeInteger(Int32(-1)) }
        buffer.writeInteger(flags)
        if let ttlMilliseconds { buffer.writeInteger(ttlMilliseconds) }
    }
}

/// delete and check.
package struct VersionRequest: WireRecord, Hashable {
    package var path: Path
    /// -1 matches any version.
    package var version: Int32

    package init(path: Path, version: Int32) {
        self.path = path
        self.version = version
    }

    package init(from reader: inout JuteReader) throws(WireError) {
        let record = try VersionRecord(from: &reader)
        path = Path(repairing: record.path)
        version = record.version
    }

    package func write(to buffer: inout ByteBuffer) {
        buffer.writeJute(path)
        buffer.writeInteger(version)
    }
}

package struct SetDataRequest: WireRecord, Hashable {
    package var path: Path
    package var data: [UInt8]?
    package var version: Int32

    package init(path: Path, data: [UInt8]?, version: Int32) {
        self.path = path
        self.data = data
        self.version = version
    }

    package init(from reader: inout JuteReader) throws(WireError) {
        let record = try SetDataRecord(from: &reader)
        path = Path(repairing: record.path)
        data = [UInt8](copying: record.data)
        version = record.version
    }

    package func write(to buffer: inout ByteBuffer) {
        buffer.writeJute(path)
        buffer.writeJute(data)
        buffer.writeInteger(version)
    }
}

package struct SetACLRequest: WireRecord, Hashable {
    package var path: Path
    package var acl: [ACL]?
    package var version: Int32

    package init(path: Path, acl: [ACL]?, version: Int32) {
        self.path = path
        self.acl = acl
        self.version = version
    }

    package init(from reader: inout JuteReader) throws(WireError) {
        let record = try SetACLRecord(from: &reader)
        path = Path(repairing: record.path)
        acl = record.acl
        version = record.version
    }

    package func write(to buffer: inout ByteBuffer) {
        buffer.writeJute(path)
        if let acl { ACL.writeList(acl, to: &buffer) } else { buffer.writeInteger(Int32(-1)) }
        buffer.writeInteger(version)
    }
}

package struct AuthPacket: WireRecord, Hashable {
    /// Always 0, never looked at.
    package var type: Int32
    package var scheme: ByteString?
    package var auth: [UInt8]?

    package init(scheme: ByteString, auth: [UInt8]) {
        self.type = 0
        self.scheme = scheme
        self.auth = auth
    }

    package init(from reader: inout JuteReader) throws(WireError) {
        type = try reader.readInt()
        scheme = try reader.readString()
        auth = try reader.readBuffer()
    }

    package func write(to buffer: inout ByteBuffer) {
        buffer.writeInteger(type)
        buffer.writeJute(scheme)
        buffer.writeJute(auth)
    }
}

/// A change of the ensemble's members, by difference or as a whole.
package struct ReconfigRequest: WireRecord, Hashable {
    package var joiningServers: ByteString?
    package var leavingServers: ByteString?
    package var newMembers: ByteString?
    /// -1, or the version of the configuration that the change is meant for.
    package var currentConfigID: Int64

    package init(
        joining: ByteString?, leaving: ByteString?, members: ByteString?, currentConfigID: Int64
    ) {
        self.joiningServers = joining
        self.leavingServers = leaving
        self.newMembers = members
        self.currentConfigID = currentConfigID
    }

    package init(from reader: inout JuteReader) throws(WireError) {
        joiningServers = try reader.readString()
        leavingServers = try reader.readString()
        newMembers = try reader.readString()
        currentConfigID = try reader.readLong()
    }

    package func write(to buffer: inout ByteBuffer) {
        buffer.writeJute(joiningServers)
        buffer.writeJute(leavingServers)
        buffer.writeJute(newMembers)
        buffer.writeInteger(currentConfigID)
    }
}
