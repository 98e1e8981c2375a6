package import AviaryWire
package import Zab

/// What a step asks of the world: three lanes, each in order. One value is reused.
package struct StepEffects: ~Copyable, Sendable {
    package enum Disk: Sendable {
        case append(Proposal)
        /// The next entry opens a new file.
        case rollLog
        case writeSnapshot(TreeSnapshot)
    }

    package enum Notice: Hashable, Sendable {
        /// The tree is not what the transaction's author had after it.
        case digestMismatch(Zxid)
        /// A write passed a limit, whether or not it was refused for it.
        case quotaExceeded(QuotaExcess)
    }

    package var disk: [Disk] = []
    /// Connections with something in their outbox, or to be closed. Each is named once until its
    /// outbox is taken.
    package var clients: [ConnectionID] = []
    /// What an operator should know.
    package var notices: [Notice] = []

    package init() {}
}
