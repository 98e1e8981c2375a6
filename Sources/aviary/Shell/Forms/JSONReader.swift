/// Reads a line of JSON, as far as exports need it.
struct JSONReader {
    enum Value {
        case null
        case bool(Bool)
        /// As it is written.
        case number(String)
        case string(String)
        case array([Value])
        case object([String: Value])
    }

    /// What is nested deeper is refused, before it takes up the stack.
    private static let deepest = 16

    private var rest: ArraySlice<UInt8>

    /// The members of the one object that the line is; nil if it is none.
    static func object(_ line: ArraySlice<UInt8>) -> [String: Value]? {
        var reader = JSONReader(rest: line)
        guard case .object(let members)? = reader.value(depth: 0) else { return nil }
        reader.skipBlanks()
        return reader.rest.isEmpty ? members : nil
    }

    private mutating func skipBlanks() {
        rest = rest.drop { $0 == 0x20 || $0 == 0x09 || $0 == 0x0a || $0 == 0x0d }
    }

    private mutating func take(_ text: StaticString) -> Bool {
        let bytes = Array(text.description.utf8)
        guard rest.starts(with: bytes) else { return false }
        rest = rest.dropFirst(bytes.count)
        return true
    }

    private mutating func value(depth: Int) -> Value? {
        skipBlanks()
        guard depth < Self.deepest, let first = rest.first else { return nil }
        switch first {
        case UInt8(ascii: "{"): return members(depth: depth)
        case UInt8(ascii: "["): return elements(depth: depth)
        case UInt8(ascii: "\""): return string().map { .string($0) }
        case UInt8(ascii: "n"): return take("null") ? .null : nil
        case UInt8(ascii: "t"): return take("true") ? .bool(true) : nil
        case UInt8(ascii: "f"): return take("false") ? .bool(false) : nil
        default: return number()
        }
    }

    private mutating func number() -> Value? {
        let digits = rest.prefix { "0123456789+-.eE".utf8.contains($0) }
        rest = rest.dropFirst(digits.count)
        return digits.isEmpty ? nil : .number(String(decoding: digits, as: UTF8.self))
    }

    private mutating func elements(depth: Int) -> Value? {
        rest = rest.dropFirst()
        var elements: [Value] = []
        skipBlanks()
        if take("]") { return .array([]) }
        while let element = value(depth: depth + 1) {
            elements.append(element)
            skipBlanks()
            if take("]") { return .array(elements) }
            if !take(",") { return nil }
        }
        return nil
    }

    private mutating func members(depth: Int) -> Value? {
        rest = rest.dropFirst()
        var members: [String: Value] = [:]
        skipBlanks()
        if take("}") { return .object([:]) }
        while true {
            skipBlanks()
            guard let name = string() else { return nil }
            skipBlanks()
            guard take(":"), let value = value(depth: depth + 1) else { return nil }
            members[name] = value
            skipBlanks()
            if take("}") { return .object(members) }
            if !take(",") { return nil }
        }
    }

    private mutating func string() -> String? {
        guard take("\"") else { return nil }
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return String(validating: bytes, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard let escaped = escape() else { return nil }
                bytes += escaped
            case 0..<0x20: return nil
            default: bytes.append(byte)
            }
        }
        return nil
    }

    private mutating func escape() -> [UInt8]? {
        guard let letter = rest.popFirst() else { return nil }
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [letter]
        case UInt8(ascii: "n"): return [0x0a]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "r"): return [0x0d]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0c]
        case UInt8(ascii: "u"): return codePoint()
        default: return nil
        }
    }

    /// A pair of surrogates is one.
    private mutating func codePoint() -> [UInt8]? {
        guard let first = unit() else { return nil }
        var value = UInt32(first)
        if (0xd800..<0xdc00).contains(value) {
            guard take("\\u"), let second = unit(), (0xdc00..<0xe000).contains(second) else {
                return nil
            }
            value = 0x10000 + (value - 0xd800) << 10 + (UInt32(second) - 0xdc00)
        }
        return Unicode.Scalar(value).map { Array(String($0).utf8) }
    }

    private mutating func unit() -> UInt16? {
        let digits = rest.prefix(4)
        guard digits.count == 4 else { return nil }
        rest = rest.dropFirst(4)
        return UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
    }
}
