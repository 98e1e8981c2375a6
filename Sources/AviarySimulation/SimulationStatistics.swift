/// How often a run came to what it is meant to come to: a rule that nothing tries is not tested.
package struct SimulationStatistics: Hashable, Sendable {
    package enum Count: Int, CaseIterable, Sendable {
        case happenings
        case simulatedMilliseconds

        // The protocol.
        case commits
        /// Leaders that came to serve.
        case epochs
        /// Leaders that stopped for want of zxids.
        case epochsUsedUp
        /// How learners were brought to their leader's history.
        case diffs
        case truncs
        case snaps
        case observersSynchronized
        case truncations
        case snapshotsInstalled
        case snapshotsWritten
        case logsRead

        // Faults.
        case crashes
        case powerFailures
        case pauses
        case cuts
        case linksBroken
        case diskStalls
        case diskFaults
        case clockJumps
        case foreignRequests
        /// Reads of a link between servers that brought several writes.
        case gatheredReads

        // Clients.
        case sessionsMade
        case sessionsClosed
        case sessionsExpired
        case sessionsRefused
        /// Those with so many ephemerals that no server could read a list of them.
        case endsWithoutList
        case revalidations
        case reconnections
        case localSessions
        case localSessionsUpgraded
        case readOnlySpells
        case readOnlySessions
        case writesAnswered
        case writesForwarded
        case writesRefused
        case readsAnswered
        case syncsAnswered
        case eventsReceived

        package var name: String { "\(self)" }

        /// `sessions made` for `sessionsMade`.
        package var words: String {
            var words = ""
            for character in name {
                if character.isUppercase { words += " " }
                words += character.lowercased()
            }
            return words
        }
    }

    private var counts = [Int](repeating: 0, count: Count.allCases.count)

    package init() {}

    package subscript(count: Count) -> Int {
        get { counts[count.rawValue] }
        set { counts[count.rawValue] = newValue }
    }

    package mutating func add(_ other: SimulationStatistics) {
        for index in counts.indices { counts[index] += other.counts[index] }
    }
}
