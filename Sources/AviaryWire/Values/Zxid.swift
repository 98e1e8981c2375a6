/// A transaction's number: the leader's epoch in the high 32 bits, a counter in the low 32.
public struct Zxid: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var rawValue: Int64

    public init(_ rawValue: Int64) {
        self.rawValue = rawValue
    }

    public static let zero = Zxid(0)

    public var epoch: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 32) }
    public var counter: UInt32 { UInt32(truncatingIfNeeded: rawValue) }
    public var next: Zxid { Zxid(rawValue &+ 1) }

    public static func < (left: Zxid, right: Zxid) -> Bool { left.rawValue < right.rawValue }

    public var description: String { "0x" + hexadecimal }

    /// As in file names: no prefix, no leading zeros.
    public var hexadecimal: String { String(UInt64(bitPattern: rawValue), radix: 16) }
}
