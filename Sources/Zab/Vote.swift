package import AviaryWire

/// Who should lead, and why: the epoch and the end of its history.
package struct Vote: Hashable, Sendable {
    package var leader: ServerID
    package var zxid: Zxid
    package var peerEpoch: Int64

    package init(leader: ServerID, zxid: Zxid, peerEpoch: Int64) {
        self.leader = leader
        self.zxid = zxid
        self.peerEpoch = peerEpoch
    }

    /// What a server proposes that cannot be elected: anyone else.
    ///
    /// Source: FastLeaderElection.getInitId and its siblings, ZooKeeper 3.9.5.
    package static let nobody = Vote(
        leader: ServerID(.min), zxid: Zxid(.min), peerEpoch: .min)

    /// Source: FastLeaderElection.totalOrderPredicate, ZooKeeper 3.9.5.
    package func isBetter(than other: Vote, in verifier: QuorumVerifier) -> Bool {
        if verifier.weight(of: leader) == 0 { return false }
        return (peerEpoch, zxid, leader) > (other.peerEpoch, other.zxid, other.leader)
    }
}

/// A vote as it was heard: in which round, and in which state its sender was.
struct CastVote: Hashable, Sendable {
    var vote: Vote
    var electionEpoch: Int64
    var state: Notification.State
    var version: Int32

    /// Servers that have found their leader agree on who it is, not on how they found it.
    ///
    /// Source: Vote.equals, ZooKeeper 3.9.5.
    func agrees(with other: CastVote) -> Bool {
        if state == .looking || other.state == .looking {
            return vote == other.vote && electionEpoch == other.electionEpoch
        }
        if (version > 0) != (other.version > 0) { return vote.leader == other.vote.leader }
        return vote.leader == other.vote.leader && vote.peerEpoch == other.vote.peerEpoch
    }
}

/// The last vote of each server, in the order of their ids.
struct VoteTally: Hashable, Sendable {
    private struct Entry: Hashable, Sendable {
        let server: ServerID
        var cast: CastVote
    }

    private var entries: [Entry] = []

    subscript(server: ServerID) -> CastVote? {
        entries.first { $0.server == server }?.cast
    }

    mutating func record(_ cast: CastVote, of server: ServerID) {
        let index = entries.firstIndex { $0.server >= server } ?? entries.count
        if index < entries.count, entries[index].server == server {
            entries[index].cast = cast
        } else {
            entries.insert(Entry(server: server, cast: cast), at: index)
        }
    }

    mutating func clear() {
        entries.removeAll()
    }

    func servers(agreeingWith cast: CastVote) -> [ServerID] {
        entries.filter { cast.agrees(with: $0.cast) }.map(\.server)
    }
}
