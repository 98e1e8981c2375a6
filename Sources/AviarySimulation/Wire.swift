import AviaryCore
import AviaryStorage
import AviaryWire
import DequeModule
import NIOCore
import Zab

/// A connection: a learner's to its leader, or a client's to a server. What is sent on it keeps its
/// order; it is late, stalls, or breaks in the middle of a message.
final class Wire {
    enum Purpose {
        /// As the learner's peer numbers it.
        case quorum(LinkID)
        case client
    }

    enum Side: Int {
        /// Who connected: a learner or a client.
        case initiator = 0
        case acceptor = 1

        var other: Side { self == .initiator ? .acceptor : .initiator }
    }

    enum State {
        case opening
        case open
        case refused
    }

    enum Segment {
        case bytes(ByteBuffer)
        /// The other side has closed, or is no more.
        case end
    }

    /// What is on its way to one side.
    struct Pipe {
        var segments: Deque<(at: Int64, segment: Segment)> = []
        /// When the last one arrives, if nothing holds it up.
        var lastArrival: Int64 = 0
        /// The arrival of the first is on the agenda.
        var isScheduled = false
        /// The reader has something else to do, and will read what comes meanwhile as well.
        var isReaderBusy = false
    }

    /// One side's view.
    struct End {
        let node: Int
        var life: Int
        /// It has closed, or has been told of the end: nothing more is delivered to it.
        var isGone = false
        var input = ByteBuffer()
    }

    let id: Int
    let purpose: Purpose
    let openedAt: Int64
    var state = State.opening
    var ends: [End]
    var pipes = [Pipe(), Pipe()]

    // At a leader's end.
    /// The core knows of it.
    var isAnnounced = false
    /// Which sessions the pings on their way speak for, and behind how many bytes sent.
    var touches: Deque<(behind: Int, sessions: [SessionID])> = []
    var sentToAcceptor = 0
    var takenByAcceptor = 0

    /// For sabotage, while history is sent: the last of it, which waits for what comes next.
    var lastOfHistory: [LeaderMessage]?

    // At a learner's end.
    /// Reads the tree that follows a `snap`.
    var snapshot: (zxid: Zxid, reader: TreeReader)?
    /// For sabotage: what is delivered with the next message.
    var held: LeaderMessage?

    // At a server's end of a client's connection.
    var connection: ConnectionID?

    init(id: Int, purpose: Purpose, from initiator: End, to acceptor: End, at time: Int64) {
        self.id = id
        self.purpose = purpose
        openedAt = time
        ends = [initiator, acceptor]
    }

    /// How a leader's core calls it: numbers are never used twice.
    var leaderLink: LinkID { LinkID(UInt64(id) + 1) }

    subscript(side: Side) -> End {
        get { ends[side.rawValue] }
        set { ends[side.rawValue] = newValue }
    }

    /// Nobody listens any more.
    var isOver: Bool { ends[0].isGone && ends[1].isGone }
}

/// A box for what cannot be copied.
final class TreeReader {
    private var reader: SnapshotStreamReader?

    init(hashSeed: UInt64) {
        reader = SnapshotStreamReader(hashSeed: hashSeed, extendedTypes: false)
    }

    /// The tree, once it is whole.
    func take(_ bytes: inout ByteBuffer, zxid: Zxid) throws(StorageError) -> TreeBox? {
        guard var taken = reader.take() else { return nil }
        let isWhole = try taken.take(&bytes)
        if isWhole { return TreeBox(taken.finish(zxid: zxid)) }
        reader = consume taken
        return nil
    }
}

final class TreeBox {
    private var tree: DataTree?

    init(_ tree: consuming DataTree) {
        self.tree = consume tree
    }

    func take() -> DataTree? { tree.take() }
}
