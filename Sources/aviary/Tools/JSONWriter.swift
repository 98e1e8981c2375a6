import AviaryServer
import AviaryWire

/// Writes one JSON value on one line.
///
/// 64-bit numbers that are ids stand as strings with 0x: many readers of JSON keep 53 bits only.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []
    private var needsComma = false

    mutating func beginObject(_ key: StaticString? = nil) {
        begin(key)
        bytes.append(UInt8(ascii: "{"))
        needsComma = false
    }

    mutating func endObject() {
        bytes.append(UInt8(ascii: "}"))
        needsComma = true
    }

    mutating func beginArray(_ key: StaticString? = nil) {
        begin(key)
        bytes.append(UInt8(ascii: "["))
        needsComma = false
    }

    mutating func endArray() {
        bytes.append(UInt8(ascii: "]"))
        needsComma = true
    }

    mutating func add(_ key: StaticString? = nil, _ text: String) {
        begin(key)
        addString(text)
    }

    /// A zxid, a session or a digest.
    mutating func add(_ key: StaticString? = nil, hexadecimal value: UInt64) {
        begin(key)
        addString("0x" + String(value, radix: 16))
    }

    mutating func add(_ key: StaticString? = nil, _ number: some BinaryInteger) {
        begin(key)
        bytes.append(contentsOf: String(number).utf8)
    }

    mutating func add(name: String, _ number: some BinaryInteger) {
        begin(nil)
        addString(name)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(contentsOf: String(number).utf8)
    }

    mutating func add(_ key: StaticString? = nil, _ value: Bool) {
        begin(key)
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
    }

    mutating func addNull(_ key: StaticString? = nil) {
        begin(key)
        bytes.append(contentsOf: "null".utf8)
    }

    mutating func add(_ key: StaticString? = nil, _ texts: [String]) {
        beginArray(key)
        for text in texts { add(nil, text) }
        endArray()
    }

    private mutating func begin(_ key: StaticString?) {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
        guard let key else { return }
        addString(key.description)
        bytes.append(UInt8(ascii: ":"))
    }

    private mutating func addString(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0..<0x20, 0x7f:
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(contentsOf: Hexadecimal.encode([byte]).bytes)
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
