package import AviaryWire

/// One member's part in the protocol. It knows no tree and no world: it is told events and orders
/// effects.
///
/// So far it leads a quorum of one, which is all that a standalone server is.
package struct QuorumPeer: ~Copyable, Sendable {
    package enum Event: Sendable {
        /// The log has been read up to the zxid the peer was made with.
        case started
        /// Only a leader is told to propose.
        case propose(Proposal)
        /// All entries up to here will outlive a crash.
        case persisted(Zxid)
    }

    package enum Effect: Hashable, Sendable {
        case append(Proposal)
        case commit(upTo: Zxid)
        case changed(Role)
    }

    package enum Role: Hashable, Sendable {
        case looking
        case leading
    }

    /// What the member is doing; each case holds what matters only in it.
    fileprivate enum Phase: ~Copyable, Sendable {
        /// Left for `leading` when a quorum votes for this server.
        case looking
        /// Not left.
        case leading(Leader)
    }

    private let server: ServerID
    private let verifier: QuorumVerifier
    private let lastZxid: Zxid
    fileprivate var phase = Phase.looking
    package private(set) var role = Role.looking

    package init(server: ServerID, verifier: QuorumVerifier, lastZxid: Zxid) {
        precondition(verifier.voters.contains(server), "a peer that leads is a voter")
        self.server = server
        self.verifier = verifier
        self.lastZxid = lastZxid
    }

    package mutating func step(_ event: Event, into effects: inout [Effect]) {
        switch event {
        case .started:
            guard role == .looking, verifier.isQuorum([server]) else { return }
            phase = .leading(Leader(verifier: verifier, server: server, lastZxid: lastZxid))
            role = .leading
            effects.append(.changed(.leading))
        case .propose(let proposal):
            phase.withLeader { $0.propose(proposal, into: &effects) }
        case .persisted(let zxid):
            let server = server
            phase.withLeader { $0.acknowledge(zxid, from: server, into: &effects) }
        }
    }
}

extension QuorumPeer.Phase {
    fileprivate mutating func withLeader(_ body: (inout Leader) -> Void) {
        switch consume self {
        case .looking: preconditionFailure("only a leader proposes and counts its log")
        case .leading(var leader):
            body(&leader)
            self = .leading(leader)
        }
    }
}
