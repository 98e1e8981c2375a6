package import NIOCore

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
    /// About what the record takes; at least that much unless it is very small. O(parts and entries).
    package var approximateByteCount: Int {
        let numbers = 64
        switch self {
        case .createSession, .error: return numbers
        case .closeSession(let paths):
            return (paths ?? []).reduce(numbers) { $0 + $1.bytes.count + 4 }
        case .create(let create):
            let data = create.data?.count ?? 0
            return numbers + create.path.bytes.count + data + Self.byteCount(create.acl)
        case .delete(let path), .check(let path, _): return numbers + path.bytes.count
        case .setData(let path, let data, _):
            return numbers + path.bytes.count + (data?.count ?? 0)
        case .setACL(let path, let acl, _):
            return numbers + path.bytes.count + Self.byteCount(acl)
        case .multi(let parts):
            return parts.reduce(numbers) { $0 + $1.txn.approximateByteCount }
        }
    }

    private static func byteCount(_ acl: [ACL]) -> Int { acl.reduce(0) { $0 + $1.byteCount } }

    /// The record that follows a header of this type.
    package func write(type: OpCode, to buffer: inout ByteBuffer) {
        switch self {
        case .createSession(let timeout): buffer.writeInteger(timeout)
        case .closeSession(let paths): buffer.writeVector(paths ?? []) { $0.writeJute($1) }
        case .create(let create): create.write(type: type, to: &buffer)
        case .delete(let path): buffer.writeJute(path)
        case .setData(let path, let data, let version):
            let byteCount = 12 + path.bytes.count + (data?.count ?? 0)
            buffer.writeFields(byteCount: byteCount) { fields in
                fields.write(path.bytes)
                fields.write(data)
                fields.write(version)
            }
        case .setACL(let path, let acl, let version):
            buffer.writeJute(path)
            ACL.writeList(acl, to: &buffer)
            buffer.writeInteger(version)
        case .check(let path, let version):
            buffer.writeJute(path)
            buffer.writeInteger(version)
        case .multi(let parts):
            buffer.writeVector(parts) { buffer, part in
                // Apache 3.8 passes over a create2 here when it reads its log; it writes a create.
                let type: OpCode = part.type == .create2 ? .create : part.type
                buffer.writeInteger(type.rawValue)
                let start = buffer.beginFrame()
                part.txn.write(type: part.type, to: &buffer)
                buffer.endFrame(start)
            }
        case .error(let code): buffer.writeInteger(code)
        }
    }
}

extension CreateTxn {
    fileprivate func write(type: OpCode, to buffer: inout ByteBuffer) {
        buffer.writeFields(byteCount: 8 + path.bytes.count + (data?.count ?? 0)) { fields in
            fields.write(path.bytes)
            fields.write(data)
        }
        ACL.writeList(acl, to: &buffer)
        if type == .create || type == .create2 { buffer.writeBool(isEphemeral) }
        buffer.writeInteger(parentCVersion ?? -1)
        if type == .createTTL { buffer.writeInteger(ttlMilliseconds) }
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
        let hasFlag = type == .create || type == .create2
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
