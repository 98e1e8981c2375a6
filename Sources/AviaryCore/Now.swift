/// The time, as the driver tells it.
package struct Now: Hashable, Sendable {
    /// Never goes back; for timeouts.
    package var monotonicMilliseconds: Int64
    /// Since 1970; for `ctime` and `mtime`.
    package var wallMilliseconds: Int64

    package init(monotonicMilliseconds: Int64, wallMilliseconds: Int64) {
        self.monotonicMilliseconds = monotonicMilliseconds
        self.wallMilliseconds = wallMilliseconds
    }
}
