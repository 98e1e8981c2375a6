/// What a path's bytes say, wherever they are.
extension RawSpan {
    /// How many bytes the parent's path takes, as a prefix of this one: 0 is the root. Nil if there
    /// is no slash.
    package var parentLength: Int? { lastOffset(of: UInt8(ascii: "/")) }

    package var isRoot: Bool { byteCount == 1 && byte(at: 0) == UInt8(ascii: "/") }

    package var containsNull: Bool { !hasOnlyPrintableASCII && lastOffset(of: 0) != nil }

    /// Whether this is a path that may be created.
    ///
    /// Source: PathUtils.validatePath, ZooKeeper 3.9.5.
    package var isValidPath: Bool {
        if isPlainPath { return true }
        guard byteCount > 0, byte(at: 0) == UInt8(ascii: "/") else { return false }
        if byteCount == 1 { return true }
        var start = 1
        for end in 1..<byteCount where byte(at: end) == UInt8(ascii: "/") {
            if !isComponent(start, end) { return false }
            start = end + 1
        }
        return isComponent(start, byteCount) && hasOnlyAllowedCharacters
    }

    private func isComponent(_ start: Int, _ end: Int) -> Bool {
        let dot = UInt8(ascii: ".")
        switch end - start {
        case 0: return false
        case 1: return byte(at: start) != dot
        case 2: return byte(at: start) != dot || byte(at: start + 1) != dot
        default: return true
        }
    }

    /// Refused are the UTF-16 units 0000–001f, 007f–009f, d800–f8ff and fff0–ffff.
    private var hasOnlyAllowedCharacters: Bool {
        if hasOnlyPrintableASCII { return true }
        var isASCII = true
        for offset in 0..<byteCount {
            let byte = byte(at: offset)
            if byte < 0x20 || byte == 0x7f { return false }
            if byte >= 0x80 { isASCII = false }
        }
        if isASCII { return true }
        return String(decoding: [UInt8](copying: self), as: UTF8.self).utf16.allSatisfy { unit in
            !(0x7f...0x9f).contains(unit) && !(0xd800...0xf8ff).contains(unit) && unit < 0xfff0
        }
    }

    /// Whether this is a valid path of printable ASCII without a name that begins with a dot.
    private var isPlainPath: Bool {
        let slash = UInt8(ascii: "/")
        guard byteCount > 8, byte(at: 0) == slash, byte(at: byteCount - 1) != slash else {
            return false
        }
        var offset = 0
        while true {
            let bytes = word(at: offset)
            let following = word(at: offset + 1)
            let isBad =
                Self.places(of: slash, in: bytes)
                & (Self.places(of: slash, in: following)
                    | Self.places(of: UInt8(ascii: "."), in: following))
            if isBad != 0 || !Self.isPrintableASCII(bytes) { return false }
            if offset == byteCount - 9 { return Self.isPrintableASCII(following) }
            // The last nine may begin among those that were looked at.
            offset = Swift.min(offset + 8, byteCount - 9)
        }
    }

    /// May be wrong where it says no.
    private var hasOnlyPrintableASCII: Bool {
        if byteCount < 8 {
            for offset in 0..<byteCount where !(0x20..<0x7f).contains(byte(at: offset)) {
                return false
            }
            return true
        }
        var offset = 0
        while true {
            if !Self.isPrintableASCII(word(at: offset)) { return false }
            if offset == byteCount - 8 { return true }
            offset = Swift.min(offset + 8, byteCount - 8)
        }
    }

    private func lastOffset(of wanted: UInt8) -> Int? {
        var end = byteCount
        while end >= 8 {
            let places = Self.places(of: wanted, in: word(at: end - 8))
            if places != 0 { return end - 1 - places.leadingZeroBitCount / 8 }
            end -= 8
        }
        while end > 0 {
            end -= 1
            if byte(at: end) == wanted { return end }
        }
        return nil
    }

    // MARK: Eight bytes at a time

    /// The first in the lowest bits.
    private func word(at offset: Int) -> UInt64 {
        UInt64(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// The top bit of each byte that is the wanted one.
    private static func places(of wanted: UInt8, in word: UInt64) -> UInt64 {
        let difference = word ^ UInt64(wanted) &* 0x0101_0101_0101_0101
        let low: UInt64 = 0x7f7f_7f7f_7f7f_7f7f
        return ~(((difference & low) &+ low) | difference | low)
    }

    /// Subtracting borrows from the top bit of a byte that is too small. May be wrong where it says no.
    private static func isPrintableASCII(_ word: UInt64) -> Bool {
        let control = word &- 0x2020_2020_2020_2020
        let delete = (word ^ 0x7f7f_7f7f_7f7f_7f7f) &- 0x0101_0101_0101_0101
        return (word | control | delete) & 0x8080_8080_8080_8080 == 0
    }

    @inlinable
    package func byte(at offset: Int) -> UInt8 {
        unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }
}
