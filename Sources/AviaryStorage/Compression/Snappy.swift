/// Snappy's block format: literals, and copies of what came before.
///
/// Source: google/snappy, format_description.txt.
enum Snappy {
    enum Damage: Error {
        case invalid
    }

    /// - Parameter limit: the most bytes that a block may hold; nothing is allocated for more.
    static func decompress(_ block: RawSpan, limit: Int) throws(Damage) -> [UInt8] {
        var reader = BlockReader(block)
        let count = try reader.varint()
        guard count <= limit else { throw .invalid }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while reader.remaining > 0 {
            let tag = Int(try reader.byte())
            switch tag & 3 {
            case 0:
                let length = try reader.literalLength(tag) + 1
                guard length <= reader.remaining, bytes.count + length <= count else {
                    throw .invalid
                }
                reader.appendLiteral(length, to: &bytes)
            case 1:
                let offset = (tag & 0xe0) << 3 | Int(try reader.byte())
                try copy((tag >> 2 & 7) + 4, from: offset, in: &bytes, upTo: count)
            case 2: try copy((tag >> 2) + 1, from: try reader.integer(2), in: &bytes, upTo: count)
            default: try copy((tag >> 2) + 1, from: try reader.integer(4), in: &bytes, upTo: count)
            }
        }
        guard bytes.count == count else { throw .invalid }
        return bytes
    }

    private static func copy(
        _ length: Int, from offset: Int, in bytes: inout [UInt8], upTo count: Int
    ) throws(Damage) {
        guard offset > 0, offset <= bytes.count, bytes.count + length <= count else {
            throw .invalid
        }
        // What is copied may overlap with what is made.
        let start = bytes.count - offset
        for index in start..<start + length { bytes.append(bytes[index]) }
    }

    // MARK: Compressing

    /// - Parameter block: at most 64 KiB, so that every offset takes two bytes.
    static func compress(_ block: ArraySlice<UInt8>) -> [UInt8] {
        precondition(block.count <= 1 << 16, "an offset within a block takes two bytes")
        var output = varint(block.count)
        var table = [Int](repeating: -1, count: 1 << hashBits)
        var literalStart = block.startIndex
        var position = block.startIndex
        while position + minimumMatch <= block.endIndex {
            let hash = hash(block, position)
            let candidate = table[hash]
            table[hash] = position
            guard candidate >= 0, matches(block, candidate, position) else {
                position += 1
                continue
            }
            var length = minimumMatch
            while position + length < block.endIndex
                && block[candidate + length] == block[position + length]
            {
                length += 1
            }
            appendLiteral(block[literalStart..<position], to: &output)
            appendCopy(length, offset: position - candidate, to: &output)
            position += length
            literalStart = position
        }
        appendLiteral(block[literalStart...], to: &output)
        return output
    }

    private static let hashBits = 12
    private static let minimumMatch = 4

    private static func matches(_ block: ArraySlice<UInt8>, _ one: Int, _ other: Int) -> Bool {
        (0..<minimumMatch).allSatisfy { block[one + $0] == block[other + $0] }
    }

    private static func hash(_ block: ArraySlice<UInt8>, _ position: Int) -> Int {
        let word = (0..<minimumMatch).reduce(UInt32(0)) { $0 << 8 | UInt32(block[position + $1]) }
        return Int((word &* 0x1e35_a7bd) >> UInt32(32 - hashBits))
    }

    private static func appendLiteral(_ literal: ArraySlice<UInt8>, to output: inout [UInt8]) {
        if literal.isEmpty { return }
        let length = literal.count - 1
        switch length {
        case ..<60: output.append(UInt8(length << 2))
        case ..<256: output += [60 << 2, UInt8(length)]
        default: output += [61 << 2, UInt8(length & 0xff), UInt8(length >> 8)]
        }
        output += literal
    }

    private static func appendCopy(_ length: Int, offset: Int, to output: inout [UInt8]) {
        var left = length
        while left > 0 {
            let part = min(left, 64)
            output += [UInt8(part - 1) << 2 | 2, UInt8(offset & 0xff), UInt8(offset >> 8)]
            left -= part
        }
    }

    private static func varint(_ value: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
}

/// A place in a compressed block.
private struct BlockReader: ~Escapable {
    private let bytes: RawSpan
    private var position = 0

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) {
        self.bytes = bytes
    }

    var remaining: Int { bytes.byteCount - position }

    mutating func byte() throws(Snappy.Damage) -> UInt8 {
        guard remaining > 0 else { throw .invalid }
        defer { position += 1 }
        return unsafe bytes.unsafeLoad(fromByteOffset: position, as: UInt8.self)
    }

    /// Little-endian.
    mutating func integer(_ byteCount: Int) throws(Snappy.Damage) -> Int {
        var value = 0
        for index in 0..<byteCount { value |= Int(try byte()) << (8 * index) }
        return value
    }

    mutating func varint() throws(Snappy.Damage) -> Int {
        var value = 0
        for shift in stride(from: 0, to: 35, by: 7) {
            let next = Int(try byte())
            value |= (next & 0x7f) << shift
            if next < 0x80 { return value }
        }
        throw .invalid
    }

    /// One less than the length, as the format has it.
    mutating func literalLength(_ tag: Int) throws(Snappy.Damage) -> Int {
        let short = tag >> 2
        return short < 60 ? short : try integer(short - 59)
    }

    mutating func appendLiteral(_ length: Int, to output: inout [UInt8]) {
        let literal = bytes.extracting(position..<position + length)
        unsafe literal.withUnsafeBytes { unsafe output.append(contentsOf: $0) }
        position += length
    }
}
