package import AviaryWire

/// Says which sets of servers may decide for all.
package struct QuorumVerifier: Hashable, Sendable {
    /// A group of a hierarchical quorum, with its members' weights.
    package struct Group: Hashable, Sendable {
        package struct Member: Hashable, Sendable {
            package let server: ServerID
            package let weight: Int64

            package init(_ server: ServerID, weight: Int64 = 1) {
                self.server = server
                self.weight = weight
            }
        }

        package let members: [Member]

        package init(_ members: [Member]) {
            self.members = members
        }

        fileprivate var weight: Int64 { members.reduce(0) { $0 + $1.weight } }

        fileprivate func isWon(by isOf: (ServerID) -> Bool) -> Bool {
            let won = members.reduce(Int64(0)) { isOf($1.server) ? $0 + $1.weight : $0 }
            return won > weight / 2
        }
    }

    private enum Rule: Hashable, Sendable {
        case majority
        case hierarchical([Group])
        /// Both must agree, while a reconfiguration is on its way.
        indirect case joint(current: QuorumVerifier, next: QuorumVerifier)
    }

    /// Sorted, without repetition.
    package let voters: [ServerID]
    private let rule: Rule

    /// - Precondition: there is at least one voter.
    package init(majorityOf voters: [ServerID]) {
        precondition(!voters.isEmpty, "a quorum needs a voter")
        self.voters = Set(voters).sorted()
        rule = .majority
    }

    /// More than half of the groups that weigh anything, each with more than half of its weight.
    ///
    /// Source: QuorumHierarchical.containsQuorum, ZooKeeper 3.9.5.
    /// - Precondition: every voter is in exactly one group.
    package init(groups: [Group]) {
        let servers = groups.flatMap(\.members).map(\.server)
        precondition(!servers.isEmpty, "a quorum needs a voter")
        voters = Set(servers).sorted()
        precondition(voters.count == servers.count, "a voter is in one group")
        rule = .hierarchical(groups)
    }

    package init(current: QuorumVerifier, next: QuorumVerifier) {
        voters = Set(current.voters + next.voters).sorted()
        rule = .joint(current: current, next: next)
    }

    /// The part that is committed: the first of a joint quorum, else the whole.
    package var current: QuorumVerifier {
        if case .joint(let current, _) = rule { return current }
        return self
    }

    package func isQuorum(_ servers: [ServerID]) -> Bool { isQuorum(of: servers.contains) }

    /// The same of the servers that meet a condition. Allocates nothing: each acknowledgement is
    /// judged by it.
    private func isQuorum(of isOf: (ServerID) -> Bool) -> Bool {
        switch rule {
        case .majority:
            return voters.count(where: isOf) > voters.count / 2
        case .hierarchical(let groups):
            let weighty = groups.count { $0.weight > 0 }
            return groups.count { $0.weight > 0 && $0.isWon(by: isOf) } > weighty / 2
        case .joint(let current, let next):
            return current.isQuorum(of: isOf) && next.isQuorum(of: isOf)
        }
    }

    /// A server that weighs nothing cannot be elected.
    package func weight(of server: ServerID) -> Int64 {
        switch rule {
        case .majority: return 1
        case .hierarchical(let groups):
            for group in groups {
                for member in group.members where member.server == server { return member.weight }
            }
            return 0
        case .joint(let current, _): return current.weight(of: server)
        }
    }

    /// The highest zxid that a quorum has reached, given how far each server is.
    package func reached(by progress: [LearnerProgress]) -> Zxid {
        var reached = Zxid.zero
        for one in progress where one.acknowledged > reached && voters.contains(one.server) {
            let isReached = isQuorum(of: { server in
                progress.contains {
                    $0.server == server && $0.acknowledged >= one.acknowledged
                }
            })
            if isReached { reached = one.acknowledged }
        }
        return reached
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
