import AviaryCore

/// What the log and the snapshots took since the start or the last `srst`; times in milliseconds.
struct DiskStatistics: Sendable {
    var syncTimes = Summary()
    /// Transactions of one sync.
    var batchSizes = Summary()
    var snapshotTimes = Summary()
    var snapshotErrors = 0
    var transactionsLoaded = Summary()
    var recoveryTime = Summary()
}
