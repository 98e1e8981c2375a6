import AviaryStorage
import AviaryWire
import NIOCore
import NIOPosix
import Testing
import Zab

@testable import AviaryCore
@testable import AviaryServer

/// A tree on its way from a leader to a learner.
struct SnapshotLinkTests {
    private static let nodeCount = 50_000

    /// Data of 200 bytes in each node, so that the stream is some 15 MB.
    private static func snapshot(nodes: Int = nodeCount) -> TreeSnapshot {
        var tree = DataTree(hashSeed: 42, extendedTypes: true)
        let data = [UInt8](repeating: 5, count: 200)
        for number in 0..<nodes {
            let header = TxnHeader(
                session: .none, cxid: 0, zxid: tree.lastProcessedZxid.next,
                time: 1_700_000_000_000, type: .create)
            let path = number % 100 == 0 ? "/p\(number)" : "/p\(number / 100 * 100)/n\(number)"
            let txn = Txn.create(
                CreateTxn(
                    path: Path([UInt8](path.utf8)), data: data, acl: ACL.openToAll,
                    isEphemeral: false,
                    parentCVersion: Int32(number)))
            tree.apply(header, txn)
        }
        return tree.snapshot
    }

    @Test func `a tree comes whole, and what is sent after it comes after it`() async throws {
        let snapshot = Self.snapshot()
        let (one, two) = (try await LinkPeer(1), try await LinkPeer(2))
        try await withPeers(one, two) {
            // Each sends it to the other.
            for (leader, learner) in [(one, two), (two, one)] {
                try await leader.order(.listen)
                try await learner.order(.connect(to: leader.id, LinkID(7)))
                try await learner.wait(for: "leader 7")
                try await leader.wait("a learner") { $0.last?.hasPrefix("learner ") == true }
                let link = try #require(
                    leader.events.reversed().compactMap { event -> LinkID? in
                        guard case .quorum(.learnerConnected(let link)) = event else { return nil }
                        return link
                    }.first)
                try await leader.run { links in
                    links.carryOut([
                        .sendToLearner(.leaderInfo(.zero, protocolVersion: 1), link),
                        .sendSnapshot(snapshot.zxid, snapshot, link),
                        .sendToLearner(
                            .proposal(Zxid(1), ByteBuffer(repeating: 1, count: 100_000)), link),
                    ])
                    links.carryOut([.sendToLearner(.commit(Zxid(1)), link)])
                }
                try await learner.wait(for: "7 orders commit 1")
                let heard = learner.heard.drop { $0 != "leader 7" }
                #expect(
                    heard.dropFirst(2) == [
                        "7 orders snap \(snapshot.zxid.rawValue)", "tree \(snapshot.zxid) 7",
                        "7 orders proposal 1 of 100000", "7 orders commit 1",
                    ])
                let box = learner.events.compactMap { event -> TreeBox? in
                    guard case .tree(let box, _, _) = event else { return nil }
                    return box
                }.last
                try #require(box != nil)
                guard let tree = box?.take() else { return }
                let (received, zxid) = (tree.nodeCount, tree.lastProcessedZxid)
                #expect(received == snapshot.nodeCount)
                #expect(zxid == snapshot.zxid)
                tree.checkInvariants()

                try await leader.order(.disconnectLearners)
                try await learner.wait(for: "leader lost 7")
                try await learner.order(.disconnectLeader(LinkID(7)))
            }
        }
    }

    @Test func `no more of a tree is made than the other side takes`() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let port = try RawPort()
        let channel = try await ClientBootstrap(group: group)
            .connect(host: "127.0.0.1", port: port.port).get()
        let reader = try port.next()
        let snapshot = Self.snapshot()
        let box = NIOLoopBoundBox<LinkWriter?>.makeEmptyBox(
            valueType: LinkWriter.self, eventLoop: loop)
        let tail = QuorumPacket(.commit, Zxid(77))
        try await loop.submit {
            let writer = LinkWriter(channel)
            box.value = writer
            try channel.pipeline.syncOperations.addHandler(WriterHandler(writer))
            writer.append { QuorumPacket(.snap, snapshot.zxid).write(to: &$0) }
            writer.append(snapshot)
            writer.append { tail.write(to: &$0) }
            writer.flush()
        }.get()
        try await eventually("the socket is full", { !channel.isWritable })
        let queued = try await loop.submit { box.value?.queuedByteCount ?? 0 }.get()
        // A piece of which the socket has taken nearly all, one that it has not, and the packet behind.
        #expect(queued > 0)
        #expect(queued < 3 * (256 << 10))

        var packet = ByteBuffer()
        QuorumPacket(.snap, snapshot.zxid).write(to: &packet)
        #expect(reader.read(packet.readableBytes) == packet)
        var stream = SnapshotStreamReader(hashSeed: 1, extendedTypes: true)
        var bytes = ByteBuffer()
        while try !stream.take(&bytes) {
            let more = reader.readOnce()
            try #require(more.readableBytes > 0)
            bytes.discardReadBytes()
            bytes.writeImmutableBuffer(more)
        }
        let count = stream.finish(zxid: snapshot.zxid).nodeCount
        #expect(count == snapshot.nodeCount)
        var end = ByteBuffer()
        tail.write(to: &end)
        bytes.writeImmutableBuffer(reader.read(end.readableBytes - bytes.readableBytes))
        #expect(bytes == end)
        let left = try await loop.submit { box.value?.queuedByteCount ?? -1 }.get()
        #expect(left == 0)
        try await loop.submit { box.value = nil }.get()
        try await group.shutdownGracefully()
    }

    private final class WriterHandler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let writer: LinkWriter

        init(_ writer: LinkWriter) { self.writer = writer }

        func channelWritabilityChanged(context: ChannelHandlerContext) {
            writer.writabilityChanged()
        }
    }

    @Test func `a learner that leaves in the middle of a tree ends it`() async throws {
        let snapshot = Self.snapshot()
        let leader = try await LinkPeer(2)
        try await withPeers(leader) {
            try await leader.order(.listen)
            let learner = try RawLink(connectingTo: leader.quorumPort, receiveBuffer: 4096)
            try await leader.wait(for: "learner 1")
            try await leader.order(
                .sendSnapshot(snapshot.zxid, snapshot, LinkID(1)),
                .sendToLearner(.commit(Zxid(1)), LinkID(1)))
            #expect(learner.read(10_000).readableBytes == 10_000)
            learner.finish()
            try await leader.wait(for: "learner lost 1")
            try await leader.order(.sendToLearner(.commit(Zxid(2)), LinkID(1)))
            #expect(leader.heard == ["learner 1", "learner lost 1"])
        }
    }
}
