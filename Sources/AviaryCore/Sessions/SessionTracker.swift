import AviaryWire
import Zab

/// Which sessions live, until when, and over which connection.
///
/// A leader knows all of them, and who speaks for each. A learner knows those of its own connections,
/// lets none expire, and tells its leader which were heard.
///
/// Deadlines are rounded up to ticks. A touch only notes the new deadline; a session is moved when
/// the tick it was filed under comes, so a touch costs a look-up and a store.
/// Source: SessionTrackerImpl and ExpiryQueue, ZooKeeper 3.9.5.
struct SessionTracker: Sendable {
    struct Session: Sendable {
        var timeoutMilliseconds: Int32
        var expiresAt: Int64
        /// The tick whose list holds the session.
        fileprivate var filedAt: Int64
        /// A closeSession is on its way.
        var isClosing = false
        /// Who may speak for the session; nil: whoever comes first.
        var owner: Owner?
        /// Only this server knows of it; see `ServerSettings.localSessions`.
        fileprivate(set) var isLocal = false
        /// It was heard since the last `takeTouched`.
        fileprivate var isTouched = true

        var connection: ConnectionID? {
            if case .connection(let id) = owner { return id }
            return nil
        }
    }

    /// Where a session's client is connected: here, or at a learner.
    enum Owner: Hashable, Sendable {
        case connection(ConnectionID)
        case learner(LinkID)
    }

    private let tickMilliseconds: Int64
    private(set) var sessions: [SessionID: Session] = [:]
    private var ticks: [Int64: [SessionID]] = [:]
    private var nextTick: Int64?
    private var nextID: SessionID
    /// Nobody expires for now.
    private var isPaused = false

    init(server: ServerID, tickMilliseconds: Int64, at now: Now) {
        self.tickMilliseconds = tickMilliseconds
        nextID = .first(
            server: UInt8(truncatingIfNeeded: server.rawValue),
            monotonicMilliseconds: now.monotonicMilliseconds)
    }

    var count: Int { sessions.count }

    subscript(id: SessionID) -> Session? { sessions[id] }

    /// The number for a new session: never 0 or the mark of containers.
    mutating func makeID() -> SessionID {
        defer { nextID.rawValue &+= 1 }
        if nextID.rawValue == 0 || nextID.rawValue == .min { nextID.rawValue &+= 1 }
        return nextID
    }

    /// Session ids found in the data must not be given out again.
    mutating func reserve(_ id: SessionID) {
        let isSameServer = id.rawValue >> 56 == nextID.rawValue >> 56
        if isSameServer && id >= nextID { nextID.rawValue = id.rawValue &+ 1 }
    }

    mutating func add(
        _ id: SessionID, timeoutMilliseconds: Int32, owner: Owner?, isLocal: Bool = false,
        at now: Now
    ) {
        let expiresAt = deadline(timeoutMilliseconds, now)
        sessions[id] = Session(
            timeoutMilliseconds: timeoutMilliseconds, expiresAt: expiresAt, filedAt: expiresAt,
            owner: owner, isLocal: isLocal)
        file(id, at: expiresAt)
    }

    mutating func remove(_ id: SessionID) {
        sessions[id] = nil
        sessions.giveBackRoom()
    }

    mutating func touch(_ id: SessionID, at now: Now) {
        // Found once: that is the greater part of the work.
        guard let place = sessions.index(forKey: id) else { return }
        let expiresAt = deadline(sessions.values[place].timeoutMilliseconds, now)
        sessions.values[place].expiresAt = expiresAt
        sessions.values[place].isTouched = true
    }

    /// From now on all servers know of the session.
    mutating func upgrade(_ id: SessionID) { sessions[id]?.isLocal = false }

    mutating func markClosing(_ id: SessionID) { sessions[id]?.isClosing = true }

    /// The session goes on with this owner, and a timeout negotiated anew.
    mutating func attach(
        _ id: SessionID, to owner: Owner, timeoutMilliseconds: Int32, at now: Now
    ) {
        guard var session = sessions[id] else { return }
        session.owner = owner
        session.isTouched = true
        session.timeoutMilliseconds = timeoutMilliseconds
        session.expiresAt = deadline(timeoutMilliseconds, now)
        if session.expiresAt < session.filedAt {
            session.filedAt = session.expiresAt
            file(id, at: session.expiresAt)
        }
        sessions[id] = session
    }

    mutating func detach(_ id: SessionID, from connection: ConnectionID) {
        if sessions[id]?.connection == connection { sessions[id]?.owner = nil }
    }

    /// What a session is to one who speaks for it.
    enum Standing {
        case unknown
        case closing
        /// Someone else speaks for it.
        case moved
        case valid
    }

    /// This one speaks for the session from now on if nobody did before.
    ///
    /// Source: SessionTrackerImpl.checkSession, ZooKeeper 3.9.5.
    mutating func standing(of id: SessionID, to owner: Owner) -> Standing {
        guard let place = sessions.index(forKey: id) else { return .unknown }
        if sessions.values[place].isClosing { return .closing }
        guard let current = sessions.values[place].owner else {
            sessions.values[place].owner = owner
            return .valid
        }
        return current == owner ? .valid : .moved
    }

    /// For a learner: the sessions that were heard since the last time, sorted. Those that nobody here
    /// speaks for any more are forgotten. O(sessions).
    mutating func takeTouched() -> [SessionTouch] {
        var touched: [SessionTouch] = []
        for (id, session) in sessions where !session.isLocal {
            if session.isTouched {
                touched.append(
                    SessionTouch(id, timeoutMilliseconds: session.timeoutMilliseconds))
            }
            if session.owner == nil {
                sessions[id] = nil
            } else {
                sessions[id]?.isTouched = false
            }
        }
        return touched.sorted { $0.session < $1.session }
    }

    /// Forgets all sessions, but not which numbers were given out.
    mutating func removeAll() {
        sessions = [:]
        ticks = [:]
        nextTick = nil
        isPaused = false
    }

    /// Nobody expires until `resume`: a client whose write waits for the disk may not be read, and so
    /// cannot be heard.
    mutating func pause() { isPaused = true }

    /// Everyone gets a full timeout. O(sessions).
    mutating func resume(at now: Now) {
        isPaused = false
        for id in sessions.keys { touch(id, at: now) }
    }

    /// When `expired(at:)` is to be called next.
    var deadline: Int64? { isPaused ? nil : nextTick }

    /// The sessions whose time is up, sorted. They stay until they are removed.
    mutating func expired(at now: Now) -> [SessionID] {
        if isPaused { return [] }
        var result: [SessionID] = []
        while let tick = nextTick, tick <= now.monotonicMilliseconds {
            for id in ticks.removeValue(forKey: tick) ?? [] {
                guard let session = sessions[id], session.filedAt == tick else { continue }
                if session.expiresAt > now.monotonicMilliseconds {
                    sessions[id]?.filedAt = session.expiresAt
                    file(id, at: session.expiresAt)
                } else if !session.isClosing {
                    result.append(id)
                }
            }
            nextTick = ticks.isEmpty ? nil : tick + tickMilliseconds
        }
        return result.sorted()
    }

    /// `stat`-like view: how many sessions are due at each tick, in order.
    var dueTimes: [(at: Int64, sessions: [SessionID])] {
        Dictionary(grouping: sessions.keys, by: { sessions[$0]?.expiresAt ?? 0 })
            .map { (at: $0.key, sessions: $0.value.sorted()) }
            .sorted { $0.at < $1.at }
    }

    private func deadline(_ timeoutMilliseconds: Int32, _ now: Now) -> Int64 {
        let due = now.monotonicMilliseconds + Int64(timeoutMilliseconds)
        return (due / tickMilliseconds + 1) * tickMilliseconds
    }

    private mutating func file(_ id: SessionID, at tick: Int64) {
        ticks[tick, default: []].append(id)
        nextTick = min(nextTick ?? tick, tick)
    }
}
