/// A node's new data, where it stands: the body of a request and its record in the log are alike but
/// for what the version means.
package struct SetDataRecord: ~Escapable {
    package let path: RawSpan
    /// Nil is null.
    package let data: RawSpan?
    package let version: Int32

    @_lifetime(copy path, copy data)
    package init(path: RawSpan, data: RawSpan?, version: Int32) {
        self.path = path
        self.data = data
        self.version = version
    }

    @_lifetime(copy reader)
    package init(from reader: inout JuteReader) throws(WireError) {
        let path = try reader.readPresentRange()
        let data = try reader.readRange()
        let version = try reader.readInt()
        self.path = reader.span(path)
        self.data = reader.span(data)
        self.version = version
    }

    package var byteCount: Int { 12 + path.byteCount + (data?.byteCount ?? 0) }

    package func write(to fields: inout JuteFields) {
        fields.write(path)
        fields.write(data)
        fields.write(version)
    }
}

/// A path and a version, where they stand: the body of a delete or a check, and a check's record.
package struct VersionRecord: ~Escapable {
    package let path: RawSpan
    /// -1 matches any version.
    package let version: Int32

    @_lifetime(copy path)
    package init(path: RawSpan, version: Int32) {
        self.path = path
        self.version = version
    }

    @_lifetime(copy reader)
    package init(from reader: inout JuteReader) throws(WireError) {
        let path = try reader.readPresentRange()
        let version = try reader.readInt()
        self.path = reader.span(path)
        self.version = version
    }

    package var byteCount: Int { 8 + path.byteCount }

    package func write(to fields: inout JuteFields) {
        fields.write(path)
        fields.write(version)
    }
}

/// A new ACL, where its path stands: the body of a request, and its record.
package struct SetACLRecord: ~Escapable {
    package let path: RawSpan
    package let acl: [ACL]?
    package let version: Int32

    @_lifetime(copy path)
    package init(path: RawSpan, acl: [ACL]?, version: Int32) {
        self.path = path
        self.acl = acl
        self.version = version
    }

    @_lifetime(copy reader)
    package init(from reader: inout JuteReader) throws(WireError) {
        let path = try reader.readPresentRange()
        let acl = try ACL.readList(from: &reader)
        let version = try reader.readInt()
        self.path = reader.span(path)
        self.acl = acl
        self.version = version
    }

    package var byteCount: Int { 8 + path.byteCount + ACL.byteCount(ofList: acl ?? []) }

    package func write(to fields: inout JuteFields) {
        fields.write(path)
        ACL.writeList(acl ?? [], to: &fields)
        fields.write(version)
    }
}

/// A new node as the log has it, where it stands.
package struct CreateRecord: ~Escapable {
    package let path: RawSpan
    /// Nil is null.
    package let data: RawSpan?
    package let acl: [ACL]
    package let isEphemeral: Bool
    /// The parent's stored cversion after the create; nil in logs older than 3.4.
    package let parentCVersion: Int32?
    package let ttlMilliseconds: Int64

    @_lifetime(copy path, copy data)
    package init(
        path: RawSpan, data: RawSpan?, acl: [ACL], isEphemeral: Bool, parentCVersion: Int32?,
        ttlMilliseconds: Int64
    ) {
        self.path = path
        self.data = data
        self.acl = acl
        self.isEphemeral = isEphemeral
        self.parentCVersion = parentCVersion
        self.ttlMilliseconds = ttlMilliseconds
    }

    @_lifetime(copy reader)
    package init(_ type: OpCode, from reader: inout JuteReader) throws(WireError) {
        let path = try reader.readPresentRange()
        let data = try reader.readRange()
        let acl = try ACL.readList(from: &reader) ?? []
        let hasFlag = Self.hasFlag(type)
        let isEphemeral = hasFlag ? try reader.readBool() : false
        // Records from before 3.4 end here; they never carry a digest.
        var parentCVersion: Int32?
        if !hasFlag || reader.remaining >= 4 {
            let version = try reader.readInt()
            parentCVersion = version == -1 ? nil : version
        }
        let ttl = type == .createTTL ? try reader.readLong() : 0
        self.path = reader.span(path)
        self.data = reader.span(data)
        self.acl = acl
        self.isEphemeral = isEphemeral
        self.parentCVersion = parentCVersion
        self.ttlMilliseconds = ttl
    }

    package func byteCount(_ type: OpCode) -> Int {
        let strings = 8 + path.byteCount + (data?.byteCount ?? 0)
        let flag = Self.hasFlag(type) ? 1 : 0
        let ttl = type == .createTTL ? 8 : 0
        return strings + ACL.byteCount(ofList: acl) + flag + 4 + ttl
    }

    package func write(_ type: OpCode, to fields: inout JuteFields) {
        fields.write(path)
        fields.write(data)
        ACL.writeList(acl, to: &fields)
        if Self.hasFlag(type) { fields.write(isEphemeral) }
        fields.write(parentCVersion ?? -1)
        if type == .createTTL { fields.write(ttlMilliseconds) }
    }

    /// Whether the record says if the node is ephemeral.
    private static func hasFlag(_ type: OpCode) -> Bool { type == .create || type == .create2 }
}
