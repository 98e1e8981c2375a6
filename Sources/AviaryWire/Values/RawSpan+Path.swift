/// What a path's bytes say, wherever they are.
extension RawSpan {
    /// How many bytes the parent's path takes, as a prefix of this one: 0 is the root. Nil if there
    /// is no slash.
    package var parentLength: Int? { lastOffset(of: UInt8(ascii: "/")) }

    package var isRoot: Bool { byteCount == 1 && byte(at: 0) == UInt8(ascii: "/") }

    package var containsNull: Bool { lastOffset(of: 0) != nil }

    /// Whether this is a path that may be created.
    ///
    /// Source: PathUtils.validatePath, ZooKeeper 3.9.5.
    package var isValidPath: Bool {
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

    /// Whether nothing in it is malformed UTF-8.
    package var isText: Bool {
        hasOnlyPrintableASCII
            || String(validating: [UInt8](copying: self), as: UTF8.self) != nil
    }

    /// Eight bytes at a time. May be wrong where it says no.
    private var hasOnlyPrintableASCII: Bool {
        if byteCount < 8 {
            for offset in 0..<byteCount where !(0x20..<0x7f).contains(byte(at: offset)) {
                return false
            }
            return true
        }
        var offset = 0
        while true {
            let word = unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
            if !Self.isPrintableASCII(word) { return false }
            if offset == byteCount - 8 { return true }
            // The last eight may begin among those that were looked at.
            offset = Swift.min(offset + 8, byteCount - 8)
        }
    }

    /// Subtracting borrows from the top bit of a byte that is too small.
    private static func isPrintableASCII(_ word: UInt64) -> Bool {
        let control = word &- 0x2020_2020_2020_2020
        let delete = (word ^ 0x7f7f_7f7f_7f7f_7f7f) &- 0x0101_0101_0101_0101
        return (word | control | delete) & 0x8080_8080_8080_8080 == 0
    }

    private func lastOffset(of wanted: UInt8) -> Int? {
        var offset = byteCount
        while offset > 0 {
            offset -= 1
            if byte(at: offset) == wanted { return offset }
        }
        return nil
    }

    @inlinable
    package func byte(at offset: Int) -> UInt8 {
        unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }
}
