import AviaryCore
import AviaryWire
import NIOCore
import Testing
import Zab

@testable import AviaryServer

/// Who keeps which connection of the election port, and what is sent on it.
struct ElectionLinksTests {
    private static func member(_ id: Int64, election port: Int) -> PeerAddress {
        PeerAddress(id: ServerID(id), quorum: [.any], election: [.init("127.0.0.1", port)])
    }

    @Test(arguments: [(1, 2), (2, 1)])
    func `votes go both ways, whichever of two servers speaks first`(
        first: Int, second: Int
    ) async throws {
        let peers = [try await LinkPeer(1), try await LinkPeer(2)]
        try await withPeers(peers[0], peers[1]) {
            let (speaker, listener) = (peers[first - 1], peers[second - 1])
            try await speaker.order(.vote(.round(7), to: listener.id))
            try await listener.wait(for: "vote 7 from \(speaker.id)")
            try await listener.order(.vote(.round(8), to: speaker.id))
            try await speaker.wait(for: "vote 8 from \(listener.id)")
            #expect(speaker.heard.filter { $0.hasSuffix("ound \(listener.id)") }.count == 1)
        }
    }

    @Test func `three servers that all speak at once hear each other`() async throws {
        let peers = [try await LinkPeer(1), try await LinkPeer(2), try await LinkPeer(3)]
        try await withPeers(peers[0], peers[1], peers[2]) {
            for peer in peers {
                try await peer.run { links in
                    links.carryOut(
                        (1...3).filter { ServerID($0) != peer.id }
                            .map { .vote(.round(peer.id.rawValue), to: ServerID($0)) })
                }
            }
            for peer in peers {
                for other in peers where other.id != peer.id {
                    try await peer.wait(
                        for: "vote \(other.id) from \(other.id)", "found \(other.id)")
                }
            }
            // Connections that cross replace each other, and that is no news.
            for peer in peers {
                #expect(!peer.heard.contains { $0.hasPrefix("lost") })
                #expect(peer.heard.count { $0.hasPrefix("found") } == 2)
            }
        }
    }

    @Test func `servers that listen on all addresses are reached at one`() async throws {
        let settings = PeerLinkSettings.test.with {
            $0.listensOnAllAddresses = true
            $0.tcpKeepAlive = true
        }
        let (one, two) = (try await LinkPeer(1, settings), try await LinkPeer(2, settings))
        try await withPeers(one, two) {
            try await one.order(.vote(.round(7), to: two.id))
            try await two.wait(for: "vote 7 from 1")
        }
    }

    @Test func `a vote for oneself is heard without a connection`() async throws {
        let peer = try await LinkPeer(1)
        try await withPeers(peer) {
            try await peer.order(.vote(.round(3), to: ServerID(1)))
            try await peer.wait(for: "vote 3 from 1")
        }
    }

    @Test func `H.39, H.56: the smaller id introduces itself in one piece and waits to be called`()
        async throws
    {
        let larger = try RawPort()
        let peer = try await LinkPeer(2)
        try await withPeers(peer) {
            try await peer.know(Self.member(3, election: larger.port))
            try await peer.order(.vote(.round(1), to: ServerID(3)))
            let asked = try larger.next()
            var expected = ByteBuffer()
            expected.writeInteger(Int64(-65536))
            expected.writeInteger(Int64(2))
            expected.writeInteger(Int32("127.0.0.1:\(peer.electionPort)".utf8.count))
            expected.writeString("127.0.0.1:\(peer.electionPort)")
            #expect(asked.readOnce() == expected)
            #expect(asked.isClosed)

            let back = try RawLink(connectingTo: peer.electionPort)
            back.introduce(3)
            #expect(try back.readVote()?.electionEpoch == 1)
            try await peer.wait(for: "found 3")
        }
    }

    @Test func `the larger id keeps the connection that it made`() async throws {
        let smaller = try RawPort()
        let peer = try await LinkPeer(2)
        try await withPeers(peer) {
            try await peer.know(Self.member(1, election: smaller.port))
            try await peer.order(.vote(.round(1), to: ServerID(1)))
            let link = try smaller.next()
            let message = try link.readInitialMessage()
            #expect(message.form == .oneAddress)
            #expect(message.server == ServerID(2))
            #expect(try link.readVote()?.electionEpoch == 1)
            try await peer.order(.vote(.round(2), to: ServerID(1)))
            #expect(try link.readVote()?.electionEpoch == 2)
            link.send(.round(9))
            try await peer.wait(for: "found 1", "vote 9 from 1")
        }
    }

    @Test func `H.39: all addresses are told only where that is allowed`() async throws {
        let smaller = try RawPort()
        let peer = try await LinkPeer(2, .test.with { $0.sendsAllAddresses = true }, addresses: 2)
        try await withPeers(peer) {
            try await peer.know(Self.member(1, election: smaller.port))
            try await peer.order(.vote(.round(1), to: ServerID(1)))
            let message = try smaller.next().readInitialMessage()
            #expect(message.form == .manyAddresses)
            #expect(message.addresses == peer.address.election.map { ByteString($0.description) })
        }
    }

    @Test func `a server with a smaller id is called back at the address it gives`() async throws {
        let joiner = try RawPort()
        let peer = try await LinkPeer(5)
        try await withPeers(peer) {
            let asking = try RawLink(connectingTo: peer.electionPort)
            asking.introduce(4, address: "127.0.0.1:\(joiner.port)")
            #expect(asking.isClosed)
            let link = try joiner.next()
            #expect(try link.readInitialMessage().server == ServerID(5))
            link.send(.round(6))
            try await peer.wait(for: "vote 6 from 4")
            try await peer.order(.vote(.round(7), to: ServerID(4)))
            #expect(try link.readVote()?.electionEpoch == 7)
            // It is no member, so that nobody waits for it.
            #expect(!peer.heard.contains("found 4"))
        }
    }

    @Test func `where a member says only "all addresses", its own line tells where it is`()
        async throws
    {
        let member = try RawPort()
        let peer = try await LinkPeer(5)
        try await withPeers(peer) {
            try await peer.know(Self.member(4, election: member.port))
            try RawLink(connectingTo: peer.electionPort).introduce(4, address: "0.0.0.0:3888")
            #expect(try member.next().readInitialMessage().server == ServerID(5))
            // The oldest form has no address at all.
            let old = try RawLink(connectingTo: peer.electionPort)
            old.send(ByteBuffer(integer: Int64(4)))
            #expect(try member.next().readInitialMessage().server == ServerID(5))
        }
    }

    @Test func `a new connection takes the place of the old, and the last vote is sent again`()
        async throws
    {
        let peer = try await LinkPeer(1)
        try await withPeers(peer) {
            try await peer.know(Self.member(9, election: 1))
            let first = try RawLink(connectingTo: peer.electionPort)
            first.introduce(9)
            try await peer.wait(for: "found 9")
            try await peer.order(.vote(.round(1), to: ServerID(9)))
            #expect(try first.readVote()?.electionEpoch == 1)

            let second = try RawLink(connectingTo: peer.electionPort)
            second.introduce(9)
            #expect(first.isClosed)
            #expect(try second.readVote()?.electionEpoch == 1)
            second.send(.round(5))
            try await peer.wait(for: "vote 5 from 9")
            #expect(peer.heard == ["found 9", "vote 5 from 9"])

            second.finish()
            #expect(second.isClosed)
            try await peer.wait(for: "lost 9")
            #expect(peer.heard.filter { $0 == "lost 9" }.count == 1)
        }
    }

    @Test func `only what waits is sent on a new connection, not also what was sent before`()
        async throws
    {
        let peer = try await LinkPeer(1)
        try await withPeers(peer) {
            // Nobody listens there.
            try await peer.know(Self.member(9, election: 1))
            let first = try RawLink(connectingTo: peer.electionPort)
            first.introduce(9)
            try await peer.order(.vote(.round(1), to: ServerID(9)))
            #expect(try first.readVote()?.electionEpoch == 1)
            first.finish()
            try await peer.wait(for: "lost 9")
            for round in Int64(2)...4 {
                try await peer.order(.vote(.round(round), to: ServerID(9)))
            }
            try await eventually(
                "the attempt fails",
                { peer.logs.count(.warning, "cannot reach a server's election port") == 1 })
            let second = try RawLink(connectingTo: peer.electionPort)
            second.introduce(9)
            #expect(try second.readVote()?.electionEpoch == 4)
            try await peer.order(.vote(.round(5), to: ServerID(9)))
            #expect(try second.readVote()?.electionEpoch == 5)
        }
    }

    @Test func `a server that does not read is sent only the newest when it reads again`()
        async throws
    {
        let count: Int64 = 60
        let peer = try await LinkPeer(1)
        try await withPeers(peer) {
            let link = try RawLink(connectingTo: peer.electionPort, receiveBuffer: 4096)
            link.introduce(9)
            try await eventually(
                "the link is up", { peer.logs.count(.debug, "election link up") == 1 })
            for round in 1...count {
                try await peer.order(
                    .vote(.round(round, configurationLength: 500_000), to: ServerID(9)))
            }
            var rounds: [Int64] = []
            while rounds.last != count, let vote = try link.readVote() {
                rounds.append(vote.electionEpoch)
            }
            #expect(rounds.last == count)
            #expect(rounds == rounds.sorted())
            #expect(rounds.count < count)
        }
    }

    @Test func `while a connection is made no second is begun`() async throws {
        let smaller = try RawPort()
        let peer = try await LinkPeer(2)
        try await withPeers(peer) {
            try await peer.know(Self.member(1, election: smaller.port))
            try await peer.run { links in
                for round in Int64(1)...10 {
                    links.carryOut([.vote(.round(round), to: ServerID(1))])
                }
            }
            let link = try smaller.next()
            #expect(try link.readInitialMessage().server == ServerID(2))
            // Of those that waited, the newest.
            #expect(try link.readVote()?.electionEpoch == 10)
            #expect(!smaller.hasMore)
        }
    }

    @Test func `a larger id that called before it was asked calls again, and was never lost`()
        async throws
    {
        let larger = try RawPort()
        let peer = try await LinkPeer(2)
        try await withPeers(peer) {
            try await peer.know(Self.member(3, election: larger.port))
            try await peer.order(.vote(.round(1), to: ServerID(3)))
            #expect(try larger.next().readInitialMessage().server == ServerID(2))
            let early = try RawLink(connectingTo: peer.electionPort)
            early.introduce(3)
            try await peer.wait(for: "found 3")
            early.finish()
            #expect(try early.readVote()?.electionEpoch == 1)
            #expect(early.isClosed)
            let asked = try RawLink(connectingTo: peer.electionPort)
            asked.introduce(3)
            #expect(try asked.readVote()?.electionEpoch == 1)
            asked.send(.round(5))
            try await peer.wait(for: "vote 5 from 3")
            #expect(peer.heard == ["found 3", "vote 5 from 3"])
        }
    }

    @Test func `a larger id that called and does not call again is lost when its time is over`()
        async throws
    {
        let larger = try RawPort()
        let peer = try await LinkPeer(2, .test.with { $0.connectBackTime = .milliseconds(200) })
        try await withPeers(peer) {
            try await peer.know(Self.member(3, election: larger.port))
            try await peer.order(.vote(.round(1), to: ServerID(3)))
            #expect(try larger.next().readInitialMessage().server == ServerID(2))
            let early = try RawLink(connectingTo: peer.electionPort)
            early.introduce(3)
            early.finish()
            try await peer.wait(for: "found 3", "lost 3")
            #expect(peer.heard == ["found 3", "lost 3"])
            // From now on it is asked again.
            try await peer.order(.vote(.round(2), to: ServerID(3)))
            #expect(try larger.next().readInitialMessage().server == ServerID(2))
        }
    }

    @Test func `a server that cannot be reached is one warning, and one attempt at a time`()
        async throws
    {
        let peer = try await LinkPeer(1)
        try await withPeers(peer) {
            try await peer.know(Self.member(9, election: 1))
            let message = "cannot reach a server's election port"
            for failure in 0..<3 {
                try await peer.run { links in
                    for _ in 0..<10 { links.carryOut([.vote(.round(1), to: ServerID(9))]) }
                }
                try await eventually(
                    "the attempt fails",
                    { peer.logs.count(.warning, message) > 0 })
                try await eventually(
                    "the attempt fails", { peer.logs.count(.debug, message) == failure })
                #expect(peer.logs.count(.warning, message) == 1)
            }
            #expect(peer.heard.isEmpty)
        }
    }

    @Test func `a port that is taken is told with what to do`() async throws {
        let taken = try RawPort()
        let peer = try await LinkPeer(1)
        try await withPeers(peer) {
            let failure = try await peer.startAgain(on: taken.port)
            #expect(failure?.exitCode == 14)
            #expect(failure?.message.contains("127.0.0.1:\(taken.port), the election port") == true)
            #expect(failure?.message.contains("stop what listens there") == true)
        }
    }

    @Test func `a server that is not among its members does not start`() async throws {
        let peer = try await LinkPeer(1)
        try await withPeers(peer) {
            let failure = try await peer.startAgain(on: 0, as: ServerID(5))
            #expect(failure?.exitCode == 2)
            #expect(failure?.message.contains("no line server.5") == true)
        }
    }

    @Test(arguments: [
        ("host:1", "host:1"), ("10.0.0.1:65535", "10.0.0.1:65535"), ("[::1]:3888", "[::1]:3888"),
        ("host", nil), (":1", nil), ("[]:1", nil), ("host:0", nil), ("host:65536", nil),
        ("host:x", nil), ("", nil),
    ])
    func `an address is a host and a port`(text: String, expected: String?) {
        #expect(PeerAddress.Endpoint(ByteString(text))?.description == expected)
    }

    @Test(arguments: ["0.0.0.0:1", "[::]:1", "[0:0:0:0:0:0:0:0]:1"])
    func `an address may name no machine`(text: String) {
        #expect(PeerAddress.Endpoint(ByteString(text))?.isWildcard == true)
    }
}
