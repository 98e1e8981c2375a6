import AviaryWire
import Foundation

@testable import Zab

extension RecordedRole {
    static let all = leaders + learners

    private static let emptyVote = Vote(leader: ServerID(3), zxid: .zero, peerEpoch: 0)
    private static let laterVote = Vote(leader: ServerID(2), zxid: zxid(1, 3), peerEpoch: 1)
    private static let truncVote = Vote(leader: ServerID(2), zxid: zxid(1, 14), peerEpoch: 1)

    private static let leaders = [
        RecordedRole(
            recording: "01-empty-start-and-writes", server: 2,
            text: "elects itself, leads two others, answers requests, a sync and a revalidation",
            // Nothing has happened yet, so that there is nothing to send to who has nothing. A
            // real leader takes the beginning of its epoch for something that is missing.
            differences: [4: { $0.map { $0 == .asLeader(.snap(zxid(1, 0))) ? diff(.zero) : $0 } }],
            leastPackets: 50),
        RecordedRole(
            recording: "02-diff-sync", server: 3, text: "gives who was away what it missed",
            past: .led(with: 2, emptyVote, epoch: 1), leastPackets: 17),
        RecordedRole(
            recording: "03-snap-sync", server: 3, text: "gives who is empty a snapshot",
            past: .led(with: 2, emptyVote, epoch: 1),
            // Our window may reach back to the beginning; a real one begins with a transaction.
            change: { $0.historyLimit = 0 }, leastPackets: 6),
        RecordedRole(
            recording: "04-trunc-sync", server: 2, text: "has what nobody else has cut off",
            past: .led(with: 1, truncVote, epoch: 2), disk: (zxid(1, 14), 1, 1),
            change: { $0.prefersSnapshots = false }, leastPackets: 7),
        RecordedRole(
            recording: "04-trunc-sync", server: 2, text: "H.1: prefers a snapshot to TRUNC",
            past: .led(with: 1, truncVote, epoch: 2), disk: (zxid(1, 14), 1, 1),
            differences: [
                2: { $0.map { $0 == .asLeader(.trunc(zxid(1, 14))) ? snap(zxid(2, 0)) : $0 } }
            ], leastPackets: 7),
        RecordedRole(
            recording: "05-observer-and-reconfig", server: 3,
            text: "leads two others and an observer, until the first reconfiguration",
            // The observer was answered between quorum and service, which with us are one; and the
            // texts have a version that only a server with reconfiguration gives them.
            electorate: [ServerID(1), ServerID(2)], until: 1720,
            differences: [
                4: { $0.map(withoutVersion) }, 5: { $0.map(withoutVersion) },
                9: { $0.map(withoutVersion) },
            ],
            change: { $0.configurationVersion = zxid(1, 0) }, leastPackets: 60),
        RecordedRole(
            recording: "06-old-epoch-ahead-snap", server: 2,
            text: "H.12: sends a snapshot where epochs differ",
            past: .led(with: 1, laterVote, epoch: 2), disk: (zxid(1, 3), 1, 1), leastPackets: 6),
        RecordedRole(
            recording: "07-multi-address", server: 3, text: "leads two others", leastPackets: 10),
        RecordedRole(
            recording: "08-local-sessions", server: 3, text: "leads two others with local sessions",
            leastPackets: 30),
        RecordedRole(
            recording: "10-observer-master", server: 3,
            text: "leads two others, one of which speaks for an observer", leastPackets: 20),
    ]

    private static let learners = [
        RecordedRole(
            recording: "01-empty-start-and-writes", server: 1,
            text: "follows from the beginning, forwards requests, a sync and a close",
            leastPackets: 29),
        RecordedRole(
            recording: "01-empty-start-and-writes", server: 3,
            text: "joins later, with a snapshot, and revalidates a session",
            past: .none(startsAt: 1200), leastPackets: 20),
        RecordedRole(
            recording: "02-diff-sync", server: 1, text: "gets what it missed",
            disk: (zxid(1, 6), 1, 1), leastPackets: 6),
        RecordedRole(
            recording: "02-diff-sync", server: 2, text: "tells who comes whom it follows",
            past: .followed(emptyVote, epoch: 1)),
        RecordedRole(
            recording: "03-snap-sync", server: 1, text: "gets a snapshot", leastPackets: 6),
        RecordedRole(
            recording: "03-snap-sync", server: 2, text: "tells who comes whom it follows",
            past: .followed(emptyVote, epoch: 1)),
        RecordedRole(
            recording: "04-trunc-sync", server: 3, text: "has its last transaction cut off",
            disk: (zxid(1, 15), 1, 1), leastPackets: 6),
        RecordedRole(
            recording: "04-trunc-sync", server: 1, text: "tells who comes whom it follows",
            past: .followed(truncVote, epoch: 2), disk: (zxid(1, 14), 1, 1)),
        RecordedRole(
            recording: "05-observer-and-reconfig", server: 1,
            text: "follows through reconfigurations", until: 4900, leastPackets: 20),
        RecordedRole(
            recording: "05-observer-and-reconfig", server: 2,
            text: "follows through reconfigurations", until: 4900, leastPackets: 20),
        RecordedRole(
            recording: "05-observer-and-reconfig", server: 4,
            text: "observes through reconfigurations", past: .none(startsAt: 600),
            isObserver: true, configurationVersion: zxid(1, 0), until: 4900, leastPackets: 15),
        RecordedRole(
            recording: "06-old-epoch-ahead-snap", server: 3,
            text: "gets a snapshot in place of its old epoch's end", disk: (zxid(1, 4), 1, 1),
            leastPackets: 6),
        RecordedRole(
            recording: "06-old-epoch-ahead-snap", server: 1,
            text: "tells who comes whom it follows", past: .followed(laterVote, epoch: 2),
            disk: (zxid(1, 3), 1, 1)),
        RecordedRole(
            recording: "07-multi-address", server: 1, text: "follows", leastPackets: 5),
        RecordedRole(
            recording: "07-multi-address", server: 2, text: "follows", leastPackets: 5),
        RecordedRole(
            recording: "08-local-sessions", server: 1,
            text: "forwards a local session's writes, and its upgrade", leastPackets: 15),
        RecordedRole(
            recording: "08-local-sessions", server: 2, text: "follows", leastPackets: 10),
        RecordedRole(
            recording: "10-observer-master", server: 1,
            text: "follows, and forwards what its observer asks", leastPackets: 15),
        RecordedRole(
            recording: "10-observer-master", server: 2, text: "follows", leastPackets: 10),
        RecordedRole(
            recording: "10-observer-master", server: 4,
            text: "observes, until it goes to a follower instead of the leader",
            past: .none(startsAt: 1470), isObserver: true, until: 2000),
    ]

    private static func diff(_ zxid: Zxid) -> Understudy.Said { .asLeader(.diff(zxid)) }
    private static func snap(_ zxid: Zxid) -> Understudy.Said { .asLeader(.snap(zxid)) }

    /// The same text with the version that a configuration has that was never changed.
    @Sendable private static func withoutVersion(_ said: Understudy.Said) -> Understudy.Said {
        guard case .asLeader(.newLeader(let zxid, let text?)) = said,
            let end = text.description.range(of: "version=")
        else { return said }
        let plain = text.description[..<end.lowerBound] + "version=0"
        return .asLeader(
            .newLeader(zxid, configuration: ByteString(Array(plain.utf8))))
    }
}
