/// A rule that was broken, and how.
package struct Violation: Hashable, Sendable {
    /// The invariants of ZooKeeper's `Zab.tla` by their names, and what clients are promised.
    package enum Invariant: String, Hashable, Sendable {
        // Source: Zab.tla of ZooKeeper's zookeeper-specifications.
        /// Of those that lead and are established, no two are of one epoch.
        case leadership1 = "Leadership1"
        /// An epoch has one leader at most, in all time.
        case leadership2 = "Leadership2"
        /// Of what two servers delivered, one is a beginning of the other.
        case prefixConsistency = "PrefixConsistency"
        /// Only what was proposed is delivered, and one thing under each zxid.
        case integrity = "Integrity"
        /// What two servers deliver at one place is the same.
        case agreement = "Agreement"
        /// Nothing is left out between two deliveries.
        case totalOrder = "TotalOrder"
        /// What one leader proposes is delivered in the order of its proposals.
        case localPrimaryOrder = "LocalPrimaryOrder"
        /// What is of an earlier epoch is delivered before what is of a later one.
        case globalPrimaryOrder = "GlobalPrimaryOrder"
        /// A leader has delivered all of earlier epochs before it proposes.
        case primaryIntegrity = "PrimaryIntegrity"

        // Disks and trees.
        case committedIsDurable = "CommittedIsDurable"
        case durableIsKept = "DurableIsKept"
        case recovery = "Recovery"
        case equalDigests = "EqualDigests"
        case treeIsHistory = "TreeIsHistory"
        case codec = "Codec"

        // Clients.
        case writesLinearizable = "WritesLinearizable"
        case writtenOnce = "WrittenOnce"
        case sessionOrder = "SessionOrder"
        case zxidsRise = "ZxidsRise"
        case readsHistory = "ReadsHistory"
        case syncSeesCommitted = "SyncSeesCommitted"
        case watchBeforeValue = "WatchBeforeValue"
        case watchWasSet = "WatchWasSet"
        case ephemeralsLiveWithSession = "EphemeralsLiveWithSession"
        case sequenceNumbersAreNew = "SequenceNumbersAreNew"
        case expiredOnlyIfSilent = "ExpiredOnlyIfSilent"
        case readOnlyChangesNothing = "ReadOnlyChangesNothing"
        case refusedOnlyIfEnded = "RefusedOnlyIfEnded"

        case liveness = "Liveness"
    }

    package let invariant: Invariant
    package let detail: String
    /// When, in simulated microseconds.
    package let time: Int64
}
