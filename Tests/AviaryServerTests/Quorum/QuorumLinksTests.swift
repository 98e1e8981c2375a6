import AviaryCore
import AviaryWire
import NIOCore
import Testing
import Zab

@testable import AviaryServer

/// A learner and a leader on the quorum port: who hears of which link, and when.
struct QuorumLinksTests {
    private static let info = LearnerInfo(server: ServerID(1), configurationVersion: .zero)
    private static let hello = StepEffects.Peer.sendToLeader(
        .followerInfo(info, accepted: .zero), LinkID(1))

    /// - Parameter link: as the learner's machine numbers it.
    private static func connect(
        _ learner: LinkPeer, to leader: LinkPeer, link: UInt64 = 1
    ) async throws {
        try await learner.order(.connect(to: leader.id, LinkID(link)))
        try await learner.wait(for: "leader \(link)")
    }

    private static func entry(_ length: Int) -> ByteBuffer {
        ByteBuffer(repeating: 7, count: length)
    }

    @Test func `H.58: what each says is heard by the other, in order, however large`() async throws
    {
        let (learner, leader) = (try await LinkPeer(1), try await LinkPeer(2))
        try await withPeers(learner, leader) {
            try await leader.order(.listen)
            try await Self.connect(learner, to: leader)
            try await learner.order(Self.hello)
            try await leader.wait(for: "learner 1", "1 says info 1")

            let large = 1 << 20
            try await leader.run { links in
                links.carryOut(
                    (1...20).flatMap { number -> [StepEffects.Peer] in
                        let zxid = Zxid(Int64(number))
                        let length = number.isMultiple(of: 3) ? large : Int(number)
                        return [
                            .sendToLearner(.proposal(zxid, Self.entry(length)), LinkID(1)),
                            .sendToLearner(.diff(zxid), LinkID(1)),
                        ]
                    })
            }
            try await learner.wait(for: "1 orders \(LeaderMessage.diff(Zxid(20)))")
            let expected = (1...20).flatMap { number in
                let length = number.isMultiple(of: 3) ? large : number
                let diff = LeaderMessage.diff(Zxid(Int64(number)))
                return ["1 orders proposal \(number) of \(length)", "1 orders \(diff)"]
            }
            #expect(learner.heard == ["leader 1"] + expected)

            let request = ForwardedRequest(
                session: SessionID(1), cxid: 1, type: 1, body: Self.entry(large).readableBytesSpan,
                identities: nil)
            try await learner.order(
                .sendToLeader(.request(request), LinkID(1)),
                .sendToLeader(.ack(Zxid(20)), LinkID(1)))
            try await leader.wait(for: "1 says ack 20")
            #expect(
                leader.heard == [
                    "learner 1", "1 says info 1", "1 says request of \(large)", "1 says ack 20",
                ])
        }
    }

    @Test func `commits that come together are heard as one, before what is no proposal`()
        async throws
    {
        let (learner, leader) = (try await LinkPeer(1), try await LinkPeer(2))
        try await withPeers(learner, leader) {
            try await leader.order(.listen)
            try await Self.connect(learner, to: leader)
            try await learner.order(Self.hello)
            try await leader.wait(for: "learner 1", "1 says info 1")
            try await leader.run { links in
                links.carryOut([
                    .sendToLearner(.proposal(Zxid(5), Self.entry(5)), LinkID(1)),
                    .sendToLearner(.commit(Zxid(3)), LinkID(1)),
                    .sendToLearner(.proposal(Zxid(6), Self.entry(6)), LinkID(1)),
                    .sendToLearner(.commit(Zxid(4), count: 2), LinkID(1)),
                    .sendToLearner(.commit(Zxid(8)), LinkID(1)),
                    .sendToLearner(.upToDate, LinkID(1)),
                    .sendToLearner(.commit(Zxid(9)), LinkID(1)),
                ])
            }
            try await learner.wait(for: "1 orders commit 9")
            let told = [
                "proposal 5 of 5", "proposal 6 of 6", "commit 3 x3", "commit 8",
                "\(LeaderMessage.upToDate)", "commit 9",
            ]
            #expect(learner.heard == ["leader 1"] + told.map { "1 orders \($0)" })
        }
    }

    /// One of an epoch's beginning answers something else than a proposal.
    @Test func `acknowledgements that come together are heard as one`() async throws {
        let (learner, leader) = (try await LinkPeer(1), try await LinkPeer(2))
        try await withPeers(learner, leader) {
            try await leader.order(.listen)
            try await Self.connect(learner, to: leader)
            try await learner.order(Self.hello)
            try await leader.wait(for: "learner 1", "1 says info 1")

            let (seventh, eighth): (Int64, Int64) = (7 << 32, 8 << 32)
            let zxids = [seventh, seventh + 1, seventh + 2, seventh + 3, eighth, eighth + 1]
            try await learner.run { links in
                links.carryOut(zxids.map { .sendToLeader(.ack(Zxid($0)), LinkID(1)) })
            }
            let told = ["\(seventh)", "\(seventh + 1) x3", "\(eighth)", "\(eighth + 1)"]
                .map { "1 says ack \($0)" }
            try await leader.wait(for: "1 says ack \(eighth + 1)")
            #expect(leader.heard == ["learner 1", "1 says info 1"] + told)
        }
    }

    @Test func `learners are told apart`() async throws {
        let (one, two) = (try await LinkPeer(1), try await LinkPeer(2))
        let leader = try await LinkPeer(3)
        try await withPeers(one, two, leader) {
            try await leader.order(.listen)
            // Both machines number their first link 1.
            try await Self.connect(one, to: leader)
            try await leader.wait(for: "learner 1")
            try await Self.connect(two, to: leader)
            try await leader.wait(for: "learner 2")
            try await leader.order(
                .sendToLearner(.commit(Zxid(1)), LinkID(1)),
                .sendToLearner(.commit(Zxid(2)), LinkID(2)))
            try await one.wait(for: "1 orders commit 1")
            try await two.wait(for: "1 orders commit 2")
            #expect(one.heard.count == 2)
            #expect(two.heard.count == 2)
        }
    }

    @Test func `a member is reached at whichever of its addresses answers`() async throws {
        let (learner, leader) = (try await LinkPeer(1), try await LinkPeer(2))
        try await withPeers(learner, leader) {
            var address = leader.address
            address.quorum.insert(.init("127.0.0.1", 1), at: 0)
            address.quorum.append(.init("no-such-host.invalid", 1))
            try await learner.know(address)
            try await leader.order(.listen)
            try await Self.connect(learner, to: leader)
            try await leader.wait(for: "learner 1")
        }
    }

    @Test func `a leader that cannot be reached is lost, and one warning`() async throws {
        let learner = try await LinkPeer(1)
        try await withPeers(learner) {
            try await learner.know(
                PeerAddress(id: ServerID(2), quorum: [.init("127.0.0.1", 1)], election: [.any]))
            for link in UInt64(1)...3 {
                try await learner.order(.connect(to: ServerID(2), LinkID(link)))
                try await learner.wait(for: "leader lost \(link)")
            }
            try await learner.order(.connect(to: ServerID(77), LinkID(4)))
            try await learner.wait(for: "leader lost 4")
            #expect(learner.heard.count == 4)
            #expect(learner.logs.count(.warning, "cannot reach a leader's quorum port") == 1)
        }
    }

    @Test func `the log that is read is told for a link that is there, and for no other`()
        async throws
    {
        let proposals = [Proposal(zxid: Zxid(5), bytes: Self.entry(3))]
        let (learner, leader) = (try await LinkPeer(1), try await LinkPeer(2, log: proposals))
        try await withPeers(learner, leader) {
            try await leader.order(.listen)
            try await Self.connect(learner, to: leader)
            try await leader.wait(for: "learner 1")
            try await leader.order(.readLog(from: Zxid(1), through: Zxid(9), LinkID(44)))
            try await leader.order(.readLog(from: Zxid(1), through: Zxid(9), LinkID(1)))
            try await leader.wait(for: "log of 1 for 1")
            #expect(leader.heard == ["learner 1", "log of 1 for 1"])
            // The answer comes when the link is gone already.
            try await leader.order(
                .readLog(from: Zxid(1), through: Zxid(9), LinkID(1)), .disconnectLearner(LinkID(1)))
            try await learner.wait(for: "leader lost 1")
            try await leader.run { _ in }
            #expect(leader.heard.count == 2)
        }
    }

    // MARK: Before a leader leads

    @Test func `a learner that is early waits, and is heard when the leader listens`() async throws
    {
        let (learner, leader) = (try await LinkPeer(1), try await LinkPeer(2))
        try await withPeers(learner, leader) {
            try await Self.connect(learner, to: leader)
            try await learner.order(Self.hello)
            // It is accepted by now, since what comes later is.
            let witness = try RawLink(connectingTo: leader.electionPort)
            witness.introduce(9)
            witness.send(.round(1))
            try await leader.wait(for: "vote 1 from 9")
            #expect(leader.heard.count == 1)
            try await leader.order(.listen)
            try await leader.wait(for: "1 says info 1")
            #expect(leader.heard.dropFirst() == ["learner 1", "1 says info 1"])
        }
    }

    @Test func `a learner that is too early is sent away when its time is over`() async throws {
        let leader = try await LinkPeer(2, .test.with { $0.parkingTime = .milliseconds(30) })
        try await withPeers(leader) {
            #expect(try RawLink(connectingTo: leader.quorumPort).isClosed)
            try await leader.order(.listen)
            try await leader.run { _ in }
            #expect(leader.heard.isEmpty)
        }
    }

    @Test func `a server that follows has no learners, and may have them again when it does not`()
        async throws
    {
        let (other, leader) = (try await LinkPeer(1), try await LinkPeer(2))
        try await withPeers(other, leader) {
            let parked = try RawLink(connectingTo: other.quorumPort)
            try await other.order(.connect(to: leader.id, LinkID(1)))
            #expect(parked.isClosed)
            #expect(try RawLink(connectingTo: other.quorumPort).isClosed)
            try await other.order(.disconnectLeader(LinkID(1)))
            let welcome = try RawLink(connectingTo: other.quorumPort)
            try await other.order(.listen)
            try await other.wait("a learner") { $0.last?.hasPrefix("learner ") == true }
            welcome.finish()
            try await other.wait("its end") { $0.last?.hasPrefix("learner lost ") == true }
        }
    }

    // MARK: The end of a link

    @Test func `a learner that is told to go hears it, and its leader does not`() async throws {
        let (one, two) = (try await LinkPeer(1), try await LinkPeer(2))
        let leader = try await LinkPeer(3)
        try await withPeers(one, two, leader) {
            try await leader.order(.listen)
            try await Self.connect(one, to: leader)
            try await leader.wait(for: "learner 1")
            try await Self.connect(two, to: leader)
            try await leader.wait(for: "learner 2")
            // What was ordered before is sent before.
            try await leader.order(
                .sendToLearner(.commit(Zxid(1)), LinkID(1)), .disconnectLearner(LinkID(1)),
                .sendToLearner(.commit(Zxid(2)), LinkID(1)))
            try await one.wait(for: "leader lost 1")
            #expect(one.heard == ["leader 1", "1 orders commit 1", "leader lost 1"])
            try await leader.order(.disconnectLearners)
            try await two.wait(for: "leader lost 1")
            // Nobody is told that comes now, before the next listen.
            let late = try RawLink(connectingTo: leader.quorumPort)
            late.send(QuorumPacket(.ack, .zero))
            try await Self.settle(leader)
            #expect(leader.heard == ["learner 1", "learner 2"])
        }
    }

    /// Returns when everything that closed or came before has been noticed.
    private static func settle(_ peer: LinkPeer) async throws {
        // Who claims to be the server itself is sent away.
        let own = try RawLink(connectingTo: peer.electionPort)
        own.introduce(peer.id.rawValue)
        #expect(own.isClosed)
        try await peer.run { _ in }
    }

    @Test func `a leader that is left hears it once, and its learner does not`() async throws {
        let (learner, leader) = (try await LinkPeer(1), try await LinkPeer(2))
        try await withPeers(learner, leader) {
            try await leader.order(.listen)
            try await Self.connect(learner, to: leader)
            try await learner.order(Self.hello, .disconnectLeader(LinkID(1)))
            try await leader.wait(for: "learner lost 1")
            try await Self.settle(learner)
            #expect(leader.heard == ["learner 1", "1 says info 1", "learner lost 1"])
            #expect(learner.heard == ["leader 1"])
            // The machine numbers the next.
            try await Self.connect(learner, to: leader, link: 2)
            try await leader.wait(for: "learner 2")
        }
    }

    @Test func `an order to leave while the connection is made ends it without a word`()
        async throws
    {
        let (learner, leader) = (try await LinkPeer(1), try await LinkPeer(2))
        try await withPeers(learner, leader) {
            try await leader.order(.listen)
            try await learner.order(
                .connect(to: leader.id, LinkID(1)), .disconnectLeader(LinkID(1)),
                // There is no such server, which is known at once.
                .connect(to: ServerID(77), LinkID(2)), .disconnectLeader(LinkID(2)),
                .connect(to: leader.id, LinkID(3)))
            try await learner.wait(for: "leader 3")
            try await Self.settle(learner)
            #expect(learner.heard == ["leader 3"])
        }
    }

    @Test func `a link that is over says nothing more, however much was on its way`() async throws {
        let learner = try await LinkPeer(1) { event in
            event.words.contains("1 orders commit 1") ? [.disconnectLeader(LinkID(1))] : []
        }
        let leader = try await LinkPeer(2)
        try await withPeers(learner, leader) {
            try await leader.order(.listen)
            try await Self.connect(learner, to: leader)
            try await leader.wait(for: "learner 1")
            try await leader.run { links in
                links.carryOut([.sendToLearner(.commit(Zxid(1)), LinkID(1))])
                links.carryOut(
                    (0..<32).map { _ in
                        .sendToLearner(.proposal(Zxid(2), Self.entry(1 << 20)), LinkID(1))
                    })
            }
            try await leader.wait(for: "learner lost 1")
            try await Self.settle(learner)
            // What the same read brought is told, but no second one.
            #expect(learner.heard.count < 32)
            #expect(learner.heard.last == "1 orders commit 1")
        }
    }

    @Test func `both sides hear of a connection that breaks, once`() async throws {
        let (learner, leader) = (try await LinkPeer(1), try await LinkPeer(2))
        try await withPeers(leader) {
            try await leader.order(.listen)
            try await learner.know(leader.address)
            try await Self.connect(learner, to: leader)
            try await leader.wait(for: "learner 1")
            try await learner.stop()
            try await leader.wait(for: "learner lost 1")
            try await Self.settle(leader)
            #expect(leader.heard == ["learner 1", "learner lost 1"])
        }
    }
}
