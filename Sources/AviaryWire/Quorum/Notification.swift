package import NIOCore

/// A vote, as servers send it to each other on the election port, in a frame of its own.
///
/// Source: FastLeaderElection.buildMsg and WorkerReceiver.run, ZooKeeper 3.9.5.
package struct Notification: WireRecord, Hashable {
    package enum State: Int32, Sendable {
        case looking = 0
        case following = 1
        case leading = 2
        case observing = 3
    }

    package static let currentVersion: Int32 = 2
    /// The longest frame on the election port.
    package static let maximumLength = 524_288

    package var state: State
    /// Whom the sender wants to lead; `Int64.min` from one that cannot vote.
    package var leader: ServerID
    /// The last zxid of the proposed leader.
    package var zxid: Zxid
    /// The sender's round.
    package var electionEpoch: Int64
    /// The epoch of the proposed leader.
    package var peerEpoch: Int64
    /// 0 in the two forms that have no version.
    package var version: Int32
    /// The last committed configuration; from version 2 on.
    package var configuration: ByteString?
    /// Whether the epoch stands in the message; the oldest form leaves it to the zxid.
    package private(set) var hasPeerEpoch = true

    package init(
        state: State, leader: ServerID, zxid: Zxid, electionEpoch: Int64, peerEpoch: Int64,
        configuration: ByteString?
    ) {
        self.state = state
        self.leader = leader
        self.zxid = zxid
        self.electionEpoch = electionEpoch
        self.peerEpoch = peerEpoch
        version = Self.currentVersion
        self.configuration = configuration ?? ""
    }

    package init(from reader: inout JuteReader) throws(WireError) {
        let rawState = try reader.readInt()
        guard let state = State(rawValue: rawState) else { throw .unknownType(rawState) }
        self.state = state
        leader = ServerID(try reader.readLong())
        zxid = Zxid(try reader.readLong())
        electionEpoch = try reader.readLong()
        version = 0
        if reader.remaining == 0 {
            peerEpoch = zxid.rawValue >> 32
            hasPeerEpoch = false
            return
        }
        peerEpoch = try reader.readLong()
        guard reader.remaining > 0 else { return }
        version = try reader.readInt()
        guard version >= Self.currentVersion else { return }
        let length = try reader.readInt()
        guard length >= 0, Int(length) <= reader.remaining else {
            throw .lengthOutOfBounds(length)
        }
        let start = reader.position
        try reader.skip(Int(length))
        configuration = ByteString(
            [UInt8](copying: reader.span(start..<reader.position)))
    }

    package func write(to buffer: inout ByteBuffer) {
        buffer.writeInteger(state.rawValue)
        buffer.writeInteger(leader.rawValue)
        buffer.writeInteger(zxid.rawValue)
        buffer.writeInteger(electionEpoch)
        guard hasPeerEpoch else { return }
        buffer.writeInteger(peerEpoch)
        guard version > 0 else { return }
        buffer.writeInteger(version)
        guard let configuration else { return }
        buffer.writeJute(configuration)
    }
}
