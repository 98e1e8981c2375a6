/// Mistakes that the simulation makes on purpose, in what it does for a server: its checkers must
/// find each of them. Most are known from ZooKeeper's history.
package enum Sabotage: String, Hashable, Sendable, CaseIterable {
    case acknowledgesEarly = "acknowledges-early"
    /// ZOOKEEPER-3911, 4646 and 4785.
    case acknowledgesHistoryEarly = "acknowledges-history-early"
    /// ZOOKEEPER-4882.
    case ignoresWriteErrors = "ignores-write-errors"
    case commitsOutOfOrder = "commits-out-of-order"
    /// H.1 in the specification, of the family of ZOOKEEPER-1549.
    case keepsSnapshots = "keeps-snapshots"
    /// ZOOKEEPER-3642 and 2872.
    case installsInMemory = "installs-in-memory"
    /// ZOOKEEPER-2846.
    case keepsOldLog = "keeps-old-log"
    /// ZOOKEEPER-2307 and 1653.
    case losesEpochs = "loses-epochs"
    /// H.9 in the specification.
    case proposesForeignRequests = "proposes-foreign-requests"
    /// ZOOKEEPER-4925.
    case skipsHistory = "skips-history"
    /// ZOOKEEPER-4306.
    case listsAllEphemerals = "lists-all-ephemerals"
    /// ZOOKEEPER-1277.
    case overflowsEpochs = "overflows-epochs"
    case refusesEarly = "refuses-early"

    package var explanation: String {
        switch self {
        case .acknowledgesEarly: "a disk says that an entry is safe before it is"
        case .acknowledgesHistoryEarly: "the same, but only for what a leader brings a learner to"
        case .ignoresWriteErrors: "a disk says that an entry is safe though writing it failed"
        case .commitsOutOfOrder: "a follower applies two transactions in the wrong order"
        case .keepsSnapshots:
            "a truncation leaves snapshots of what it removes, and a start writes one"
        case .installsInMemory: "a leader's snapshot is used and not written to disk"
        case .keepsOldLog: "a leader's snapshot leaves the log of before in its place"
        case .losesEpochs: "epochs are said to be safe and not written"
        case .proposesForeignRequests:
            "a leader makes a transaction of a check that a learner hands on"
        case .skipsHistory: "a leader leaves a transaction out of the history that it sends"
        case .listsAllEphemerals:
            "the end of a session lists all its ephemerals, longer than a server reads"
        case .overflowsEpochs: "a leader out of zxids goes on with those of the next epoch"
        case .refusesEarly: "a leader ends a session for its client before a quorum has"
        }
    }
}
