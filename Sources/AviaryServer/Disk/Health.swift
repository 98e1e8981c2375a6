/// Whether the log's disk does what it is told.
struct Health: Sendable {
    /// Since when the log thread waits for the disk, in monotonic milliseconds.
    var busySince: Int64?
    /// Writes do not become durable for now.
    private(set) var isStalled = false
    private var toldAt: Int64?
    /// Whether the operator is to be told of the last failure.
    private(set) var isToldNow = false

    private static let stalledMilliseconds: Int64 = 5000
    private static let tellAgainMilliseconds: Int64 = 10_000

    /// - Returns: whether the disk was in trouble before.
    mutating func succeeded() -> Bool {
        defer {
            busySince = nil
            isStalled = false
            toldAt = nil
        }
        return isStalled
    }

    /// - Returns: whether this is the first failure since it last went well.
    mutating func failed(at now: Int64) -> Bool {
        defer { isStalled = true }
        isToldNow = toldAt.map { now - $0 >= Self.tellAgainMilliseconds } ?? true
        if isToldNow { toldAt = now }
        return !isStalled
    }

    /// - Returns: for how long the disk has not answered, if that is news; in milliseconds.
    mutating func newlyStalled(at now: Int64) -> Int64? {
        guard !isStalled, let busySince, now - busySince > Self.stalledMilliseconds else {
            return nil
        }
        isStalled = true
        return now - busySince
    }
}
