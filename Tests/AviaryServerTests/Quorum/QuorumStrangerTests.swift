import AviaryCore
import AviaryWire
import NIOCore
import Testing
import Zab

@testable import AviaryServer

/// What anybody may send to a quorum port, or from one, and what it costs.
struct QuorumStrangerTests {
    private static func hello(_ server: Int64) -> LearnerMessage {
        let info = LearnerInfo(server: ServerID(server), configurationVersion: .zero)
        return .followerInfo(info, accepted: .zero)
    }

    @Test func `a packet that cannot be read ends the link, once all before it is told`()
        async throws
    {
        let leader = try await LinkPeer(2)
        try await withPeers(leader) {
            try await leader.order(.listen)
            let learner = try RawLink(connectingTo: leader.quorumPort)
            var bytes = ByteBuffer()
            Self.hello(1).write(to: &bytes)
            QuorumPacket(.ack, Zxid(3)).write(to: &bytes)
            bytes.writeInteger(QuorumPacket.Kind.request.rawValue)
            bytes.writeInteger(Int64(-1))
            bytes.writeInteger(Int32.max)
            learner.send(bytes)
            #expect(learner.isClosed)
            try await leader.wait(for: "learner lost 1")
            #expect(
                leader.heard == ["learner 1", "1 says info 1", "1 says ack 3", "learner lost 1"])
            #expect(leader.logs.count(.warning, "closing a learner's connection") == 1)
        }
    }

    @Test func `a packet of an unknown type is passed on`() async throws {
        let leader = try await LinkPeer(2)
        try await withPeers(leader) {
            try await leader.order(.listen)
            let learner = try RawLink(connectingTo: leader.quorumPort)
            var bytes = ByteBuffer()
            Self.hello(1).write(to: &bytes)
            bytes.setInteger(Int32(99), at: bytes.readerIndex)
            learner.send(bytes)
            learner.send(QuorumPacket(.ack, Zxid(3)))
            try await leader.wait(for: "1 says ack 3")
            #expect(leader.heard.contains("1 says unknown 99"))
        }
    }

    @Test func `the first packet of a stranger is short`() async throws {
        let leader = try await LinkPeer(2)
        try await withPeers(leader) {
            try await leader.order(.listen)
            let long = try RawLink(connectingTo: leader.quorumPort)
            var bytes = ByteBuffer()
            bytes.writeInteger(QuorumPacket.Kind.followerInfo.rawValue)
            bytes.writeInteger(Int64(0))
            bytes.writeInteger(Int32(4097))
            long.send(bytes)
            #expect(long.isClosed)
            try await leader.wait(for: "learner lost 1")
            // Once it is known, a learner may send what the packet limit allows.
            let learner = try RawLink(connectingTo: leader.quorumPort)
            learner.send(Self.hello(1))
            let body = ByteBuffer(repeating: 1, count: 1_000_000)
            learner.send(QuorumPacket(.request, .none, data: body))
            try await leader.wait(for: "2 says request of \(1_000_000 - 16)")
        }
    }

    @Test func `a stranger that does not introduce itself is sent away in time`() async throws {
        let leader = try await LinkPeer(2, .test.with { $0.initTime = .milliseconds(50) })
        try await withPeers(leader) {
            try await leader.order(.listen)
            let silent = try RawLink(connectingTo: leader.quorumPort)
            #expect(silent.isClosed)
            try await leader.wait(for: "learner 1", "learner lost 1")
            #expect(leader.heard.count == 2)
        }
    }

    @Test func `so many strangers are let in and no more`() async throws {
        let leader = try await LinkPeer(2, .test.with { $0.maximumStrangers = 2 })
        try await withPeers(leader) {
            try await leader.order(.listen)
            let strangers = [
                try RawLink(connectingTo: leader.quorumPort),
                try RawLink(connectingTo: leader.quorumPort),
            ]
            try await leader.wait(for: "learner 1", "learner 2")
            #expect(try RawLink(connectingTo: leader.quorumPort).isClosed)
            strangers[0].send(Self.hello(1))
            try await leader.wait("an introduction") { $0.contains { $0.hasSuffix("says info 1") } }
            let next = try RawLink(connectingTo: leader.quorumPort)
            next.send(Self.hello(7))
            try await leader.wait("another") { $0.contains { $0.hasSuffix("says info 7") } }
        }
    }

    @Test func `so many learners are let in and no more`() async throws {
        let leader = try await LinkPeer(2, .test.with { $0.maximumLearners = 1 })
        try await withPeers(leader) {
            try await leader.order(.listen)
            let learner = try RawLink(connectingTo: leader.quorumPort)
            learner.send(Self.hello(1))
            try await leader.wait(for: "1 says info 1")
            #expect(try RawLink(connectingTo: leader.quorumPort).isClosed)
        }
    }

    @Test func `a learner that does not read what it is sent is dropped`() async throws {
        let leader = try await LinkPeer(2, .test.with { $0.maximumQueuedBytes = 1 << 20 })
        try await withPeers(leader) {
            try await leader.order(.listen)
            let learner = try RawLink(connectingTo: leader.quorumPort, receiveBuffer: 4096)
            learner.send(Self.hello(1))
            try await leader.wait(for: "1 says info 1")
            let entry = ByteBuffer(repeating: 7, count: 512 << 10)
            for _ in 0..<100 where !leader.heard.contains("learner lost 1") {
                try await leader.order(.sendToLearner(.proposal(Zxid(1), entry), LinkID(1)))
            }
            try await leader.wait(for: "learner lost 1")
            #expect(leader.heard == ["learner 1", "1 says info 1", "learner lost 1"])
        }
    }

    @Test func `what a leader sends and nobody can read ends the link`() async throws {
        let port = try RawPort()
        let learner = try await LinkPeer(1)
        try await withPeers(learner) {
            try await learner.know(
                PeerAddress(
                    id: ServerID(2), quorum: [.init("127.0.0.1", port.port)], election: [.any]))
            try await learner.order(.connect(to: ServerID(2), LinkID(1)))
            let first = try port.next()
            var packet = QuorumPacket(.commit, Zxid(1))
            packet.type = 55
            first.send(packet)
            // A proposal has data.
            first.send(QuorumPacket(.proposal, Zxid(2)))
            #expect(first.isClosed)
            try await learner.wait(for: "leader lost 1")
            #expect(learner.heard == ["leader 1", "1 orders unknown 55", "leader lost 1"])

            try await learner.order(.connect(to: ServerID(2), LinkID(2)))
            let second = try port.next()
            second.send(QuorumPacket(.snap, Zxid(9)))
            // No sessions, no lists, and then a node that is not the root.
            var tree = ByteBuffer()
            tree.writeInteger(Int32(0))
            tree.writeInteger(Int32(0))
            tree.writeJute(Array("/a/b".utf8))
            tree.writeRepeatingByte(0, count: 100)
            second.send(tree)
            #expect(second.isClosed)
            try await learner.wait(for: "leader lost 2")
            #expect(
                learner.heard.dropFirst(3) == ["leader 2", "2 orders snap 9", "leader lost 2"])
        }
    }
}
