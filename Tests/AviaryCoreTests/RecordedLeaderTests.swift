import AviaryWire
import NIOCore
import Recordings
import Testing
import Zab

@testable import AviaryCore

/// What learners of Apache's said in the recordings, said to a core of ours that leads: it must make
/// of it what their leader made, every transaction with its digest byte by byte.
///
/// Pings are left out, which are sent at other times. Each row ends before the first request that the
/// recording does not show, because a client of the leader's own sent it.
struct RecordedLeaderTests {
    struct Row: CustomTestStringConvertible {
        let recording: String
        let leader: Int64
        let until: Int64
        /// How many transactions are in it.
        let transactions: Int
        var change: @Sendable (inout ServerSettings) -> Void = { _ in }
        /// What our leader says instead, by connection.
        var differences: [Int: [LeaderMessage: LeaderMessage]] = [:]

        var testDescription: String { recording }
    }

    private static let rows = [
        Row(
            recording: "01-empty-start-and-writes", leader: 2, until: 2849, transactions: 8,
            // See the table in ZabTests.
            differences: [4: [.snap(zxid(1, 0)): .diff(.zero)]]),
        Row(
            recording: "05-observer-and-reconfig", leader: 3, until: 1630, transactions: 3),
        Row(
            recording: "08-local-sessions", leader: 3, until: 2000, transactions: 3,
            change: {
                $0.localSessions = true
                $0.localSessionsUpgrading = true
            }),
        Row(recording: "10-observer-master", leader: 3, until: .max, transactions: 2),
    ]

    @Test(arguments: rows)
    func `a leader makes of requests what Apache's made of them`(row: Row) throws {
        let recording = try Recording(row.recording)
        let harness = Self.harness(row)
        Self.play(recording, row, harness)
        var transactions = 0
        for connection in recording.connections where connection.acceptor == ServerID(row.leader) {
            if connection.isElection { continue }
            let theirs = recording.messages.compactMap { message -> LeaderMessage? in
                guard message.connection == connection.id, message.time < row.until,
                    case .fromLeader(let said) = message.content, !said.isPing
                else { return nil }
                return (row.differences[connection.id]?[said] ?? said).withoutConfiguration
            }
            let ours = said(harness, over: LinkID(UInt64(connection.id)))
            #expect(ours == theirs, "on connection \(connection.id)")
            let proposals = theirs.filter { if case .proposal = $0 { true } else { false } }
            transactions = max(transactions, proposals.count)
        }
        #expect(transactions == row.transactions)
        #expect(harness.core.statistics.digestMismatches == 0)
    }

    private static func harness(_ row: Row) -> CoreHarness {
        var quorum = QuorumSettings(
            server: ServerID(row.leader),
            verifier: QuorumVerifier(majorityOf: (1...3).map { ServerID($0) }))
        quorum.tickTime = 1000
        quorum.configurationVersion = zxid(1, 0)
        return CoreHarness(
            {
                $0.server = ServerID(row.leader)
                $0.maximumSessionTimeoutMilliseconds = 60_000
                row.change(&$0)
            }, membership: .member(quorum, QuorumPeer.Recovered(lastZxid: .zero)))
    }

    private static func play(_ recording: Recording, _ row: Row, _ harness: CoreHarness) {
        let leader = ServerID(row.leader)
        var toOpen = recording.connections.filter { !$0.isElection && $0.acceptor == leader }
        var time: Int64 = 0
        for message in recording.messages where message.time < row.until {
            harness.advance(milliseconds: message.time - time)
            time = message.time
            while let next = toOpen.first, next.opened <= time {
                harness.step(.quorum(.learnerConnected(LinkID(UInt64(next.id)))))
                toOpen.removeFirst()
            }
            guard message.receiver == leader else { continue }
            switch message.content {
            case .vote(let vote): harness.step(.quorum(.vote(vote, from: message.sender)))
            case .fromLearner(let said):
                if case .request(let request) = said {
                    harness.now.wallMilliseconds = clock(of: request, at: time, in: recording)
                }
                harness.fromLearner(said, over: LinkID(UInt64(message.connection)))
            case .fromLeader, .tree, .greeting: break
            }
        }
    }

    /// What the leader's clock showed when it made a transaction of a request.
    private static func clock(
        of request: ForwardedRequest, at time: Int64, in recording: Recording
    ) -> Int64 {
        for message in recording.messages where message.time >= time {
            guard case .fromLeader(.proposal(_, let bytes)) = message.content else { continue }
            var reader = JuteReader(bytes.readableBytesSpan)
            if let header = try? LogEntry(from: &reader).header, header.session == request.session,
                header.cxid == request.cxid
            {
                return header.time
            }
        }
        return 0
    }

    private func said(_ harness: CoreHarness, over link: LinkID) -> [LeaderMessage] {
        harness.peers.compactMap { order in
            switch order {
            case .sendToLearner(let said, link): said.isPing ? nil : said.withoutConfiguration
            case .sendSnapshot(let zxid, _, link): .snap(zxid)
            default: nil
            }
        }
    }
}

extension LeaderMessage {
    fileprivate var isPing: Bool { if case .ping = self { true } else { false } }

    fileprivate var withoutConfiguration: LeaderMessage {
        if case .newLeader(let zxid, _) = self {
            .newLeader(zxid, configuration: nil)
        } else {
            self
        }
    }
}
