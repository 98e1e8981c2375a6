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

    /// From the wire, each malformed part replaced by U+FFFD.
    package init(repairing bytes: RawSpan) {
        self.bytes = ByteString(repairing: [UInt8](copying: bytes)).bytes
    }

    public static let root: Path = "/"

    public var description: String { String(decoding: bytes, as: UTF8.self) }

    public static func < (left: Path, right: Path) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }

    /// How many bytes the parent's path takes, as a prefix of this one: 0 is the root. Nil if there
    /// is no slash.
    package var parentLength: Int? { bytes.raw.parentLength }

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

    package var containsNull: Bool { bytes.raw.containsNull }

    /// Whether this is a path that may be created.
    ///
    /// Source: PathUtils.validatePath, ZooKeeper 3.9.5.
    public var isValid: Bool { bytes.raw.isValidPath }
}
