import AviaryWire
import NIOCore

@testable import AviaryClient

/// A session in a `SimulatedWorld`, what it asked for, and what it must be told.
final class SimulatedClient {
    private enum Asked {
        case create(Path)
        case set
        /// With a one-shot watch of this number.
        case get(watch: Int?)
        case addWatch
    }

    private let index: Int
    private unowned let world: SimulatedWorld
    private var session: ClientSession<Int, Int>
    private(set) var wire: SimulatedWorld.Wire?
    private(set) var address = 0
    var sleepsUntil: Int64 = 0
    /// How fast its clock runs, in thousandths.
    private let pace: Int64

    private var ticket = 0
    private var asked: [Int: Asked] = [:]
    /// The ticket of the newest reply: they come in the order of the requests.
    private var lastReplied = 0
    /// One-shot watches that the server has set, and what was read with them.
    private var armed: [Int: Zxid] = [:]
    private var settled: Set<Int> = []
    private var nextWatch = 1
    private var isEnding = false
    /// How many there were, this one included.
    private var sessions = 1
    /// The newest attempt to connect.
    private var wanted: UInt64 = 0

    /// What the creates came to, over all sessions.
    private var done: [Path] = []
    private var notDone: [Path] = []

    static let shared: Path = "/shared"

    init(_ index: Int, _ world: SimulatedWorld) {
        self.index = index
        self.world = world
        pace = 950 + world.below(100)
        session = Self.newSession(world, at: world.now)
    }

    private static func newSession(
        _ world: SimulatedWorld, at now: Int64
    ) -> ClientSession<Int, Int> {
        guard let servers = try? ConnectString(SimulatedWorld.addresses) else {
            preconditionFailure("the addresses are fine")
        }
        var settings = SessionSettings(hosts: servers.hosts)
        settings.sessionTimeout = .milliseconds(1000 + world.below(3000))
        settings.rearmingPieceBytes = 64
        return ClientSession(
            settings, seed: UInt64(world.below(1 << 40)), at: .uptimeNanoseconds(UInt64(now) * 1000)
        )
    }

    // MARK: Time

    /// The client's own clock.
    private var clock: NIODeadline {
        .uptimeNanoseconds(UInt64(world.now * pace))
    }

    /// In the world's microseconds.
    var deadline: Int64 {
        guard let due = session.deadline else { return .max }
        return max((Int64(due.uptimeNanoseconds) + pace - 1) / pace, sleepsUntil)
    }

    func timePassed() { step { $0.timePassed(at: $1) } }

    // MARK: What happens to it

    func start() { step { $0.start(at: $1) } }

    func connected(_ attempt: UInt64, of session: Int) {
        guard session == sessions, attempt == wanted else { return }
        let wire = SimulatedWorld.Wire(attempt: attempt)
        world.accept(wire, of: index)
        if let old = self.wire { world.close(old) }
        self.wire = wire
        step { $0.connectionMade(attempt, at: $1) }
    }

    func refused(_ attempt: UInt64, of session: Int) {
        if session == sessions { step { $0.connectionLost(attempt, at: $1) } }
    }

    func lost(_ wire: SimulatedWorld.Wire) {
        if wire === self.wire { step { $0.connectionLost(wire.attempt, at: $1) } }
    }

    func receive(_ bytes: ByteBuffer, on wire: SimulatedWorld.Wire) {
        guard !wire.isCut, wire === self.wire else { return }
        wire.output.writeImmutableBuffer(bytes)
        let all = Array(wire.output.readableBytesView)
        let taken = session.receive(all.raw, on: wire.attempt, at: clock)
        carryOut(all)
        wire.output.moveReaderIndex(forwardBy: taken)
        wire.output.discardReadBytes()
    }

    private func step(_ body: (inout ClientSession<Int, Int>, NIODeadline) -> Void) {
        body(&session, clock)
        carryOut([])
    }

    // MARK: What it asks

    func work() {
        if sleepsUntil > world.now || session.ending != nil { return }
        for _ in 0...world.below(6) {
            switch world.below(8) {
            case 0, 1:
                let path = Path("/n-\(index)-\(ticket)")
                ask(.create(path), create(path))
            case 2: ask(.set, .setData(SetDataRequest(path: Self.shared, data: [1], version: -1)))
            case 3: ask(.create(Self.shared), create(Self.shared))
            case 4, 5: ask(.get(watch: nil), .getData(Self.shared, watch: false))
            case 6 where world.oneIn(6):
                ask(
                    .addWatch, .addWatch(WatchRequest(path: .root, type: 1)),
                    watch: NewWatch(
                        id: WatchID(UInt64(nextWatch)), watcher: 0, registration: .recursive))
                nextWatch += 1
            default:
                let number = nextWatch
                nextWatch += 1
                ask(
                    .get(watch: number), .getData(Self.shared, watch: true),
                    watch: NewWatch(
                        id: WatchID(UInt64(number)), watcher: number, registration: .data))
            }
        }
    }

    private func create(_ path: Path) -> Operation {
        .create(
            .create2,
            CreateRequest(
                path: path, data: [], acl: ACL.openToAll, flags: 0, ttlMilliseconds: nil))
    }

    private func ask(_ what: Asked, _ operation: Operation, watch: NewWatch<Int>? = nil) {
        ticket += 1
        asked[ticket] = what
        let number = ticket
        step { _ = $0.submit(operation, ticket: number, watch: watch, at: $1) }
    }

    // MARK: What it is told

    private func carryOut(_ bytes: [UInt8]) {
        let effects = session.effects
        session.effects = []
        for effect in effects {
            switch effect {
            case .connect(let host, let attempt, _):
                address = ["a", "b", "c"].firstIndex(of: host.name) ?? 0
                wanted = attempt
                world.connect(index, session: sessions, attempt: attempt, to: address)
            case .disconnect(let attempt):
                if let wire, wire.attempt == attempt {
                    world.close(wire)
                    self.wire = nil
                }
            case .enter(let state): enter(state)
            case .reply(let ticket, let header, let body):
                world.count("replies")
                replied(ticket, header, Array(bytes[body]))
            case .fail(let ticket, _, let outcome, _): failed(ticket, outcome)
            case .event(let watcher, let event): told(watcher, event)
            case .endWatch: world.count("watches ended")
            case .probe: world.fail("client \(index) looks for a better server")
            }
        }
        // What is written to a connection that is cut is lost, and nobody knows.
        guard session.ending == nil, let wire else { return }
        let outbox = session.takeOutbox()
        if outbox.readableBytes > 0 { world.sendUp(outbox, on: wire) }
    }

    private func enter(_ state: SessionState) {
        switch state {
        case .expired:
            world.count("expiries")
            if world.core.tree.sessions[session.sessionID] != nil {
                world.fail("client \(index) is told that a session expired which lives")
            }
            begin()
        case .connected, .reconnected: world.count("connections")
        case .connecting, .suspended: break
        case .closed, .readOnly, .authenticationFailed: world.fail("client \(index) is \(state)")
        }
    }

    /// Another session, in place of one that is over.
    private func begin() {
        armed = [:]
        let open = asked.keys.sorted()
        if !open.isEmpty {
            world.fail("client \(index) lost \(open.count) requests with its session")
        }
        sessions += 1
        session = Self.newSession(world, at: world.now * pace / 1000)
        if let wire { world.close(wire) }
        wire = nil
        start()
        if isEnding { askForTheEnd() }
    }

    private func settle(_ ticket: Int) -> Asked? {
        guard settled.insert(ticket).inserted, let what = asked.removeValue(forKey: ticket) else {
            world.fail("client \(index) is answered twice for its request \(ticket)")
            return nil
        }
        return what
    }

    private func replied(_ ticket: Int, _ header: ReplyHeader, _ body: [UInt8]) {
        guard let what = settle(ticket) else { return }
        if ticket < lastReplied {
            world.fail("client \(index) is answered for \(ticket) after \(lastReplied)")
        }
        lastReplied = ticket
        switch what {
        case .create(let path):
            if header.error == 0 {
                done.append(path)
            } else if path != Self.shared {
                notDone.append(path)
            }
        case .set, .addWatch: break
        case .get(let watch):
            guard header.error == 0 else { return }
            guard let stat = Self.stat(body) else {
                return world.fail("client \(index) cannot read a reply")
            }
            // Before it sees a change, whoever watches has heard of it.
            for (number, seen) in armed where seen < stat.mzxid {
                world.fail("client \(index) reads what its watch \(number) has not told")
            }
            if let watch { armed[watch] = stat.mzxid }
        }
    }

    private static func stat(_ body: [UInt8]) -> Stat? {
        var reader = JuteReader(body.raw)
        do throws(WireError) {
            _ = try reader.readRange()
            return try Stat(from: &reader)
        } catch {
            return nil
        }
    }

    private func failed(_ ticket: Int, _ outcome: ClientError.Outcome) {
        world.count("failures")
        guard let what = settle(ticket) else { return }
        if case .create(let path) = what, path != Self.shared, outcome == .notDone {
            notDone.append(path)
        }
    }

    private func told(_ watcher: Int, _ event: WatchEvent) {
        world.count("events")
        // That of the persistent watches, which may hear of anything.
        if watcher == 0 { return }
        guard armed.removeValue(forKey: watcher) != nil else {
            return world.fail("client \(index) hears of watch \(watcher), which is not set")
        }
        if event.kind != .dataChanged || event.path != Self.shared {
            world.fail("client \(index) is told \(event) of a node that only changes")
        }
    }

    // MARK: The end

    /// When no fault is left: a last change, of which everybody who watches has to hear.
    func bringToAnEnd() {
        isEnding = true
        if session.ending == nil { askForTheEnd() }
    }

    private func askForTheEnd() {
        ask(.create(Self.shared), create(Self.shared))
        ask(.set, .setData(SetDataRequest(path: Self.shared, data: [2], version: -1)))
    }

    func checkEnd() {
        guard session.state.isConnected else {
            return world.fail("client \(index) is \(session.state) though nothing hinders it")
        }
        if !asked.isEmpty {
            world.fail("client \(index) waits for ever for \(asked.count) answers")
        }
        if !armed.isEmpty {
            world.fail("client \(index) never hears of watches \(armed.keys.sorted())")
        }
        for path in done where world.core.tree.find(path) == nil {
            world.fail("client \(index) was told that it made \(path)")
        }
        for path in notDone where world.core.tree.find(path) != nil {
            world.fail("client \(index) was told that it did not make \(path)")
        }
    }
}
