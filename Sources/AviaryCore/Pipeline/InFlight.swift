import AviaryWire
import DequeModule
import NIOCore
import Zab

/// A write or a sync that waits for its commit.
struct InFlight: Sendable {
    enum Work: Sendable {
        /// A transaction in the log's form, and which parts of a multi that was asked for here are a
        /// create2: their records do not tell them from a create, and their client wants to know.
        case transaction(ByteBuffer, create2s: Set<Int>?)
        case sync(path: ByteString?)
        /// A client, here or at a learner, is to be told that its session is no more.
        case refusal(of: SessionID, over: LinkID?)
    }

    /// Who hears of it, and in which form.
    struct Caller: Sendable {
        /// The op code of the request, which decides the form of the reply.
        var request: OpCode
        let xid: Int32
        /// Nil for what nobody here has asked for.
        var connection: ConnectionID?
        var arrivedAt: Int64
    }

    let zxid: Zxid
    let work: Work
    var caller: Caller
}

/// What a learner has given its leader for its clients, and waits for, in the order it was given.
///
/// The leader answers a write by committing it, so who asked is found by session and cxid.
/// Source: CommitProcessor and FollowerZooKeeperServer.pendingSyncs, ZooKeeper 3.9.5.
struct ForwardedRequests: Sendable {
    struct Write: Sendable {
        let session: SessionID
        /// Of the client; 0 where it asks for a session.
        let cxid: Int32
        let request: OpCode
        /// Nil for the upgrade of a session, of which its client hears nothing.
        let connection: ConnectionID?
        let arrivedAt: Int64
    }

    struct Revalidation: Sendable {
        let session: SessionID
        let connection: ConnectionID
    }

    private var writes = Backlog<Write>()
    var syncs = Backlog<InFlight>()
    private var revalidations: Deque<Revalidation> = []

    var count: Int { writes.count + syncs.count }

    mutating func add(_ write: Write) { writes.append(write) }

    mutating func add(_ revalidation: Revalidation) { revalidations.append(revalidation) }

    /// The oldest write, if it is the one that a transaction was made of.
    mutating func claim(_ header: TxnHeader) -> Write? {
        writes.popFirst { $0.session == header.session && $0.cxid == header.cxid }
    }

    /// Who asked first whether a session may go on.
    mutating func takeRevalidation(of session: SessionID) -> ConnectionID? {
        guard let index = revalidations.firstIndex(where: { $0.session == session }) else {
            return nil
        }
        return revalidations.remove(at: index).connection
    }
}

extension ForwardedRequest {
    init(creating session: SessionID, timeoutMilliseconds: Int32) {
        self.init(
            session: session, cxid: 0, type: OpCode.createSession.rawValue,
            body: ByteBuffer(integer: timeoutMilliseconds).readableBytesSpan, identities: nil)
    }
}
