import AviaryCore
import AviaryWire
import Logging
import NIOCore
import Zab

/// The connections between the election ports: one for each pair of servers, kept by the one with
/// the larger id.
///
/// Source: QuorumCnxManager, ZooKeeper 3.9.5.
final class ElectionLinks {
    /// What there is between this server and another.
    private struct Peer {
        var link: ElectionLink?
        /// The one message that waits to be sent; an older one is of no interest.
        var newest: Notification?
        /// What was sent last. It may have been lost with its connection.
        var last: Notification?
        var attempt: Dial?
        /// Where to connect if the attempt under way fails: the peer has asked for it since.
        var askedBack: [PeerAddress.Endpoint]?
        /// Runs while a server with a larger id, which was asked to, has time to connect back. It
        /// may have connected of itself before it heard: that link is about to be replaced, and its
        /// end is no news.
        var connectBackLimit: Scheduled<Void>?
        /// Whether the machine was told that there is a link.
        var isFound = false
        /// Whether it was told already that the server cannot be reached.
        var hasWarned = false

        var isBusy: Bool { attempt != nil || connectBackLimit != nil }
    }

    let events: LinkEvents
    let logger: Logger
    var members: [ServerID: PeerAddress]
    private let own: ServerID
    private let settings: PeerLinkSettings
    private let loop: any EventLoop
    private var peers: [ServerID: Peer] = [:]
    private var touched: [ServerID] = []
    private var strangers: [ObjectIdentifier: ElectionLink] = [:]
    private var lastAnonymous = ServerID(0)
    private var sparse = SparseWarning()
    private var isStopped = false

    init(
        own: ServerID, members: [ServerID: PeerAddress], _ settings: PeerLinkSettings,
        on loop: any EventLoop, events: LinkEvents, logger: Logger
    ) {
        self.own = own
        self.members = members
        self.settings = settings
        self.loop = loop
        self.events = events
        self.logger = logger
    }

    func stop() {
        isStopped = true
        for stranger in strangers.values { stranger.discard() }
        for peer in peers.values {
            peer.link?.discard()
            peer.attempt?.cancel()
            peer.connectBackLimit?.cancel()
        }
        strangers = [:]
        peers = [:]
    }

    // MARK: Sending

    /// To be sent by the next `flush`.
    func queue(_ vote: Notification, to server: ServerID) {
        if server == own { return events.report(.quorum(.vote(vote, from: own))) }
        guard members[server] != nil || peers[server] != nil else {
            logger.debug("no way to a server that is not a member", metadata: ["peer": "\(server)"])
            return
        }
        peers[server, default: Peer()].newest = vote
        touched.append(server)
    }

    func flush() {
        for server in touched {
            guard let peer = peers[server] else { continue }
            if peer.link != nil {
                sendNext(to: server)
            } else if !peer.isBusy, let member = members[server] {
                connect(to: server, member.election)
            }
        }
        touched.removeAll(keepingCapacity: true)
    }

    /// The socket has taken what was sent.
    func hasSent(_ link: ElectionLink) {
        guard let server = link.server, peers[server]?.link === link else { return }
        sendNext(to: server)
    }

    private func sendNext(to server: ServerID) {
        guard let link = peers[server]?.link, !link.isWriting, let vote = peers[server]?.newest
        else { return }
        peers[server]?.newest = nil
        peers[server]?.last = vote
        var bytes = ByteBuffer()
        let start = bytes.beginFrame()
        vote.write(to: &bytes)
        bytes.endFrame(start)
        link.write(bytes)
    }

    // MARK: Connecting

    private func connect(to server: ServerID, _ endpoints: [PeerAddress.Endpoint]) {
        var attempt: Dial?
        let dial = Dial(to: endpoints) { result in self.ended(attempt, to: server, result) }
        attempt = dial
        peers[server, default: Peer()].attempt = dial
        dial.start(on: loop, timeout: settings.connectTimeout, keepAlive: settings.tcpKeepAlive)
    }

    private func ended(
        _ attempt: Dial?, to server: ServerID, _ result: Result<any Channel, Dial.Failure>
    ) {
        guard let peer = peers[server], peer.attempt === attempt else { return }
        peers[server]?.attempt = nil
        peers[server]?.askedBack = nil
        switch result {
        case .success(let channel):
            if own < server {
                introduceAndLeave(channel, to: server)
            } else {
                keep(channel, to: server)
            }
        case .failure(let failure):
            logger.log(
                level: peer.hasWarned ? .debug : .warning, "cannot reach a server's election port",
                metadata: ["peer": "\(server)", "error": "\(failure)"])
            peers[server]?.hasWarned = true
            if let endpoints = peer.askedBack {
                connect(to: server, endpoints)
            } else {
                settle(server)
            }
        }
    }

    /// The larger id keeps its connection; this side only asks it to connect.
    private func introduceAndLeave(_ channel: any Channel, to server: ServerID) {
        channel.writeAndFlush(initialMessage).whenComplete { _ in channel.close(promise: nil) }
        let isolated = loop.assumeIsolated()
        peers[server]?.connectBackLimit = isolated.scheduleTask(in: settings.connectBackTime) {
            [weak self] in
            self?.peers[server]?.connectBackLimit = nil
            self?.settle(server)
            self?.askAgain(server)
        }
    }

    /// It did not connect, and there is something to tell it.
    private func askAgain(_ server: ServerID) {
        guard let peer = peers[server], peer.link == nil, peer.newest != nil, !peer.isBusy,
            let member = members[server]
        else { return }
        connect(to: server, member.election)
    }

    private func keep(_ channel: any Channel, to server: ServerID) {
        let link = ElectionLink(self, channel, server: server)
        do {
            try link.start()
        } catch {
            link.discard()
            return settle(server)
        }
        link.write(initialMessage)
        if link.isOver { settle(server) } else { install(link, to: server) }
    }

    private var initialMessage: ByteBuffer {
        var bytes = ByteBuffer()
        let addresses = (members[own]?.election ?? []).map { ByteString($0.description) }
        InitialMessage(server: own, addresses: addresses, sendsAll: settings.sendsAllAddresses)
            .write(to: &bytes)
        return bytes
    }

    // MARK: Being connected to

    func accept(_ channel: any Channel) throws {
        guard !isStopped, strangers.count < settings.maximumStrangers else {
            logger.log(
                level: sparse.level(), "too many connections to the election port; refusing one",
                metadata: ["remote": "\(channel.remote)"])
            throw PeerPort.Refusal()
        }
        let link = ElectionLink(self, channel)
        try link.start(handshakeTimeout: settings.electionHandshakeTimeout)
        strangers[ObjectIdentifier(link)] = link
    }

    /// The other side has said who it is. The link is kept, or over.
    func introduced(_ link: ElectionLink, _ message: InitialMessage) {
        strangers[ObjectIdentifier(link)] = nil
        var server = message.server
        if server == Self.anonymous {
            lastAnonymous = ServerID(lastAnonymous.rawValue - 1)
            server = lastAnonymous
        }
        if server == own {
            warn("a server with this server's own id calls; give each its own myid", about: link)
            return link.discard()
        }
        guard isWelcome(server) else {
            warn("too many servers call that are not members", about: link)
            return link.discard()
        }
        if server < own {
            link.discard()
            connectBack(to: server, message.addresses)
        } else {
            link.server = server
            install(link, to: server)
        }
    }

    /// An observer that was given no id.
    private static let anonymous = ServerID(.max)
    /// More than any server has; each is connected to.
    private static let maximumAddresses = 8

    private func isWelcome(_ server: ServerID) -> Bool {
        if members[server] != nil || peers[server] != nil { return true }
        return peers.keys.count { members[$0] == nil } < settings.maximumOutsiders
    }

    /// The smaller id has lost what link there was, or would not call.
    private func connectBack(to server: ServerID, _ addresses: [ByteString]) {
        peers[server]?.link?.discard()
        peers[server]?.link = nil
        var endpoints = addresses.prefix(Self.maximumAddresses).compactMap(
            PeerAddress.Endpoint.init
        )
        .filter { !$0.isWildcard }
        if endpoints.isEmpty { endpoints = members[server]?.election ?? [] }
        if endpoints.isEmpty {
            logger.debug("a server that calls gives no address", metadata: ["peer": "\(server)"])
            settle(server)
        } else if peers[server]?.attempt != nil {
            peers[server]?.askedBack = endpoints
        } else {
            connect(to: server, endpoints)
        }
    }

    // MARK: Links that come and go

    private func install(_ link: ElectionLink, to server: ServerID) {
        var peer = peers[server] ?? Peer()
        peer.link?.discard()
        peer.attempt?.cancel()
        peer.link = link
        peer.attempt = nil
        peer.askedBack = nil
        peer.hasWarned = false
        if peer.newest == nil { peer.newest = peer.last }
        let isNew = !peer.isFound
        peer.isFound = true
        peers[server] = peer
        if isNew {
            logger.log(
                level: level(server), "election link up",
                metadata: ["peer": "\(server)", "remote": "\(link.remote)"])
            if members[server] != nil { events.report(.quorum(.voterFound(server))) }
        }
        sendNext(to: server)
    }

    func lost(_ link: ElectionLink) {
        strangers[ObjectIdentifier(link)] = nil
        guard let server = link.server, peers[server]?.link === link else { return }
        peers[server]?.link = nil
        settle(server)
    }

    /// Tells that there is no link and none about to come, if that is so.
    private func settle(_ server: ServerID) {
        guard let peer = peers[server], peer.link == nil, !peer.isBusy else { return }
        peers[server]?.isFound = false
        if members[server] == nil { peers[server] = nil }
        guard peer.isFound else { return }
        logger.log(level: level(server), "election link down", metadata: ["peer": "\(server)"])
        if members[server] != nil { events.report(.quorum(.voterLost(server))) }
    }

    /// Who is not a member cannot fill the log by coming and going.
    private func level(_ server: ServerID) -> Logger.Level {
        members[server] == nil ? .debug : .info
    }

    func warn(
        _ message: Logger.Message, about link: ElectionLink, metadata: Logger.Metadata = [:]
    ) {
        var metadata = metadata
        metadata["remote"] = "\(link.remote)"
        if let server = link.server { metadata["peer"] = "\(server)" }
        logger.log(level: sparse.level(), message, metadata: metadata)
    }
}

extension Channel {
    /// The other side, for the log.
    var remote: String { remoteAddress.map { "\($0)" } ?? "unknown" }
}
