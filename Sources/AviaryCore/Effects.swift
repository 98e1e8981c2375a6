package import Zab

/// What a step asks of the world: two lanes, each in order. One value is reused.
package struct StepEffects: ~Copyable, Sendable {
    package enum Disk: Sendable {
        case append(Proposal)
        /// The next entry opens a new file.
        case rollLog
        case writeSnapshot(TreeSnapshot)
    }

    package var disk: [Disk] = []
    /// Connections with something in their outbox, or to be closed. Each is named once until its
    /// outbox is taken.
    package var clients: [ConnectionID] = []

    package init() {}
}
