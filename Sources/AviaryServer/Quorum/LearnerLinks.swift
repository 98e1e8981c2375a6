import AviaryCore
import AviaryWire
import Logging
import NIOCore
import Zab

/// The connections of learners to this server's quorum port.
///
/// Deviation: ZooKeeper opens the port when a server begins to lead, and learners that are earlier
/// try again. Here it is open always, and who is early waits a moment.
final class LearnerLinks {
    /// What becomes of a learner that connects.
    private enum Welcome {
        /// It waits a while for this server to lead.
        case parking
        case listening
        /// This server follows another.
        case refusing
    }

    let events: LinkEvents
    let logger: Logger
    private let settings: PeerLinkSettings
    private var welcome = Welcome.parking
    private var lastLink: UInt64 = 0
    /// Those that the machine knows.
    private var links: [LinkID: LearnerLink] = [:]
    private var parked: [LinkID: LearnerLink] = [:]
    /// Parked, or without a packet sent.
    private var strangers: Set<LinkID> = []
    private var touched: [LearnerLink] = []
    /// Who has asked for something last.
    private var asker: LinkID?
    private var sparse = SparseWarning()
    private var isStopped = false

    init(_ settings: PeerLinkSettings, events: LinkEvents, logger: Logger) {
        self.settings = settings
        self.events = events
        self.logger = logger
    }

    func accept(_ channel: any Channel) throws {
        if isStopped || welcome == .refusing { throw PeerPort.Refusal() }
        let count = links.count + parked.count
        guard strangers.count < settings.maximumStrangers, count < settings.maximumLearners else {
            logger.log(
                level: levelForStrangers(), "too many connections to the quorum port; refusing one",
                metadata: ["remote": "\(channel.remote)"])
            throw PeerPort.Refusal()
        }
        lastLink += 1
        let link = LearnerLink(self, channel, id: LinkID(lastLink), settings)
        try channel.pipeline.syncOperations.addHandler(link)
        strangers.insert(link.id)
        if welcome == .listening {
            announce(link)
        } else {
            parked[link.id] = link
            link.park(for: settings.parkingTime)
        }
    }

    // MARK: Orders

    func listen() {
        welcome = .listening
        let early = parked.values.sorted { $0.id.rawValue < $1.id.rawValue }
        parked = [:]
        for link in early { announce(link) }
    }

    /// Who wants to follow this server has to look for another.
    func refuse() {
        welcome = .refusing
        for link in parked.values { discard(link) }
        parked = [:]
    }

    /// This server follows nobody any more.
    func park() {
        if welcome == .refusing { welcome = .parking }
    }

    func send(_ message: LeaderMessage, to id: LinkID) {
        guard let link = links[id] else { return }
        touch(link)
        link.queue { message.write(to: &$0) }
    }

    /// Messages to the same learners, encoded once for all of them.
    struct Broadcast {
        private(set) var ids: [LinkID] = []
        fileprivate var bytes = ByteBuffer()

        mutating func add(_ message: LeaderMessage) { message.write(to: &bytes) }
    }

    /// Sends what there is of a broadcast, whose next messages are for these.
    func send(_ broadcast: inout Broadcast, before ids: [LinkID] = []) {
        if broadcast.bytes.readableBytes > 0 {
            for id in broadcast.ids {
                guard let link = links[id] else { continue }
                touch(link)
                link.queue(broadcast.bytes)
            }
        }
        broadcast = Broadcast(ids: ids)
    }

    func send(_ snapshot: TreeSnapshot, _ zxid: Zxid, to id: LinkID) {
        guard let link = links[id] else { return }
        touch(link)
        link.queue { LeaderMessage.snap(zxid).write(to: &$0) }
        link.queue(snapshot)
    }

    func disconnect(_ id: LinkID) {
        events.withdraw { $0.isOfLearner(id) }
        if let link = links.removeValue(forKey: id) { discard(link) }
    }

    func disconnectAll() {
        welcome = .parking
        for link in links.values { discard(link) }
        links = [:]
    }

    func flush() {
        // Its client is answered when the asker's own log has the write, so it hears first.
        if let asker, let index = touched.firstIndex(where: { $0.id == asker }) {
            touched.swapAt(0, index)
        }
        for link in touched { link.flush() }
        touched.removeAll(keepingCapacity: true)
    }

    func stop() {
        isStopped = true
        disconnectAll()
        refuse()
    }

    private func touch(_ link: LearnerLink) {
        if link.isTouched { return }
        link.isTouched = true
        touched.append(link)
    }

    private func announce(_ link: LearnerLink) {
        links[link.id] = link
        events.report(.quorum(.learnerConnected(link.id)))
        link.welcome(for: settings.initTime)
    }

    private func discard(_ link: LearnerLink) {
        strangers.remove(link.id)
        events.withdraw { $0.isOfLearner(link.id) }
        link.discard()
    }

    // MARK: What links say

    func isAnnounced(_ link: LearnerLink) -> Bool { links[link.id] != nil }

    func isKnown(_ id: LinkID) -> Bool { links[id] != nil }

    func asked(_ link: LearnerLink) { asker = link.id }

    func introduced(_ link: LearnerLink) {
        strangers.remove(link.id)
    }

    func lost(_ link: LearnerLink) {
        strangers.remove(link.id)
        parked[link.id] = nil
        guard links.removeValue(forKey: link.id) != nil else { return }
        events.report(.quorum(.learnerLost(link.id)))
    }

    func levelForStrangers() -> Logger.Level { sparse.level() }
}

extension PeerLinks.Event {
    /// Whether it is about this link on which a learner came.
    fileprivate func isOfLearner(_ link: LinkID) -> Bool {
        guard case .quorum(let event) = self else { return false }
        return switch event {
        case .learnerConnected(let id), .learnerLost(let id): id == link
        case .receivedFromLearner(_, let id), .logRead(_, let id): id == link
        default: false
        }
    }
}
