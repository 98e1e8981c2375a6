package import AviaryWire

/// Says which sets of servers may decide for all.
package struct QuorumVerifier: Hashable, Sendable {
    /// Sorted, without repetition.
    package let voters: [ServerID]

    /// - Precondition: there is at least one voter.
    package init(majorityOf voters: [ServerID]) {
        precondition(!voters.isEmpty, "a quorum needs a voter")
        self.voters = Set(voters).sorted()
    }

    package func isQuorum(_ servers: [ServerID]) -> Bool {
        voters.filter(servers.contains).count > voters.count / 2
    }

    /// The highest zxid that a quorum has reached, given how far each server is.
    package func reached(by progress: [LearnerProgress]) -> Zxid {
        let counted = progress.filter { voters.contains($0.server) }.map(\.acknowledged)
        let descending = counted.sorted(by: >)
        let needed = voters.count / 2
        return needed < descending.count ? descending[needed] : .zero
    }
}

/// How far a server has confirmed that its log outlives a crash.
package struct LearnerProgress: Hashable, Sendable {
    package let server: ServerID
    package var acknowledged: Zxid

    package init(server: ServerID, acknowledged: Zxid) {
        self.server = server
        self.acknowledged = acknowledged
    }
}
