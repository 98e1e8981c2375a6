/// A string as ZooKeeper compares it: by its UTF-8 bytes, not by Unicode equivalence.
package struct ByteString: Hashable, Comparable, Sendable, ExpressibleByStringLiteral,
    CustomStringConvertible
{
    package let bytes: [UInt8]

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    package init(stringLiteral value: String) {
        self.bytes = [UInt8](value.utf8)
    }

    package init(_ string: some StringProtocol) {
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

    package var isEmpty: Bool { bytes.isEmpty }

    package var description: String { String(decoding: bytes, as: UTF8.self) }

    package static func < (left: ByteString, right: ByteString) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }
}

private func isValidUTF8(_ bytes: [UInt8]) -> Bool {
    String(validating: bytes, as: UTF8.self) != nil
}
