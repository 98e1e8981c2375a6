package import NIOCore

/// Stands before each operation of a multi and each of its results, and ends both lists.
package struct MultiHeader: WireRecord, Hashable {
    package var type: Int32
    package var done: Bool
    package var error: Int32

    package init(type: Int32, done: Bool, error: Int32) {
        self.type = type
        self.done = done
        self.error = error
    }

    package static let end = MultiHeader(type: -1, done: true, error: -1)

    package init(from reader: inout JuteReader) throws(WireError) {
        type = try reader.readInt()
        done = try reader.readBool()
        error = try reader.readInt()
    }

    package static let byteCount = 9

    package func write(to buffer: inout ByteBuffer) {
        buffer.writeFields(byteCount: Self.byteCount) { write(to: &$0) }
    }

    package func write(to fields: inout JuteFields) {
        fields.write(type)
        fields.write(done)
        fields.write(error)
    }
}

/// The operations of a multi, all decoded before any is looked at.
package struct MultiRequest: WireRecord, Hashable {
    package enum Operation: Hashable, Sendable {
        /// The op code is create, create2, createContainer or createTTL.
        case create(OpCode, CreateRequest)
        case delete(VersionRequest)
        case setData(SetDataRequest)
        case check(VersionRequest)
        /// Only in a multiRead, as is `getChildren`; no watch is set there, whatever is asked.
        case getData(Path, watch: Bool)
        case getChildren(Path, watch: Bool)

        package var opCode: OpCode {
            switch self {
            case .create(let code, _): code
            case .delete: .delete
            case .setData: .setData
            case .check: .check
            case .getData: .getData
            case .getChildren: .getChildren
            }
        }

        package var isRead: Bool {
            switch self {
            case .getData, .getChildren: true
            case .create, .delete, .setData, .check: false
            }
        }
    }

    package var operations: [Operation]

    package init(operations: [Operation]) {
        self.operations = operations
    }

    /// - Throws: also for a list that mixes reads and writes, and for one with no end.
    package init(from reader: inout JuteReader) throws(WireError) {
        operations = []
        while true {
            let header = try MultiHeader(from: &reader)
            if header.done { return }
            let operation = try Self.readOperation(type: header.type, from: &reader)
            if let first = operations.first, first.isRead != operation.isRead {
                throw .unknownType(header.type)
            }
            operations.append(operation)
        }
    }

    private static func readOperation(
        type: Int32, from reader: inout JuteReader
    ) throws(WireError) -> Operation {
        guard let code = OpCode(rawValue: type) else { throw .unknownType(type) }
        switch code {
        case .create, .create2, .createContainer:
            return .create(code, try checked(try CreateRequest(from: &reader), code))
        case .createTTL:
            return .create(code, try checked(try CreateRequest(withTTLFrom: &reader), code))
        case .delete: return .delete(try VersionRequest(from: &reader))
        case .setData: return .setData(try SetDataRequest(from: &reader))
        case .check: return .check(try VersionRequest(from: &reader))
        case .getData: return .getData(try reader.readPath(), watch: try reader.readBool())
        case .getChildren:
            return .getChildren(try reader.readPath(), watch: try reader.readBool())
        default: throw .unknownType(type)
        }
    }

    private static func checked(
        _ request: CreateRequest, _ code: OpCode
    ) throws(WireError) -> CreateRequest {
        try WriteBody.check(request.flags, code)
        return request
    }

    package func write(to buffer: inout ByteBuffer) {
        for operation in operations {
            MultiHeader(type: operation.opCode.rawValue, done: false, error: -1).write(to: &buffer)
            switch operation {
            case .create(_, let request): request.write(to: &buffer)
            case .delete(let request), .check(let request): request.write(to: &buffer)
            case .setData(let request): request.write(to: &buffer)
            case .getData(let path, let watch), .getChildren(let path, let watch):
                buffer.writeJute(path)
                buffer.writeBool(watch)
            }
        }
        MultiHeader.end.write(to: &buffer)
    }
}
