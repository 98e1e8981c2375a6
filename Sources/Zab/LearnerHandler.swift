import AviaryWire

/// A connection on the quorum port, as the driver numbers them; never used twice.
package struct LinkID: Hashable, Sendable, CustomStringConvertible {
    package let rawValue: UInt64

    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package var description: String { String(rawValue) }
}

/// How far a learner is, as its leader sees it.
///
/// Source: LearnerHandler, ZooKeeper 3.9.5.
struct LearnerHandler: Sendable {
    enum Phase: Comparable, Sendable {
        /// Left when the learner introduces itself.
        case connected
        /// Left when the new epoch is known and sent.
        case introduced
        /// Left when the learner has accepted the epoch.
        case invited
        /// Left when the leader may send its history, and has found it.
        case accepted
        /// The history is sent, and all that is proposed since. Left when the learner has it safe.
        case synchronizing
        /// Left when a quorum is that far.
        case synchronized
        /// Not left.
        case active
    }

    let link: LinkID
    var phase = Phase.connected
    var server = ServerID(-1)
    var isObserver = false
    /// Whether the learner accepted the epoch from this leader, not from another before.
    var hasAcceptedHere = false
    /// Where its log ended when it came.
    var lastZxid = Zxid.none
    /// Everything up to here is in its log.
    var acknowledged = Zxid.zero
    /// The oldest proposal that it is known to owe an answer for, and since when.
    var owed: (zxid: Zxid, since: Instant)?
    /// When it has been silent for too long.
    var deadline: Instant
    /// Whether it is brought up to date by a snapshot.
    var takesSnapshot = false
    /// Whether the log is being read for it.
    var isReadingLog = false

    init(link: LinkID, deadline: Instant) {
        self.link = link
        self.deadline = deadline
    }

    /// Whether it is sent what is proposed and committed.
    var isForwarded: Bool { phase >= .synchronizing }
}
