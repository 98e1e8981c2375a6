/// A string as ZooKeeper compares it: by its UTF-8 bytes, not by Unicode equivalence.
public struct ByteString: Hashable, Comparable, Sendable, ExpressibleByStringLiteral,
    CustomStringConvertible
{
    public let bytes: [UInt8]

    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    public init(stringLiteral value: String) {
        self.bytes = [UInt8](value.utf8)
    }

    public init(_ string: some StringProtocol) {
        self.bytes = [UInt8](string.utf8)
    }

    /// Bytes from the wire, each malformed part replaced by U+FFFD.
    package init(repairing bytes: [UInt8]) {
        if bytes.allSatisfy({ $0 < 0x80 }) || isValidUTF8(bytes) {
            self.bytes = bytes
        } else {
            self.bytes = [UInt8](String(decoding: bytes, as: UTF8.self).utf8)
        }
    }

    public var isEmpty: Bool { bytes.isEmpty }

    public var description: String { String(decoding: bytes, as: UTF8.self) }

    public static func < (left: ByteString, right: ByteString) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }
}

private func isValidUTF8(_ bytes: [UInt8]) -> Bool {
    String(validating: bytes, as: UTF8.self) != nil
}
