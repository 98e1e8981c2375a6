/// A znode's path as its UTF-8 bytes: equal only where the bytes are.
public struct Path: Hashable, Comparable, Sendable, ExpressibleByStringInterpolation,
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

    public static let root: Path = "/"

    public var description: String { String(decoding: bytes, as: UTF8.self) }

    public static func < (left: Path, right: Path) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }

    /// How many bytes the parent's path takes, as a prefix of this one: 0 is the root. Nil if there
    /// is no slash.
    package var parentLength: Int? {
        bytes.lastIndex(of: UInt8(ascii: "/"))
    }

    /// Nil if there is no slash; the root is its own parent.
    public var parent: Path? {
        guard let length = parentLength else { return nil }
        return length == 0 ? .root : Path([UInt8](bytes[..<length]))
    }

    /// What follows the last slash.
    package var name: ArraySlice<UInt8> {
        bytes[((parentLength ?? -1) + 1)...]
    }

    /// What follows the last slash, as text.
    public var lastComponent: String { String(decoding: name, as: UTF8.self) }

    /// The name of the node below the root that this path leads through.
    package var topName: ArraySlice<UInt8> {
        bytes.dropFirst().prefix { $0 != UInt8(ascii: "/") }
    }

    package func child(_ name: some Collection<UInt8>) -> Path {
        var path = bytes
        if path != [UInt8(ascii: "/")] { path.append(UInt8(ascii: "/")) }
        path.append(contentsOf: name)
        return Path(path)
    }

    /// The path of a node below this one. The name is not checked.
    public func child(_ name: String) -> Path {
        child(name.utf8)
    }

    /// The path of a node below the parent. The name is not checked.
    public static func / (parent: Path, name: String) -> Path {
        parent.child(name.utf8)
    }

    package var containsNull: Bool { bytes.contains(0) }

    /// Whether this is a path that may be created.
    ///
    /// Source: PathUtils.validatePath, ZooKeeper 3.9.5.
    public var isValid: Bool {
        let slash = UInt8(ascii: "/")
        guard bytes.first == slash else { return false }
        if bytes.count == 1 { return true }
        let span = bytes.span
        var start = 1
        for end in 1..<span.count where span[end] == slash {
            if !Self.isComponent(span.extracting(start..<end)) { return false }
            start = end + 1
        }
        return Self.isComponent(span.extracting(start...)) && hasOnlyAllowedCharacters
    }

    private static func isComponent(_ bytes: Span<UInt8>) -> Bool {
        let dot = UInt8(ascii: ".")
        switch bytes.count {
        case 0: return false
        case 1: return bytes[0] != dot
        case 2: return bytes[0] != dot || bytes[1] != dot
        default: return true
        }
    }

    /// Refused are the UTF-16 units 0000–001f, 007f–009f, d800–f8ff and fff0–ffff.
    private var hasOnlyAllowedCharacters: Bool {
        if hasOnlyPrintableASCII { return true }
        var isASCII = true
        for byte in bytes {
            if byte < 0x20 || byte == 0x7f { return false }
            if byte >= 0x80 { isASCII = false }
        }
        if isASCII { return true }
        return String(decoding: bytes, as: UTF8.self).utf16.allSatisfy { unit in
            !(0x7f...0x9f).contains(unit) && !(0xd800...0xf8ff).contains(unit) && unit < 0xfff0
        }
    }

    /// Eight bytes at a time. May be wrong where it says no.
    private var hasOnlyPrintableASCII: Bool {
        let raw = bytes.raw
        let count = raw.byteCount
        if count < 8 { return false }
        var offset = 0
        while true {
            let word = unsafe raw.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
            if !Self.isPrintableASCII(word) { return false }
            if offset == count - 8 { return true }
            // The last eight may begin among those that were looked at.
            offset = min(offset + 8, count - 8)
        }
    }

    /// Subtracting borrows from the top bit of a byte that is too small.
    private static func isPrintableASCII(_ word: UInt64) -> Bool {
        let control = word &- 0x2020_2020_2020_2020
        let delete = (word ^ 0x7f7f_7f7f_7f7f_7f7f) &- 0x0101_0101_0101_0101
        return (word | control | delete) & 0x8080_8080_8080_8080 == 0
    }
}
