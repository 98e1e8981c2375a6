/// Why bytes could not be read as the record they should hold.
@usableFromInline package enum WireError: Error, Hashable, Sendable {
    /// The bytes end before the record does.
    case truncated
    /// A length or count is negative, or larger than the bytes or the limit allow.
    case lengthOutOfBounds(Int32)
    /// A field that must have a value is null.
    case unexpectedNull
    /// A type, mode or operation code that the record does not allow.
    case unknownType(Int32)
}
