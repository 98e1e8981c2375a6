import AviaryWire
import DequeModule
import Zab

extension ServerCore {
    /// Counts again what is outstanding and what the tree keeps count of, and stops the program if
    /// it differs. For tests and fuzzing. O(nodes and connections).
    package func checkInvariants() {
        tree.checkInvariants()
        checkWaiting()
        precondition(lastProposed >= tree.lastProcessedZxid, "what is applied was proposed")
        // A learner proposes nothing, and knows the sessions of its own connections only.
        if isLeading && inFlight.isEmpty {
            precondition(outstanding.hasNoACL, "a list is kept for what is outstanding alone")
            precondition(outstanding.isEmpty, "what is applied is not outstanding")
            precondition(outstanding.digest == tree.digest, "the digest was foretold")
            let known = sessions.sessions.filter { !$0.value.isLocal }.keys
            precondition(
                Set(known) == Set(tree.sessions.keys), "the sessions are those of the tree")
        }
        if connections.count == 0 {
            precondition(watches.isEmpty, "only connections watch")
            precondition(watches.count == 0, "watches are counted")
            precondition(
                outstandingCount == inFlight.count + forwarded.count, "only connections wait")
            precondition(outstandingCost == 0 && largeBytes == 0, "nothing waits")
        }
    }

    private func checkWaiting() {
        var cost = 0
        var parked = 0
        var inFlightCount = 0
        for connection in connections.all {
            var own = 0
            for waiting in connection.waiting {
                own += waiting.cost
                if case .inFlight = waiting { inFlightCount += 1 } else { parked += 1 }
            }
            precondition(own == connection.waitingCost, "what a connection waits for is counted")
            cost += own
            if connection.isHeld {
                precondition(held.contains(connection.id), "who is held is let go again")
            }
        }
        precondition(cost == outstandingCost, "what waits is counted")
        precondition(parked == parkedCount, "parked requests are counted")
        precondition(inFlightCount <= inFlight.count, "each write waits for one proposal")
    }
}
