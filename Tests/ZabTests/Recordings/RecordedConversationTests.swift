import AviaryWire
import NIOCore
import Recordings
import Testing

@testable import Zab

/// Each server of each recording, with our machine in its place: what it says must be what the server
/// of Apache said.
///
/// What is compared: on each connection of the quorum port, every packet in its order, where
/// acknowledgements, requests and pings of a learner are compared each among themselves, because a
/// server's threads decide which of them overtakes which; on the election port, the votes that each
/// server was sent, as a set. What may differ, always:
/// - A vote for which a better one was sent to the same server later: a real server's queue holds one.
/// - How often is pinged, and with it the pings of a leader before the first that was recorded. What
///   a ping says may not differ.
///
/// What differs in a single recording, its row in the table says and why.
struct RecordedConversationTests {
    @Test(arguments: RecordedRole.all)
    func `our machine says what the server of the recording said`(role: RecordedRole) throws {
        let recording = try Recording(role.recording)
        var understudy = Understudy(role.settings(recording), role.recovered(recording))
        role.prepare(&understudy, recording)
        let heard = role.play(recording, &understudy)
        #expect(heard > 0, "the recording says nothing to this server")
        let hasLeft = understudy.hasLeft
        #expect(!hasLeft, "our machine gave up")
        compareVotes(role, recording, understudy.votes)
        let said = understudy.said
        var packets = 0
        for connection in recording.connections where role.takesPart(in: connection) {
            let spoken = role.said(recording, on: connection.id)
            for kind in Kind.allCases {
                let theirs = spoken.filter { kind.matches($0) }
                let ours = (said[connection.id] ?? []).filter { kind.matches($0) }
                packets += theirs.count
                let expected = role.differences[connection.id].map { $0(theirs) } ?? theirs
                if kind == .leaderPing {
                    #expect(Set(ours).isSuperset(of: expected))
                } else {
                    #expect(ours == expected, "\(kind) on connection \(connection.id)")
                }
            }
        }
        #expect(packets >= role.leastPackets)
    }

    private func compareVotes(
        _ role: RecordedRole, _ recording: Recording, _ votes: [ServerID: [Notification]]
    ) {
        for receiver in role.electorate {
            let theirs = role.votes(recording, to: receiver)
            let ours = votes[receiver] ?? []
            for vote in theirs { #expect(ours.contains(vote), "to \(receiver): \(vote)") }
            guard let last = theirs.last else { continue }
            #expect(ours.last == last)
            for (index, vote) in ours.enumerated() where !theirs.contains(vote) {
                let isOvertaken = ours[(index + 1)...].contains {
                    $0.state != .looking || Vote($0).isBetter(than: Vote(vote), in: role.verifier)
                }
                #expect(vote.state == .looking && isOvertaken, "to \(receiver): \(vote)")
            }
        }
    }

    /// What keeps its order.
    private enum Kind: CaseIterable {
        case leaderPing, leaderOther, ping, request, learnerOther

        func matches(_ said: Understudy.Said) -> Bool {
            switch said {
            case .asLeader(.ping): self == .leaderPing
            case .asLeader: self == .leaderOther
            case .asLearner(.ping): self == .ping
            case .asLearner(.request), .asLearner(.revalidate): self == .request
            case .asLearner: self == .learnerOther
            }
        }
    }
}

extension Vote {
    fileprivate init(_ notification: Notification) {
        self.init(
            leader: notification.leader, zxid: notification.zxid,
            peerEpoch: notification.peerEpoch)
    }
}
