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

// MARK: - Writing

extension Txn {
    /// What the record takes that follows a header of this type. O(parts and entries).
    package func byteCount(type: OpCode) -> Int {
        switch self {
        case .createSession, .error: return 4
        case .closeSession(let paths):
            return (paths ?? []).reduce(4) { $0 + 4 + $1.bytes.count }
        case .create(let create): return create.record.byteCount(type)
        case .delete(let path): return 4 + path.bytes.count
        case .setData(let path, let data, let version):
            return SetDataRecord(path: path.bytes.raw, data: data?.raw, version: version).byteCount
        case .setACL(let path, let acl, let version):
            return SetACLRecord(path: path.bytes.raw, acl: acl, version: version).byteCount
        case .check(let path, let version):
            return VersionRecord(path: path.bytes.raw, version: version).byteCount
        case .multi(let parts): return parts.reduce(4) { $0 + $1.byteCount }
        }
    }

    func write(type: OpCode, to fields: inout JuteFields) {
        switch self {
        case .createSession(let timeout): fields.write(timeout)
        case .closeSession(let paths):
            fields.write(Int32(paths?.count ?? 0))
            for path in paths ?? [] { fields.write(path.bytes) }
        case .create(let create): create.record.write(type, to: &fields)
        case .delete(let path): fields.write(path.bytes)
        case .setData(let path, let data, let version):
            SetDataRecord(path: path.bytes.raw, data: data?.raw, version: version)
                .write(to: &fields)
        case .setACL(let path, let acl, let version):
            SetACLRecord(path: path.bytes.raw, acl: acl, version: version).write(to: &fields)
        case .check(let path, let version):
            VersionRecord(path: path.bytes.raw, version: version).write(to: &fields)
        case .multi(let parts):
            fields.write(Int32(parts.count))
            for part in parts { part.write(to: &fields) }
        case .error(let code): fields.write(code)
        }
    }
}

extension Txn.Part {
    static let frameByteCount = 8

    /// With its type and length.
    package var byteCount: Int { Self.frameByteCount + txn.byteCount(type: type) }

    fileprivate func write(to fields: inout JuteFields) {
        Self.writeFrame(type, byteCount: txn.byteCount(type: type), to: &fields)
        txn.write(type: type, to: &fields)
    }

    /// What stands in front of a part's record.
    static func writeFrame(_ type: OpCode, byteCount: Int, to fields: inout JuteFields) {
        // Apache 3.8 passes over a create2 here when it reads its log; it writes a create.
        fields.write((type == .create2 ? .create : type).rawValue)
        fields.write(Int32(byteCount))
    }
}

extension CreateTxn {
    /// The same where it stands.
    package var record: CreateRecord {
        @_lifetime(borrow self) get {
            CreateRecord(
                path: path.bytes.raw, data: data?.raw, acl: acl, isEphemeral: isEphemeral,
                parentCVersion: parentCVersion, ttlMilliseconds: ttlMilliseconds)
        }
    }
}

// MARK: - Reading

extension Txn {
    /// Reads the record that follows a header of this type.
    package init(type: OpCode, from reader: inout JuteReader) throws(WireError) {
        switch type {
        case .createSession: self = .createSession(timeoutMilliseconds: try reader.readInt())
        case .closeSession: self = .closeSession(ephemerals: try Self.readPaths(from: &reader))
        case .create, .create2, .createContainer, .createTTL:
            self = .create(CreateTxn(try CreateRecord(type, from: &reader)))
        case .delete, .deleteContainer: self = .delete(try reader.readPath())
        case .setData, .reconfig:
            let record = try SetDataRecord(from: &reader)
            self = .setData(
                path: Path(repairing: record.path),
                data: [UInt8](copying: record.data), version: record.version)
        case .setACL:
            let record = try SetACLRecord(from: &reader)
            self = .setACL(
                path: Path(repairing: record.path), acl: record.acl ?? [],
                version: record.version)
        case .check:
            let record = try VersionRecord(from: &reader)
            self = .check(path: Path(repairing: record.path), version: record.version)
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
        let parts = try TxnParts(from: &reader)
        var found: [Part] = []
        found.reserveCapacity(parts.list.count)
        for part in parts.list {
            var inner = JuteReader(reader.span(part.record))
            found.append(Part(type: part.type, txn: try Txn(type: part.type, from: &inner)))
        }
        return found
    }
}

extension CreateTxn {
    fileprivate init(_ record: borrowing CreateRecord) {
        path = Path(repairing: record.path)
        data = [UInt8](copying: record.data)
        acl = record.acl
        isEphemeral = record.isEphemeral
        parentCVersion = record.parentCVersion
        ttlMilliseconds = record.ttlMilliseconds
    }
}
