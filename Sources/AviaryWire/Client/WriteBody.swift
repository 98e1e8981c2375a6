package import NIOCore

/// The body of a create, create2, createContainer or createTTL, where it stands in its frame.
package struct CreateBody: ~Escapable {
    package let path: RawSpan
    /// Nil is null.
    package let data: RawSpan?
    package let acl: [ACL]?
    package let flags: Int32
    /// Of a createTTL.
    package let ttlMilliseconds: Int64?

    @_lifetime(copy reader)
    package init(_ code: OpCode, from reader: inout JuteReader) throws(WireError) {
        let path = try reader.readRange()
        guard let path else { throw .unexpectedNull }
        let data = try reader.readRange()
        let acl = try ACL.readList(from: &reader)
        let flags = try reader.readInt()
        let ttl = code == .createTTL ? try reader.readLong() : nil
        self.path = reader.span(path)
        if let data { self.data = reader.span(data) } else { self.data = nil }
        self.acl = acl
        self.flags = flags
        self.ttlMilliseconds = ttl
    }
}

/// The operations of a multi, one after the other, where they stand in its frame.
package struct MultiBody: ~Escapable {
    /// Stands before the body of the operation that was given last.
    package var reader: JuteReader

    @_lifetime(copy reader)
    package init(_ reader: consuming JuteReader) {
        self.reader = reader
    }

    /// Nil after the last. Each body is to be read before the next is asked for.
    package mutating func next() throws(WireError) -> OpCode? {
        let header = try MultiHeader(from: &reader)
        if header.done { return nil }
        guard let code = OpCode(rawValue: header.type) else { throw .unknownType(header.type) }
        return code
    }

    /// The next of those that a `WriteBody` counted.
    package mutating func nextOfRead() -> OpCode {
        guard let code = try? next() else {
            preconditionFailure("an operation that was read over is there")
        }
        return code
    }
}

/// The body of a write, which was read over and has nothing wrong with it.
package struct WriteBody: ~Escapable {
    package let code: OpCode
    package let reader: JuteReader
    /// How many operations a multi has.
    package let operationCount: Int
    /// Whether all paths are UTF-8. Others are to be repaired.
    package let isText: Bool

    @_lifetime(copy reader)
    package init(_ code: OpCode, _ reader: consuming JuteReader) throws(WireError) {
        var probe = copy reader
        var isText = true
        var count = 0
        if code == .multi {
            var multi = MultiBody(probe)
            while let operation = try multi.next() {
                count += 1
                if try !Self.readOver(operation, &multi.reader) { isText = false }
            }
        } else if code == .reconfig {
            _ = try ReconfigRequest(from: &probe)
        } else if code == .setACL {
            isText = try SetACLRecord(from: &probe).path.isText
        } else {
            isText = try Self.readOver(code, &probe, inMulti: false)
        }
        self.code = code
        self.reader = reader
        self.operationCount = count
        self.isText = isText
    }

    /// What may stand by itself and in a multi.
    ///
    /// - Returns: whether the path is UTF-8.
    private static func readOver(
        _ code: OpCode, _ reader: inout JuteReader, inMulti: Bool = true
    ) throws(WireError) -> Bool {
        switch code {
        case .create, .create2, .createContainer, .createTTL:
            let body = try CreateBody(code, from: &reader)
            if inMulti { try check(body.flags, code) }
            return body.path.isText
        case .delete: return try VersionRecord(from: &reader).path.isText
        case .check where inMulti: return try VersionRecord(from: &reader).path.isText
        case .setData: return try SetDataRecord(from: &reader).path.isText
        default: throw .unknownType(code.rawValue)
        }
    }

    /// The flags must be known, and those with a time to live need an operation that carries one.
    static func check(_ flags: Int32, _ code: OpCode) throws(WireError) {
        guard let mode = CreateMode(rawValue: flags), !mode.isTTL || code == .createTTL else {
            throw .unknownType(flags)
        }
    }

    /// The same with each malformed part of its paths replaced by U+FFFD, as Java's decoder does.
    package func repaired() throws(WireError) -> ByteBuffer {
        var reader = self.reader
        var buffer = ByteBuffer()
        switch code {
        case .create, .create2, .createContainer:
            try CreateRequest(from: &reader).write(to: &buffer)
        case .createTTL: try CreateRequest(withTTLFrom: &reader).write(to: &buffer)
        case .delete: try VersionRequest(from: &reader).write(to: &buffer)
        case .setData: try SetDataRequest(from: &reader).write(to: &buffer)
        case .setACL: try SetACLRequest(from: &reader).write(to: &buffer)
        case .multi: try MultiRequest(from: &reader).write(to: &buffer)
        default: throw .unknownType(code.rawValue)
        }
        return buffer
    }
}
