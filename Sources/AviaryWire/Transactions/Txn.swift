/// What a transaction does, with everything that was decided when it was prepared.
package enum Txn: Hashable, Sendable {
    case createSession(timeoutMilliseconds: Int32)
    /// Nil from servers that did not write the list; the session's ephemerals are meant.
    case closeSession(ephemerals: [Path]?)
    case create(CreateTxn)
    /// delete and deleteContainer.
    case delete(Path)
    /// setData and reconfig.
    case setData(path: Path, data: [UInt8]?, version: Int32)
    case setACL(path: Path, acl: [ACL], version: Int32)
    /// `version` is one more than what the node has.
    case check(path: Path, version: Int32)
    case multi([Part])
    /// A request that was refused: it took a zxid and changes nothing.
    case error(Int32)

    /// One operation of a multi; `type` is `.error` for all of them if the multi failed.
    package struct Part: Hashable, Sendable {
        package var type: OpCode
        package var txn: Txn

        package init(type: OpCode, txn: Txn) {
            self.type = type
            self.txn = txn
        }
    }
}

package struct CreateTxn: Hashable, Sendable {
    package var path: Path
    package var data: [UInt8]?
    package var acl: [ACL]
    package var isEphemeral: Bool
    /// The parent's stored cversion after the create; nil in logs older than 3.4.
    package var parentCVersion: Int32?
    package var ttlMilliseconds: Int64

    package init(
        path: Path, data: [UInt8]?, acl: [ACL], isEphemeral: Bool, parentCVersion: Int32?,
        ttlMilliseconds: Int64 = 0
    ) {
        self.path = path
        self.data = data
        self.acl = acl
        self.isEphemeral = isEphemeral
        self.parentCVersion = parentCVersion
        self.ttlMilliseconds = ttlMilliseconds
    }
}

/// Where the fields of a setData's record are, in the bytes it is read from.
package struct SetDataFields: Sendable {
    package let path: Range<Int>
    /// Nil is null.
    package let data: Range<Int>?
    package let version: Int32

    package init(from reader: inout JuteReader) throws(WireError) {
        guard let path = try reader.readRange() else { throw .unexpectedNull }
        self.path = path
        data = try reader.readRange()
        version = try reader.readInt()
    }
}

// MARK: - Writing

extension Txn {
    /// What the record takes that follows a header of this type. O(parts and entries).
    package func byteCount(type: OpCode) -> Int {
        switch self {
        case .createSession, .error: return 4
        case .closeSession(let paths):
            return (paths ?? []).reduce(4) { $0 + 4 + $1.bytes.count }
        case .create(let create): return create.byteCount(type: type)
        case .delete(let path): return 4 + path.bytes.count
        case .setData(let path, let data, _): return 12 + path.bytes.count + (data?.count ?? 0)
        case .setACL(let path, let acl, _):
            return 8 + path.bytes.count + ACL.byteCount(ofList: acl)
        case .check(let path, _): return 8 + path.bytes.count
        case .multi(let parts): return parts.reduce(4) { $0 + $1.byteCount }
        }
    }

    func write(type: OpCode, to fields: inout JuteFields) {
        switch self {
        case .createSession(let timeout): fields.write(timeout)
        case .closeSession(let paths):
            fields.write(Int32(paths?.count ?? 0))
            for path in paths ?? [] { fields.write(path.bytes) }
        case .create(let create): create.write(type: type, to: &fields)
        case .delete(let path): fields.write(path.bytes)
        case .setData(let path, let data, let version):
            fields.write(path.bytes)
            fields.write(data)
            fields.write(version)
        case .setACL(let path, let acl, let version):
            fields.write(path.bytes)
            ACL.writeList(acl, to: &fields)
            fields.write(version)
        case .check(let path, let version):
            fields.write(path.bytes)
            fields.write(version)
        case .multi(let parts):
            fields.write(Int32(parts.count))
            for part in parts { part.write(to: &fields) }
        case .error(let code): fields.write(code)
        }
    }
}

extension Txn.Part {
    private static let frameByteCount = 8

    /// With its type and length.
    package var byteCount: Int { Self.frameByteCount + txn.byteCount(type: type) }

    fileprivate func write(to fields: inout JuteFields) {
        // Apache 3.8 passes over a create2 here when it reads its log; it writes a create.
        let written: OpCode = type == .create2 ? .create : type
        fields.write(written.rawValue)
        fields.write(Int32(txn.byteCount(type: type)))
        txn.write(type: type, to: &fields)
    }
}

extension CreateTxn {
    fileprivate func byteCount(type: OpCode) -> Int {
        let strings = 8 + path.bytes.count + (data?.count ?? 0)
        let flag = Self.hasFlag(type) ? 1 : 0
        let ttl = type == .createTTL ? 8 : 0
        return strings + ACL.byteCount(ofList: acl) + flag + 4 + ttl
    }

    fileprivate func write(type: OpCode, to fields: inout JuteFields) {
        fields.write(path.bytes)
        fields.write(data)
        ACL.writeList(acl, to: &fields)
        if Self.hasFlag(type) { fields.write(isEphemeral) }
        fields.write(parentCVersion ?? -1)
        if type == .createTTL { fields.write(ttlMilliseconds) }
    }

    /// Whether the record says if the node is ephemeral.
    fileprivate static func hasFlag(_ type: OpCode) -> Bool { type == .create || type == .create2 }
}

// MARK: - Reading

extension Txn {
    /// Reads the record that follows a header of this type.
    package init(type: OpCode, from reader: inout JuteReader) throws(WireError) {
        switch type {
        case .createSession: self = .createSession(timeoutMilliseconds: try reader.readInt())
        case .closeSession: self = .closeSession(ephemerals: try Self.readPaths(from: &reader))
        case .create, .create2, .createContainer, .createTTL:
            self = .create(try CreateTxn(type: type, from: &reader))
        case .delete, .deleteContainer: self = .delete(try reader.readPath())
        case .setData, .reconfig:
            self = .setData(
                path: try reader.readPath(), data: try reader.readBuffer(),
                version: try reader.readInt())
        case .setACL:
            self = .setACL(
                path: try reader.readPath(), acl: try ACL.readList(from: &reader) ?? [],
                version: try reader.readInt())
        case .check: self = .check(path: try reader.readPath(), version: try reader.readInt())
        case .multi: self = .multi(try Self.readParts(from: &reader))
        case .error: self = .error(try reader.readInt())
        default: throw .unknownType(type.rawValue)
        }
    }

    private static func readPaths(from reader: inout JuteReader) throws(WireError) -> [Path] {
        guard let count = try reader.readCount(elementSize: 4) else { return [] }
        var paths: [Path] = []
        paths.reserveCapacity(count)
        for _ in 0..<count { paths.append(try reader.readPath()) }
        return paths
    }

    private static func readParts(from reader: inout JuteReader) throws(WireError) -> [Part] {
        guard let count = try reader.readCount(elementSize: 8) else { return [] }
        var parts: [Part] = []
        parts.reserveCapacity(count)
        for _ in 0..<count {
            let type = try reader.readInt()
            guard let code = OpCode(rawValue: type), code != .multi else {
                throw .unknownType(type)
            }
            guard let range = try reader.readRange() else { throw .unexpectedNull }
            var inner = JuteReader(reader.span(range))
            parts.append(Part(type: code, txn: try Txn(type: code, from: &inner)))
        }
        return parts
    }
}

extension CreateTxn {
    fileprivate init(type: OpCode, from reader: inout JuteReader) throws(WireError) {
        path = try reader.readPath()
        data = try reader.readBuffer()
        acl = try ACL.readList(from: &reader) ?? []
        let hasFlag = Self.hasFlag(type)
        isEphemeral = hasFlag ? try reader.readBool() : false
        // Records from before 3.4 end here; they never carry a digest.
        if hasFlag && reader.remaining < 4 {
            parentCVersion = nil
        } else {
            let version = try reader.readInt()
            parentCVersion = version == -1 ? nil : version
        }
        ttlMilliseconds = type == .createTTL ? try reader.readLong() : 0
    }
}
