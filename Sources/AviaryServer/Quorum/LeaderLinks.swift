import AviaryCore
import AviaryWire
import Logging
import NIOCore
import Zab

/// The way to the server that this one follows. There is one at a time; the machine numbers them.
final class LeaderLinks {
    private enum State {
        case none
        case connecting(LinkID, Dial)
        case connected(LeaderLink)
    }

    let events: LinkEvents
    let logger: Logger
    var members: [ServerID: PeerAddress]
    private let settings: PeerLinkSettings
    private let loop: any EventLoop
    private var state = State.none
    private var isTouched = false
    /// It was told already that this server cannot be reached.
    private var hasWarnedOf: ServerID?

    init(
        members: [ServerID: PeerAddress], _ settings: PeerLinkSettings, on loop: any EventLoop,
        events: LinkEvents, logger: Logger
    ) {
        self.members = members
        self.settings = settings
        self.loop = loop
        self.events = events
        self.logger = logger
    }

    // MARK: Orders

    func connect(to server: ServerID, _ id: LinkID) {
        drop()
        guard let member = members[server] else {
            logger.warning(
                "told to follow a server whose address is not known",
                metadata: ["peer": "\(server)"])
            return events.report(.quorum(.leaderLost(id)))
        }
        let dial = Dial(to: member.quorum) { self.ended($0, to: server, id) }
        state = .connecting(id, dial)
        dial.start(on: loop, timeout: settings.connectTimeout)
    }

    /// To be sent by the next `flush`.
    func send(_ message: LearnerMessage, on id: LinkID) {
        guard case .connected(let link) = state, link.id == id else { return }
        isTouched = true
        link.queue { message.write(to: &$0) }
    }

    func flush() {
        guard isTouched else { return }
        isTouched = false
        if case .connected(let link) = state { link.flush() }
    }

    func disconnect(_ id: LinkID) {
        events.withdraw { $0.isOfLeader(id) }
        if currentID == id { drop() }
    }

    /// Ends what there is; nobody is told.
    func drop() {
        guard let id = currentID else { return }
        events.withdraw { $0.isOfLeader(id) }
        switch state {
        case .none: break
        case .connecting(_, let dial): dial.cancel()
        case .connected(let link):
            logger.info(
                "disconnecting from the leader",
                metadata: ["peer": "\(link.server)", "link": "\(id)"])
            link.discard()
        }
        state = .none
    }

    private var currentID: LinkID? {
        switch state {
        case .none: nil
        case .connecting(let id, _): id
        case .connected(let link): link.id
        }
    }

    // MARK: What came of it

    private func ended(
        _ result: Result<any Channel, Dial.Failure>, to server: ServerID, _ id: LinkID
    ) {
        switch result {
        case .success(let channel): connected(channel, to: server, id)
        case .failure(let failure):
            logger.log(
                level: hasWarnedOf == server ? .debug : .warning,
                "cannot reach a leader's quorum port",
                metadata: ["peer": "\(server)", "error": "\(failure)"])
            hasWarnedOf = server
            state = .none
            events.report(.quorum(.leaderLost(id)))
        }
    }

    private func connected(_ channel: any Channel, to server: ServerID, _ id: LinkID) {
        hasWarnedOf = nil
        let link = LeaderLink(self, channel, to: server, id: id, settings)
        state = .connected(link)
        logger.info(
            "connected to the leader",
            metadata: ["peer": "\(server)", "link": "\(id)", "remote": "\(channel.remote)"])
        events.report(.quorum(.leaderConnected(id)))
        do {
            try link.start()
        } catch {
            // It was closed before it could be used.
            lost(link, "\(error)")
            channel.close(promise: nil)
        }
    }

    func lost(_ link: LeaderLink, _ reason: String) {
        guard case .connected(let current) = state, current === link else { return }
        state = .none
        logger.info(
            "connection to the leader lost",
            metadata: ["peer": "\(link.server)", "link": "\(link.id)", "reason": "\(reason)"])
        events.report(.quorum(.leaderLost(link.id)))
    }
}

extension PeerLinks.Event {
    /// Whether it is about this link to a leader.
    fileprivate func isOfLeader(_ link: LinkID) -> Bool {
        switch self {
        case .tree(_, _, let id): return id == link
        case .quorum(let event):
            return switch event {
            case .leaderConnected(let id), .leaderLost(let id): id == link
            case .receivedFromLeader(_, let id): id == link
            default: false
            }
        }
    }
}
