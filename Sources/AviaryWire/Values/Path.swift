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
        guard bytes.last != slash else { return false }
        // Of the component: its length so far, and whether it has nothing but dots.
        var length = 0
        var isDots = true
        for byte in bytes.dropFirst() {
            if byte != slash {
                length += 1
                isDots = isDots && byte == UInt8(ascii: ".")
            } else {
                if !Self.isComponent(length, isDots) { return false }
                length = 0
                isDots = true
            }
        }
        return Self.isComponent(length, isDots) && hasOnlyAllowedCharacters
    }

    private static func isComponent(_ length: Int, _ isDots: Bool) -> Bool {
        length > 2 || length > 0 && !isDots
    }

    /// Refused are the UTF-16 units 0000–001f, 007f–009f, d800–f8ff and fff0–ffff.
    private var hasOnlyAllowedCharacters: Bool {
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
}
