/// The operations of a multi's record, one after the other, where they stand.
package struct TxnParts: ~Escapable {
    package struct Part: ~Escapable {
        /// `.error` for what failed, and for what came after it.
        package let type: OpCode
        package var reader: JuteReader

        @_lifetime(copy reader)
        init(_ type: OpCode, _ reader: consuming JuteReader) {
            self.type = type
            self.reader = reader
        }
    }

    private var reader: JuteReader
    private var left: Int
    package let count: Int
    /// Whether one of them is an error, so that none is applied.
    package let haveFailed: Bool

    /// Steps over the record; that the types are known and the lengths right is looked at here.
    @_lifetime(copy reader)
    package init(from reader: inout JuteReader) throws(WireError) {
        let count = try reader.readCount(elementSize: 8) ?? 0
        self.reader = reader
        self.count = count
        left = count
        var haveFailed = false
        for _ in 0..<count {
            let type = try reader.readInt()
            guard let code = OpCode(rawValue: type), code != .multi else {
                throw .unknownType(type)
            }
            if code == .error { haveFailed = true }
            guard try reader.readRange() != nil else { throw .unexpectedNull }
        }
        self.haveFailed = haveFailed
    }

    /// Nil after the last.
    @_lifetime(copy self)
    package mutating func next() throws(WireError) -> Part? {
        if left == 0 { return nil }
        left -= 1
        let type = try reader.readInt()
        guard let code = OpCode(rawValue: type) else { throw .unknownType(type) }
        guard let range = try reader.readRange() else { throw .unexpectedNull }
        return Part(code, JuteReader(reader.span(range)))
    }
}
