/// Where the operations of a multi are in its record.
package struct TxnParts: Sendable {
    package struct Part: Sendable {
        /// `.error` for what failed, and for what came after it.
        package let type: OpCode
        /// Of the reader's bytes.
        package let record: Range<Int>
    }

    package private(set) var list: [Part] = []
    /// Whether one of them is an error, so that none is applied.
    package private(set) var haveFailed = false

    /// Steps over the record. What is in the parts is not looked at.
    package init(from reader: inout JuteReader) throws(WireError) {
        let count = try reader.readCount(elementSize: 8) ?? 0
        list.reserveCapacity(count)
        for _ in 0..<count {
            let type = try reader.readInt()
            guard let code = OpCode(rawValue: type), code != .multi else {
                throw .unknownType(type)
            }
            if code == .error { haveFailed = true }
            list.append(Part(type: code, record: try reader.readPresentRange()))
        }
    }
}
