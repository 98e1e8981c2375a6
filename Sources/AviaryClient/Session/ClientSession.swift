package import AviaryWire
import DequeModule
package import NIOCore

/// A session's client, less the world: handshakes, requests and their replies, watches, pings, the
/// search for servers. It is told the time and what happened, writes what is to be sent into
/// `outbox` and what is to be done into `effects`.
///
/// `Ticket` is what the driver wants back with a reply, `Watcher` what it wants with an event.
package struct ClientSession<Ticket: Sendable, Watcher: Sendable>: Sendable {
    package typealias Effect = ClientEffect<Ticket, Watcher>

    enum Phase: Hashable, Sendable {
        /// Until it is started.
        case idle
        /// Until the next attempt to connect.
        case waiting(until: NIODeadline)
        /// Until the driver has a connection, or has not.
        case connecting(until: NIODeadline)
        /// Until the server has answered the first frame.
        case handshaking(until: NIODeadline)
        /// Until the server believes who this is; nothing else is sent meanwhile.
        case authenticating(until: NIODeadline)
        /// Until the connection breaks or the session ends.
        case connected
        case ended(ClientError.Code)
    }

    let settings: SessionSettings
    let decoder: FrameDecoder
    var random: SeededGenerator
    var hosts: HostList

    var phase = Phase.idle
    package internal(set) var state = SessionState.connecting
    /// Which connection is the current one; the driver names it with what it reports.
    var attempt: UInt64 = 0
    var hasBeenConnected = false

    package internal(set) var sessionID = SessionID.none
    var password = [UInt8](repeating: 0, count: 16)
    package internal(set) var negotiatedTimeout: TimeAmount
    package internal(set) var lastZxid = Zxid.zero
    /// A session that only read-only servers know ends with the connection.
    var isKnownToQuorum = false
    var isReadOnly = false
    /// Whether the last handshake was about the session that was there before.
    var wasSameSession = false

    var lastHeard: NIODeadline
    var lastSent: NIODeadline
    /// Set when the session is being closed.
    var closeDeadline: NIODeadline?
    /// No request's deadline is before it.
    var requestDeadline: NIODeadline?

    var nextSequence: UInt64 = 1
    /// The last request that the driver has taken: what comes behind it was never sent.
    var takenThrough: UInt64 = 0
    var xid: Int32 = 0
    var queued: Deque<QueuedRequest<Ticket, Watcher>> = []
    var queuedBytes = 0
    var sent: Deque<SentRequest<Ticket, Watcher>> = []
    var sentCredentials: Deque<SentCredential<Ticket>> = []
    /// Sent again on each connection.
    var credentials: [AuthPacket]
    var sasl: DigestMD5Client?
    var watches = ClientWatchTable<Watcher>()
    var probing: Probing?

    package var outbox = ByteBuffer()
    package var effects: [Effect] = []

    package init(_ settings: SessionSettings, seed: UInt64, at now: NIODeadline) {
        self.settings = settings
        decoder = FrameDecoder(maximumLength: settings.maximumFrameBytes)
        random = SeededGenerator(seed: seed)
        hosts = HostList(
            settings.hosts, initialPause: settings.initialPause,
            maximumPause: settings.maximumPause, shuffled: settings.shufflesServers,
            using: &random)
        negotiatedTimeout = settings.sessionTimeout
        lastHeard = now
        lastSent = now
        credentials = settings.credentials.map {
            AuthPacket(scheme: ByteString($0.scheme), auth: $0.credential)
        }
        if let resumed = settings.resuming {
            sessionID = resumed.id
            password = resumed.password
            isKnownToQuorum = true
        }
    }

    /// What it takes to go on with the session elsewhere; nil before there is one.
    package var sessionCredentials: SessionCredentials? {
        sessionID == .none ? nil : SessionCredentials(id: sessionID, password: password)
    }

    /// The server that serves the session.
    package var connectedHost: Host? { state.isConnected ? hosts.current : nil }

    /// What waits for a reply, or to be sent.
    package var outstanding: Int { queued.count + sent.count + sentCredentials.count }

    package mutating func start(at now: NIODeadline) {
        guard phase == .idle else { return }
        beginAttempt(at: now)
    }

    /// What has been asked for until now is still answered; then the session ends.
    package mutating func close(at now: NIODeadline) {
        if closeDeadline != nil { return }
        switch phase {
        case .ended: return
        case .connected:
            closeDeadline = now + settings.closingLimit
            send(.closeSession, purpose: .closing, at: now)
        case .idle, .waiting, .connecting, .handshaking, .authenticating: end(.closed)
        }
    }

    /// The reason why the session is over.
    package var ending: ClientError.Code? {
        if case .ended(let reason) = phase { reason } else { nil }
    }

    mutating func enter(_ state: SessionState) {
        if self.state == state { return }
        self.state = state
        effects.append(.enter(state))
    }

    /// All that waits fails; no effect follows those of this.
    mutating func end(_ reason: ClientError.Code) {
        let wasConnecting = phase
        phase = .ended(reason)
        failSent(reason)
        failQueued(reason)
        if wasConnecting != .idle { effects.append(.disconnect(attempt: attempt)) }
        attempt += 1
        outbox = ByteBuffer()
        probing = nil
        let error = reason == .closed ? nil : reason
        for entry in watches.removeEverything() {
            effects.append(.endWatch(entry.watcher, error))
        }
        switch reason {
        case .sessionExpired: enter(.expired)
        case .authenticationFailed: enter(.authenticationFailed)
        default: enter(.closed)
        }
    }
}

/// What the driver is to do, in order.
package enum ClientEffect<Ticket: Sendable, Watcher: Sendable>: Sendable {
    /// Look the host up and connect, and say what came of it.
    case connect(Host, attempt: UInt64, limit: TimeAmount)
    case disconnect(attempt: UInt64)
    case enter(SessionState)
    /// The range is of the bytes that `receive` was given.
    case reply(Ticket, ReplyHeader, body: Range<Int>)
    case fail(Ticket, ClientError.Code, ClientError.Outcome, detail: String?)
    case event(Watcher, WatchEvent)
    /// A nil code is an end without an error.
    case endWatch(Watcher, ClientError.Code?)
    /// Ask the host with the word "isro" whether it is read-only.
    case probe(Host, number: UInt64)
}

extension ClientEffect: Equatable where Ticket: Equatable, Watcher: Equatable {}
