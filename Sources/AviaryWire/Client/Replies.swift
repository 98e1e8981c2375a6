// What a client reads of replies that a server writes in place, without a record value.

/// The reply of getData, and of reconfig.
package struct DataReply: Hashable, Sendable {
    package var data: [UInt8]?
    package var stat: Stat

    package init(from reader: inout JuteReader) throws(WireError) {
        data = try reader.readBuffer()
        stat = try Stat(from: &reader)
    }
}

/// The reply of create2, createContainer and createTTL.
package struct CreateReply: Hashable, Sendable {
    package var path: Path
    package var stat: Stat

    package init(from reader: inout JuteReader) throws(WireError) {
        path = try reader.readPath()
        stat = try Stat(from: &reader)
    }
}

extension JuteReader {
    /// A vector of strings, as getChildren and getEphemerals answer; a null one is empty.
    package mutating func readStrings() throws(WireError) -> [ByteString] {
        let count = try readCount(elementSize: 4) ?? 0
        var strings: [ByteString] = []
        strings.reserveCapacity(count)
        for _ in 0..<count {
            guard let string = try readString() else { throw .unexpectedNull }
            strings.append(string)
        }
        return strings
    }

    /// The reply of whoAmI: schemes and users.
    package mutating func readIdentities() throws(WireError) -> [Identity] {
        let count = try readCount(elementSize: 8) ?? 0
        var identities: [Identity] = []
        identities.reserveCapacity(count)
        for _ in 0..<count {
            let scheme = try readString() ?? ""
            identities.append(Identity(scheme: scheme, id: try readString() ?? ""))
        }
        return identities
    }
}

/// One result of a multi or multiRead.
package enum MultiReply: Hashable, Sendable {
    case created(Path, Stat?)
    case deleted
    case checked
    case dataSet(Stat)
    case data(DataReply)
    case children([ByteString])
    /// A `ZooKeeperError`'s raw value; 0 for what stands before the operation that failed.
    case error(Int32)

    /// All results of a reply.
    package static func readList(from reader: inout JuteReader) throws(WireError) -> [MultiReply] {
        var results: [MultiReply] = []
        while true {
            let header = try MultiHeader(from: &reader)
            if header.done { return results }
            results.append(try MultiReply(type: header.type, from: &reader))
        }
    }

    private init(type: Int32, from reader: inout JuteReader) throws(WireError) {
        guard let code = OpCode(rawValue: type) else { throw .unknownType(type) }
        switch code {
        case .create: self = .created(try reader.readPath(), nil)
        case .create2, .createContainer, .createTTL:
            let reply = try CreateReply(from: &reader)
            self = .created(reply.path, reply.stat)
        case .delete: self = .deleted
        case .check: self = .checked
        case .setData: self = .dataSet(try Stat(from: &reader))
        case .getData: self = .data(try DataReply(from: &reader))
        case .getChildren: self = .children(try reader.readStrings())
        case .error: self = .error(try reader.readInt())
        default: throw .unknownType(type)
        }
    }
}
