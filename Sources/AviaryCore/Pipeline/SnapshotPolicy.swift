/// When a snapshot is due: after a random number of transactions between half of `snapCount` and
/// all of it, so that the servers of an ensemble do not all write theirs at once.
///
/// Deviation: not before there are as many transactions as nodes. Replaying a transaction costs about
/// what loading a node does, so a start takes at most twice as long, and a large tree is not written
/// over and over for a few changes.
/// Source: SyncRequestProcessor.shouldSnapshot, ZooKeeper 3.9.5.
struct SnapshotPolicy: Sendable {
    private let snapCount: Int
    private let sizeLimitBytes: Int
    private var random: SeededRandom
    private var transactions = 0
    private var bytes = 0
    private var threshold = 0
    private var sizeThreshold = 0
    private var isWriting = false

    init(settings: ServerSettings, seed: UInt64) {
        snapCount = max(2, settings.snapCount)
        sizeLimitBytes = settings.snapSizeLimitBytes
        random = SeededRandom(seed: seed)
        drawThresholds()
    }

    /// Counts an appended transaction.
    ///
    /// - Returns: whether the log is to be rolled and a snapshot to be written now.
    mutating func isDue(afterAppending byteCount: Int, nodes: Int) -> Bool {
        transactions += 1
        bytes += byteCount
        let isLong = transactions > threshold && transactions > nodes
        guard isLong || (sizeLimitBytes > 0 && bytes > sizeThreshold) else { return false }
        transactions = 0
        bytes = 0
        drawThresholds()
        return true
    }

    /// False if one is being written: then this one is left out.
    mutating func begin() -> Bool {
        if isWriting { return false }
        isWriting = true
        return true
    }

    mutating func ended() { isWriting = false }

    private mutating func drawThresholds() {
        threshold = snapCount / 2 + draw(below: snapCount / 2)
        sizeThreshold = sizeLimitBytes / 2 + draw(below: sizeLimitBytes / 2)
    }

    private mutating func draw(below limit: Int) -> Int {
        limit < 1 ? 0 : random.below(limit)
    }
}
