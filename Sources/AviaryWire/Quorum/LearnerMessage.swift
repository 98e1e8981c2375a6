package import NIOCore

/// What a follower or an observer tells its leader.
///
/// Source: Learner, SendAckRequestProcessor and LearnerHandler, ZooKeeper 3.9.5.
package enum LearnerMessage: Hashable, Sendable {
    /// The first packet of a follower; the zxid is its accepted epoch with a counter of zero.
    case followerInfo(LearnerInfo?, accepted: Zxid)
    case observerInfo(LearnerInfo?, accepted: Zxid)
    /// The last zxid of the learner's log. A current epoch of -1 means that the epoch had been
    /// accepted before, and is not accepted once more.
    case ackEpoch(lastZxid: Zxid, currentEpoch: Int32)
    /// As many proposals in a row, this the first; each has a packet of its own.
    case ack(Zxid, count: Int = 1)
    case ping(Zxid, touched: [SessionTouch])
    case revalidate(SessionID, timeoutMilliseconds: Int32)
    case request(ForwardedRequest)
    /// Of no meaning to a leader.
    case unknown(type: Int32)

    package var isAcknowledgement: Bool {
        if case .ack = self { true } else { false }
    }

    /// Reads a packet where it stands. What most of them are is not made a packet first.
    init(
        _ layout: PacketLayout, in buffer: ByteBuffer, _ memo: inout IdentityMemo
    ) throws(WireError) {
        switch layout.kind {
        case .ack: self = .ack(layout.zxid)
        case .request:
            let identities = try memo.read(buffer.readableBytesSpan.extracting(layout.identities))
            let data = try layout.requiredData(in: buffer)
            self = .request(try ForwardedRequest(data: data, identities: identities))
        default: try self.init(rare: QuorumPacket(layout, in: buffer, &memo))
        }
    }

    private init(rare packet: QuorumPacket) throws(WireError) {
        switch packet.kind {
        case .followerInfo:
            self = .followerInfo(try Self.info(packet.data), accepted: packet.zxid)
        case .observerInfo:
            self = .observerInfo(try Self.info(packet.data), accepted: packet.zxid)
        case .ackEpoch:
            let epoch = try packet.payload { reader throws(WireError) in try reader.readInt() }
            self = .ackEpoch(lastZxid: packet.zxid, currentEpoch: epoch)
        case .ping: self = .ping(packet.zxid, touched: try Self.touches(packet.data))
        case .revalidate:
            let touch = try packet.payload { reader throws(WireError) in
                try SessionTouch(from: &reader)
            }
            self = .revalidate(touch.session, timeoutMilliseconds: touch.timeoutMilliseconds)
        default: self = .unknown(type: packet.type)
        }
    }

    private static func info(_ data: ByteBuffer?) throws(WireError) -> LearnerInfo? {
        guard let data else { return nil }
        var reader = JuteReader(data.readableBytesSpan)
        return try LearnerInfo(from: &reader)
    }

    private static func touches(_ data: ByteBuffer?) throws(WireError) -> [SessionTouch] {
        guard let data else { return [] }
        var reader = JuteReader(data.readableBytesSpan)
        var list: [SessionTouch] = []
        list.reserveCapacity(reader.remaining / SessionTouch.byteCount)
        while reader.remaining > 0 { list.append(try SessionTouch(from: &reader)) }
        return list
    }

    /// Writes the packets that say this; none for what has no meaning.
    package func write(to buffer: inout ByteBuffer) {
        if case .ack(let first, let count) = self {
            QuorumPacket.writeRun(.ack, first, count: count, to: &buffer)
        } else {
            packet?.write(to: &buffer)
        }
    }

    /// Nil for what is written without one, and for what has no meaning.
    private var packet: QuorumPacket? {
        switch self {
        case .followerInfo(let info, let accepted):
            QuorumPacket(.followerInfo, accepted, data: info.map(Self.data))
        case .observerInfo(let info, let accepted):
            QuorumPacket(.observerInfo, accepted, data: info.map(Self.data))
        case .ackEpoch(let lastZxid, let epoch):
            QuorumPacket(.ackEpoch, lastZxid, data: ByteBuffer(integer: epoch))
        case .ping(let zxid, let touched): Self.ping(zxid, touched)
        case .revalidate(let session, let timeout):
            QuorumPacket(
                .revalidate, .none,
                data: Self.data(SessionTouch(session, timeoutMilliseconds: timeout)))
        case .request(let request): Self.packet(request)
        case .ack, .unknown: nil
        }
    }

    private static func data(_ info: LearnerInfo) -> ByteBuffer {
        var data = ByteBuffer()
        info.write(to: &data)
        return data
    }

    private static func data(_ touch: SessionTouch) -> ByteBuffer {
        var data = ByteBuffer()
        touch.write(to: &data)
        return data
    }

    private static func ping(_ zxid: Zxid, _ touched: [SessionTouch]) -> QuorumPacket {
        var data = ByteBuffer()
        data.reserveCapacity(touched.count * SessionTouch.byteCount)
        for touch in touched { touch.write(to: &data) }
        return QuorumPacket(.ping, zxid, data: data)
    }

    private static func packet(_ request: ForwardedRequest) -> QuorumPacket {
        QuorumPacket(.request, .none, data: request.data, identities: request.identities)
    }
}

extension Zxid {
    /// Where a packet has no zxid.
    package static let none = Zxid(-1)
}

extension QuorumPacket {
    /// Reads the data, which must be there; bytes that follow what is read are ignored.
    func payload<Value>(
        _ read: (inout JuteReader) throws(WireError) -> Value
    ) throws(WireError) -> Value {
        guard let data else { throw .unexpectedNull }
        var reader = JuteReader(data.readableBytesSpan)
        return try read(&reader)
    }
}
