/// A member's number in its ensemble (`myid`).
package struct ServerID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: Int64

    package init(_ rawValue: Int64) {
        self.rawValue = rawValue
    }

    package static func < (left: ServerID, right: ServerID) -> Bool {
        left.rawValue < right.rawValue
    }

    package var description: String { String(rawValue) }
}
