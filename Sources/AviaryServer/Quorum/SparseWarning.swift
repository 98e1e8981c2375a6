import Logging
import NIOCore

/// Keeps what anybody can cause from outside from filling the log: one warning a minute, the rest
/// for debugging.
struct SparseWarning {
    private var last: NIODeadline?
    private static let interval = TimeAmount.minutes(1)

    mutating func level(at now: NIODeadline = .now()) -> Logger.Level {
        if let last, now - last < Self.interval { return .debug }
        last = now
        return .warning
    }
}
