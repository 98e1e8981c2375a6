/// The text of DIGEST-MD5's tokens: names and values, which may be quoted, with commas between them.
///
/// Source: RFC 2831, section 7.1.
package enum SASLDirectives {
    /// Nil if they cannot be read, or one stands there twice. Names are in lower case.
    package static func read(_ token: [UInt8]) -> [String: [UInt8]]? {
        var values: [String: [UInt8]] = [:]
        var rest = token[...]
        while true {
            rest = rest.drop { isBlank($0) || $0 == UInt8(ascii: ",") }
            if rest.isEmpty { return values }
            guard let equals = rest.firstIndex(of: UInt8(ascii: "=")) else { return nil }
            let name = String(decoding: rest[..<equals], as: UTF8.self).lowercased()
            rest = rest[(equals + 1)...]
            guard let value = takeValue(&rest), values.updateValue(value, forKey: name) == nil
            else { return nil }
        }
    }

    /// - Returns: nil if the value is quoted and the quotes are not closed.
    private static func takeValue(_ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
        guard rest.first == UInt8(ascii: "\"") else {
            let value = rest.prefix { $0 != UInt8(ascii: ",") && !isBlank($0) }
            rest = rest.dropFirst(value.count)
            return Array(value)
        }
        rest.removeFirst()
        var value: [UInt8] = []
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return value
            case UInt8(ascii: "\\"):
                guard let escaped = rest.popFirst() else { return nil }
                value.append(escaped)
            default: value.append(byte)
            }
        }
        return nil
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0D).contains(byte)
    }
}
