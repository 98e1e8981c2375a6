/// RFC 4648, section 4.
enum Base64Text {
    /// Nil if it is not base64 with its padding.
    static func decode(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count / 4 * 3)
        var word: UInt32 = 0
        var digitCount = 0
        var paddingCount = 0
        for byte in text.utf8 {
            if byte == UInt8(ascii: "=") {
                paddingCount += 1
                digitCount += 1
                word <<= 6
            } else {
                guard paddingCount == 0, let digit = digit(byte) else { return nil }
                word = word << 6 | UInt32(digit)
                digitCount += 1
            }
            if digitCount % 4 == 0 {
                if paddingCount > 2 { return nil }
                let group = [UInt8(word >> 16 & 0xff), UInt8(word >> 8 & 0xff), UInt8(word & 0xff)]
                bytes += group.dropLast(paddingCount)
                word = 0
            }
        }
        return digitCount % 4 == 0 && paddingCount <= 2 ? bytes : nil
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
