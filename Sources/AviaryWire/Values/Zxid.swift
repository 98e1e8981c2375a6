/// A transaction's number: the leader's epoch in the high 32 bits, a counter in the low 32.
package struct Zxid: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var rawValue: Int64

    package init(_ rawValue: Int64) {
        self.rawValue = rawValue
    }

    package static let zero = Zxid(0)

    package var epoch: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 32) }
    package var counter: UInt32 { UInt32(truncatingIfNeeded: rawValue) }
    package var next: Zxid { Zxid(rawValue &+ 1) }

    package static func < (left: Zxid, right: Zxid) -> Bool { left.rawValue < right.rawValue }

    package var description: String { "0x" + hexadecimal }

    /// As in file names: no prefix, no leading zeros.
    package var hexadecimal: String { String(UInt64(bitPattern: rawValue), radix: 16) }
}
