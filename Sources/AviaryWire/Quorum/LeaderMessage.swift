package import NIOCore

/// What a leader tells a learner.
///
/// Source: Leader, LearnerHandler and Learner.syncWithLeader, ZooKeeper 3.9.5.
package enum LeaderMessage: Hashable, Sendable {
    /// The zxid is the new epoch with a counter of zero.
    case leaderInfo(Zxid, protocolVersion: Int32)
    /// The learner's log is a beginning of the leader's.
    case diff(Zxid)
    /// The learner is to forget what it has beyond a zxid.
    case trunc(Zxid)
    /// A snapshot follows in the stream, up to and with its signature.
    case snap(Zxid)
    /// The end of the history: the epoch with a counter of zero, and the leader's configuration.
    case newLeader(Zxid, configuration: ByteString?)
    case upToDate
    /// A transaction as it stands in the log.
    case proposal(Zxid, ByteBuffer)
    /// As many proposals in a row, this the first; each has a packet of its own.
    case commit(Zxid, count: Int = 1)
    /// Proposal and commit in one, for observers.
    case inform(Zxid, ByteBuffer)
    /// The commit of a reconfiguration, and who is to lead in it.
    case commitAndActivate(Zxid, leader: ServerID)
    case informAndActivate(Zxid, leader: ServerID, ByteBuffer)
    case ping(Zxid)
    case revalidated(SessionID, isValid: Bool)
    /// Answers the oldest sync that the learner has asked for.
    case sync
    /// Of no meaning to a learner.
    case unknown(type: Int32)

    /// Reads a packet where it stands. What most of them are is not made a packet first.
    init(
        _ layout: PacketLayout, in buffer: ByteBuffer, _ memo: inout IdentityMemo
    ) throws(WireError) {
        switch layout.kind {
        case .proposal: self = .proposal(layout.zxid, try layout.requiredData(in: buffer))
        case .commit: self = .commit(layout.zxid)
        default: try self.init(rare: QuorumPacket(layout, in: buffer, &memo))
        }
    }

    private init(rare packet: QuorumPacket) throws(WireError) {
        switch packet.kind {
        case .leaderInfo:
            let version = try packet.payload { reader throws(WireError) in try reader.readInt() }
            self = .leaderInfo(packet.zxid, protocolVersion: version)
        case .diff: self = .diff(packet.zxid)
        case .trunc: self = .trunc(packet.zxid)
        case .snap: self = .snap(packet.zxid)
        case .newLeader:
            let text = packet.data.map { ByteString([UInt8](copying: $0.readableBytesSpan)) }
            self = .newLeader(packet.zxid, configuration: text)
        case .upToDate: self = .upToDate
        case .inform: self = .inform(packet.zxid, try packet.requiredData)
        case .commitAndActivate:
            self = .commitAndActivate(packet.zxid, leader: try packet.leader)
        case .informAndActivate:
            var entry = try packet.requiredData
            let leader = try packet.leader
            entry.moveReaderIndex(forwardBy: 8)
            self = .informAndActivate(packet.zxid, leader: leader, entry.slice())
        case .ping: self = .ping(packet.zxid)
        case .revalidate:
            self = try packet.payload { reader throws(WireError) in
                let session = SessionID(try reader.readLong())
                return .revalidated(session, isValid: try reader.readBool())
            }
        case .sync: self = .sync
        default: self = .unknown(type: packet.type)
        }
    }

    /// Writes the packets that say this; none for what has no meaning.
    package func write(to buffer: inout ByteBuffer) {
        switch self {
        case .commit(let first, let count):
            QuorumPacket.writeRun(.commit, first, count: count, to: &buffer)
        case .proposal(let zxid, let entry):
            QuorumPacket.write(.proposal, zxid, data: entry.readableBytesSpan, to: &buffer)
        default: packet?.write(to: &buffer)
        }
    }

    /// Nil for what is written without one, and for what has no meaning.
    private var packet: QuorumPacket? {
        switch self {
        case .leaderInfo(let epoch, let version):
            QuorumPacket(.leaderInfo, epoch, data: ByteBuffer(integer: version))
        case .diff(let zxid): QuorumPacket(.diff, zxid)
        case .trunc(let zxid): QuorumPacket(.trunc, zxid)
        case .snap(let zxid): QuorumPacket(.snap, zxid)
        case .newLeader(let epoch, let text):
            QuorumPacket(.newLeader, epoch, data: text.map { ByteBuffer(bytes: $0.bytes) })
        case .upToDate: QuorumPacket(.upToDate, .none)
        case .inform(let zxid, let entry): QuorumPacket(.inform, zxid, data: entry)
        case .commitAndActivate(let zxid, let leader):
            QuorumPacket(.commitAndActivate, zxid, data: ByteBuffer(integer: leader.rawValue))
        case .informAndActivate(let zxid, let leader, let entry):
            QuorumPacket(.informAndActivate, zxid, data: Self.data(leader, entry))
        case .ping(let zxid): QuorumPacket(.ping, zxid)
        case .revalidated(let session, let isValid):
            QuorumPacket(.revalidate, .none, data: Self.data(session, isValid))
        case .sync: QuorumPacket(.sync, .zero)
        case .proposal, .commit, .unknown: nil
        }
    }

    private static func data(_ leader: ServerID, _ entry: ByteBuffer) -> ByteBuffer {
        var data = ByteBuffer(integer: leader.rawValue)
        data.writeImmutableBuffer(entry)
        return data
    }

    private static func data(_ session: SessionID, _ isValid: Bool) -> ByteBuffer {
        var data = ByteBuffer(integer: session.rawValue)
        data.writeBool(isValid)
        return data
    }
}

extension QuorumPacket {
    fileprivate var requiredData: ByteBuffer {
        get throws(WireError) {
            guard let data else { throw .unexpectedNull }
            return data
        }
    }

    fileprivate var leader: ServerID {
        get throws(WireError) {
            ServerID(try payload { reader throws(WireError) in try reader.readLong() })
        }
    }
}
