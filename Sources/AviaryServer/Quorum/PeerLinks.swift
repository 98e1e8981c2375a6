import AviaryCore
import AviaryWire
import Logging
import NIOCore
import Zab

/// This server's sockets to the other members: the election port and the quorum port. It carries out
/// what a step orders, and tells what came of it; it decides nothing of the protocol.
///
/// It lives on one event loop: made there, and every method called there.
final class PeerLinks {
    enum Event: Sendable {
        case quorum(QuorumPeer.Event)
        /// The tree that followed `snap` on this link to the leader, and that packet's zxid.
        case tree(TreeBox, Zxid, LinkID)
    }

    /// Answered once, on any thread; nil if there is no such log.
    typealias LogReading = (
        _ first: Zxid, _ last: Zxid, _ answer: @escaping @Sendable ([Proposal]?) -> Void
    ) -> Void

    private let own: ServerID
    private let settings: PeerLinkSettings
    private let loop: any EventLoop
    private let events: LinkEvents
    private let election: ElectionLinks
    private let learners: LearnerLinks
    private let leader: LeaderLinks
    private let electionPort: PeerPort
    private let quorumPort: PeerPort
    private let readLog: LogReading

    /// Where the members are, this one among them. What is connected stays so.
    var members: [PeerAddress] {
        didSet {
            let members = Self.byID(members)
            election.members = members
            leader.members = members
        }
    }

    /// - Parameter deliver: called on the loop, never within `carryOut`, with what one read of a
    ///   socket brought, or with what else happened since the last call.
    init(
        own: ServerID, members: [PeerAddress], _ settings: PeerLinkSettings,
        on loop: any EventLoop, logger: Logger, readLog: @escaping LogReading,
        deliver: @escaping ([Event]) -> Void
    ) {
        loop.preconditionInEventLoop()
        self.own = own
        self.members = members
        self.settings = settings
        self.loop = loop
        self.readLog = readLog
        let byID = Self.byID(members)
        let events = LinkEvents(loop: loop, receive: deliver)
        self.events = events
        let election = ElectionLinks(
            own: own, members: byID, settings, on: loop, events: events, logger: logger)
        let learners = LearnerLinks(settings, events: events, logger: logger)
        leader = LeaderLinks(members: byID, settings, on: loop, events: events, logger: logger)
        self.election = election
        self.learners = learners
        electionPort = PeerPort(
            "election", on: loop, exitCode: Self.electionPortExitCode,
            keepAlive: settings.tcpKeepAlive, accept: election.accept)
        quorumPort = PeerPort("quorum", on: loop, exitCode: 1, accept: learners.accept)
    }

    /// Source: ExitCode.UNABLE_TO_BIND_QUORUM_PORT, ZooKeeper 3.9.5.
    private static let electionPortExitCode: Int32 = 14

    private static func byID(_ members: [PeerAddress]) -> [ServerID: PeerAddress] {
        Dictionary(members.map { ($0.id, $0) }) { _, last in last }
    }

    /// Opens both ports. Fails with a `LaunchError`; neither is open then.
    func start() -> EventLoopFuture<Void> {
        guard let address = members.first(where: { $0.id == own }) else {
            return loop.makeFailedFuture(
                LaunchError(
                    message: "this server's id is \(own), and there is no line server.\(own); "
                        + "correct myid or add the line", exitCode: 2))
        }
        let onAll = settings.listensOnAllAddresses
        let opened = electionPort.open(address.election, onAllAddresses: onAll).assumeIsolated()
            .flatMap { self.quorumPort.open(address.quorum, onAllAddresses: onAll) }
        opened.whenFailure { _ in self.electionPort.close() }
        return opened.nonisolated()
    }

    /// Closes everything; nothing more is delivered.
    func stop() {
        events.stop()
        electionPort.close()
        quorumPort.close()
        election.stop()
        learners.stop()
        leader.drop()
    }

    /// The ports that are open, if the system chose them.
    var ports: (election: [Int], quorum: [Int]) { (electionPort.ports, quorumPort.ports) }

    /// In order; each connection that has something to send is flushed once, at the end.
    func carryOut(_ orders: [StepEffects.Peer]) {
        loop.preconditionInEventLoop()
        var broadcast = LearnerLinks.Broadcast()
        for order in orders {
            guard case .sendToLearners(let message, let ids) = order else {
                learners.send(&broadcast)
                carryOut(order)
                continue
            }
            if broadcast.ids != ids { learners.send(&broadcast, before: ids) }
            broadcast.add(message)
        }
        learners.send(&broadcast)
        election.flush()
        learners.flush()
        leader.flush()
    }

    private func carryOut(_ order: StepEffects.Peer) {
        switch order {
        case .vote(let vote, let server): election.queue(vote, to: server)
        case .listen: learners.listen()
        case .sendToLearner(let message, let link): learners.send(message, to: link)
        case .sendToLearners: preconditionFailure("a broadcast is sent as a whole")
        case .sendSnapshot(let zxid, let snapshot, let link):
            learners.send(snapshot, zxid, to: link)
        case .readLog(let first, let last, let link): readLog(from: first, through: last, for: link)
        case .disconnectLearner(let link): learners.disconnect(link)
        case .disconnectLearners: learners.disconnectAll()
        case .connect(let server, let link):
            learners.refuse()
            leader.connect(to: server, link)
        case .sendToLeader(let message, let link): leader.send(message, on: link)
        case .disconnectLeader(let link):
            learners.park()
            leader.disconnect(link)
        }
    }

    private func readLog(from first: Zxid, through last: Zxid, for link: LinkID) {
        guard learners.isKnown(link) else { return }
        let links = NIOLoopBound(self, eventLoop: loop)
        readLog(first, last) { [loop] log in
            loop.execute { links.value.hasRead(log, for: link) }
        }
    }

    private func hasRead(_ log: [Proposal]?, for link: LinkID) {
        if learners.isKnown(link) { events.deliver([.quorum(.logRead(log, link))]) }
    }
}
