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
        let path = try reader.readPresentRange()
        let data = try reader.readRange()
        let acl = try ACL.readList(from: &reader)
        let flags = try reader.readInt()
        let ttl = code == .createTTL ? try reader.readLong() : nil
        self.path = reader.span(path)
        self.data = reader.span(data)
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
///
/// A path that is not UTF-8 stays as it is: with U+FFFD in its place, as Java's decoder has it, it would
/// be no path that a node can have, and so it is none as well.
package struct WriteBody: ~Escapable {
    package let code: OpCode
    package let reader: JuteReader
    /// How many operations a multi has.
    package let operationCount: Int

    @_lifetime(copy reader)
    package init(_ code: OpCode, _ reader: consuming JuteReader) throws(WireError) {
        var probe = copy reader
        var count = 0
        switch code {
        case .multi:
            var multi = MultiBody(probe)
            while let operation = try multi.next() {
                count += 1
                try Self.readOver(operation, &multi.reader)
            }
        case .create, .create2, .createContainer, .createTTL:
            _ = try CreateBody(code, from: &probe)
        case .delete: _ = try VersionRecord(from: &probe)
        case .setData: _ = try SetDataRecord(from: &probe)
        case .setACL: _ = try SetACLRecord(from: &probe)
        case .reconfig: _ = try ReconfigRequest(from: &probe)
        default: throw .unknownType(code.rawValue)
        }
        self.code = code
        self.reader = reader
        operationCount = count
    }

    /// An operation of a multi.
    private static func readOver(
        _ code: OpCode, _ reader: inout JuteReader
    ) throws(WireError) {
        switch code {
        case .create, .create2, .createContainer, .createTTL:
            try check(CreateBody(code, from: &reader).flags, code)
        case .delete, .check: _ = try VersionRecord(from: &reader)
        case .setData: _ = try SetDataRecord(from: &reader)
        default: throw .unknownType(code.rawValue)
        }
    }

    /// The flags must be known, and those with a time to live need an operation that carries one.
    static func check(_ flags: Int32, _ code: OpCode) throws(WireError) {
        guard let mode = CreateMode(rawValue: flags), !mode.isTTL || code == .createTTL else {
            throw .unknownType(flags)
        }
    }
}
