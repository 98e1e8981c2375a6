import AviaryWire
import NIOCore
import Recordings
import Testing

struct QuorumWireTests {
    private func packet(dataLength: Int32, then rest: [Int32] = []) -> [UInt8] {
        var buffer = ByteBuffer()
        buffer.writeInteger(QuorumPacket.Kind.proposal.rawValue)
        buffer.writeInteger(Int64(1))
        buffer.writeInteger(dataLength)
        for value in rest { buffer.writeInteger(value) }
        return Array(buffer.readableBytesView)
    }

    @Test(arguments: [Int32(-2), 101, .max])
    func `a packet's length is judged before its bytes are there`(length: Int32) {
        let bytes = packet(dataLength: length)
        #expect(throws: WireError.lengthOutOfBounds(length)) {
            try firstPacket(in: bytes, maximumLength: 100)
        }
    }

    @Test func `a packet names no more identities than a client can have`() {
        let bytes = packet(dataLength: -1, then: [1_000_000])
        #expect(throws: WireError.lengthOutOfBounds(1_000_000)) {
            try firstPacket(in: bytes)
        }
    }

    @Test func `the lengths of all identities together are bounded`() {
        let identity: [Int32] = [60] + [Int32](repeating: 0, count: 15)
        let bytes = packet(dataLength: -1, then: [2] + identity + identity)
        #expect(throws: WireError.lengthOutOfBounds(128)) {
            try firstPacket(in: bytes, maximumLength: 100)
        }
    }

    @Test func `what lacks the data it needs is refused`() {
        for kind in [QuorumPacket.Kind.request, .ackEpoch, .revalidate] {
            #expect(throws: WireError.unexpectedNull) {
                try QuorumPacket(kind, .zero).learnerMessage
            }
        }
        for kind in [QuorumPacket.Kind.proposal, .inform, .leaderInfo, .commitAndActivate] {
            #expect(throws: WireError.unexpectedNull) {
                try QuorumPacket(kind, .zero).leaderMessage
            }
        }
        #expect(throws: WireError.truncated) {
            try QuorumPacket(.ping, .zero, data: ByteBuffer(bytes: [1, 2, 3])).learnerMessage
        }
    }

    @Test func `an unknown packet is passed over, not refused`() throws {
        var packet = QuorumPacket(.ping, .zero)
        packet.type = 99
        #expect(try packet.learnerMessage == .unknown(type: 99))
        #expect(try packet.leaderMessage == .unknown(type: 99))
    }

    @Test(arguments: [8, 12, 20])
    func `a learner may introduce itself in shorter forms`(length: Int) throws {
        var buffer = ByteBuffer()
        LearnerInfo(server: ServerID(3), configurationVersion: Zxid(7)).write(to: &buffer)
        let bytes = Array(buffer.readableBytesView.prefix(length))
        var reader = JuteReader(bytes.raw)
        let info = try LearnerInfo(from: &reader)
        #expect(info.server == ServerID(3))
        #expect(info.protocolVersion == (length >= 12 ? LearnerInfo.currentProtocol : nil))
        #expect(info.configurationVersion == (length >= 20 ? Zxid(7) : nil))
        var again = ByteBuffer()
        info.write(to: &again)
        #expect(Array(again.readableBytesView) == bytes)
    }

    @Test func `votes of older servers are read as they came`() throws {
        let vote = Notification(
            state: .looking, leader: ServerID(2), zxid: Zxid(0x5_0000_0001), electionEpoch: 3,
            peerEpoch: 5, configuration: "version=0")
        var buffer = ByteBuffer()
        vote.write(to: &buffer)
        let bytes = Array(buffer.readableBytesView)
        for length in [28, 36] {
            let part = Array(bytes.prefix(length))
            var reader = JuteReader(part.raw)
            let old = try Notification(from: &reader)
            #expect(old.peerEpoch == 5 && old.version == 0 && old.configuration == nil)
            var again = ByteBuffer()
            old.write(to: &again)
            #expect(Array(again.readableBytesView) == part)
        }
        for length in Array(0..<28) + Array(29..<36) + Array(37..<bytes.count) {
            let part = Array(bytes.prefix(length))
            var reader = JuteReader(part.raw)
            #expect(throws: WireError.self) { try Notification(from: &reader) }
        }
    }

    /// With anything else the client that waits for it waits for ever.
    @Test func `H.32: the answer to a revalidation has zxid -1 and nine bytes`() throws {
        for isValid in [true, false] {
            let answer = LeaderMessage.revalidated(SessionID(0x0102_0304), isValid: isValid)
            var bytes = ByteBuffer()
            answer.write(to: &bytes)
            let packet = try #require(try takePackets(from: &bytes).first)
            #expect(packet.zxid == Zxid(-1))
            let data = try #require(packet.data)
            #expect(Array(data.readableBytesView) == [0, 0, 0, 0, 1, 2, 3, 4, isValid ? 1 : 0])
        }
    }

    /// An Apache leader counts the answers to each proposal apart, and an Apache follower takes one
    /// proposal for each commit.
    @Test func `H.58: many acknowledgements or commits are a packet each`() throws {
        var bytes = ByteBuffer()
        LearnerMessage.ack(Zxid(5), count: 3).write(to: &bytes)
        LeaderMessage.commit(Zxid(8), count: 2).write(to: &bytes)
        let expected =
            [(.ack, 5), (.ack, 6), (.ack, 7), (.commit, 8), (.commit, 9)]
            as [(QuorumPacket.Kind, Int64)]
        #expect(try takePackets(from: &bytes) == expected.map { QuorumPacket($0, Zxid($1)) })
    }

    /// What is asked for is done after the step that brings it, what is acknowledged within it.
    @Test func `no acknowledgement is in a list behind anything else`() throws {
        let ping = LearnerMessage.ping(Zxid(1), touched: [])
        let said: [LearnerMessage] = [.ack(Zxid(1)), .ack(Zxid(2)), .ack(Zxid(5)), ping, ping]
        var packets = PacketBuffer { bytes in
            for message in said + said { message.write(to: &bytes) }
        }
        var lists: [[LearnerMessage]] = []
        try packets.takeMessages(QuorumPacketDecoder(), into: &lists)
        let list: [LearnerMessage] = [.ack(Zxid(1), count: 2), .ack(Zxid(5)), ping, ping]
        #expect(lists == [list, list])
    }

    @Test func `what follows a vote is ignored`() throws {
        let vote = Notification(
            state: .leading, leader: ServerID(2), zxid: .zero, electionEpoch: 3, peerEpoch: 5,
            configuration: "x")
        var buffer = ByteBuffer()
        vote.write(to: &buffer)
        buffer.writeInteger(Int64(77))
        var reader = JuteReader(buffer.readableBytesSpan)
        #expect(try Notification(from: &reader) == vote)
    }

    @Test func `a greeting is waited for, and its length is bounded`() throws {
        let greeting = InitialMessage(
            server: ServerID(1), addresses: ["[::1]:3888", "h:3888"], sendsAll: true)
        var buffer = ByteBuffer()
        greeting.write(to: &buffer)
        let bytes = Array(buffer.readableBytesView)
        for length in 0..<bytes.count {
            #expect(try InitialMessage.first(in: Array(bytes.prefix(length)).raw) == nil)
        }
        #expect(try InitialMessage.first(in: bytes.raw)?.message == greeting)
        for length in [Int32(-1), 0, 2049] {
            var long = ByteBuffer(integer: Int64(-65536))
            long.writeInteger(Int64(1))
            long.writeInteger(length)
            let bytes = Array(long.readableBytesView)
            #expect(throws: WireError.lengthOutOfBounds(length)) {
                try InitialMessage.first(in: bytes.raw)
            }
        }
        let unknown = Array(ByteBuffer(integer: Int64(-65534)).readableBytesView)
        #expect(throws: WireError.self) { try InitialMessage.first(in: unknown.raw) }
        let bare = Array(ByteBuffer(integer: Int64(9)).readableBytesView)
        #expect(try InitialMessage.first(in: bare.raw)?.message.server == ServerID(9))
    }
}

/// The first packet in what came over a link; nil if it is not all there.
func firstPacket(
    in bytes: [UInt8], maximumLength: Int = QuorumPacketDecoder.defaultMaximumLength
) throws -> QuorumPacket? {
    var buffer = ByteBuffer(bytes: bytes)
    return try takePackets(from: &buffer, maximumLength: maximumLength).first
}

/// Takes the packets that are all there.
func takePackets(
    from buffer: inout ByteBuffer, maximumLength: Int = QuorumPacketDecoder.defaultMaximumLength
) throws -> [QuorumPacket] {
    let decoder = QuorumPacketDecoder(maximumLength: maximumLength)
    var memo = IdentityMemo()
    var packets: [QuorumPacket] = []
    while let layout = try decoder.nextPacket(in: buffer.readableBytesSpan, from: 0) {
        packets.append(try QuorumPacket(layout, in: buffer, &memo))
        buffer.moveReaderIndex(forwardBy: layout.end)
    }
    return packets
}

extension QuorumPacket {
    /// What a learner takes it for.
    var leaderMessage: LeaderMessage {
        get throws {
            var said: [LeaderMessage] = []
            var arrived = PacketBuffer(of: write)
            try arrived.takeMessages(QuorumPacketDecoder(), into: &said)
            return try #require(said.first)
        }
    }

    /// What a leader takes it for.
    var learnerMessage: LearnerMessage {
        get throws {
            var said: [[LearnerMessage]] = []
            var arrived = PacketBuffer(of: write)
            try arrived.takeMessages(QuorumPacketDecoder(), into: &said)
            return try #require(said.first?.first)
        }
    }
}
