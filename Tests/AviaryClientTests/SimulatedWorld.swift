import AviaryCore
import AviaryWire
import DequeModule
import NIOCore

@testable import AviaryClient

/// Client sessions, the network between them and a server, and a real server's core, all drawn from
/// one seed. Several addresses lead to the server; connections to them are refused, cut, stalled and
/// slow, the server stands still and so do clients, and each client's clock runs at its own speed.
final class SimulatedWorld {
    /// A socket, as far as the simulation needs one.
    final class Wire {
        let attempt: UInt64
        var connection: ConnectionID?
        /// Neither side has closed it.
        var isOpen = true
        /// What is under way is lost.
        var isCut = false
        /// What is under way, and when the last of it arrives: bytes do not overtake each other.
        var up: Deque<ByteBuffer> = []
        var down: Deque<ByteBuffer> = []
        var lastUp: Int64 = 0
        var lastDown: Int64 = 0
        /// What the server has not taken.
        var input = ByteBuffer()
        /// What the client has not taken.
        var output = ByteBuffer()

        init(attempt: UInt64) {
            self.attempt = attempt
        }
    }

    enum Happening {
        case connected(client: Int, session: Int, attempt: UInt64)
        case refused(client: Int, session: Int, attempt: UInt64)
        /// The next of what is under way on it has arrived.
        case toServer(Wire)
        case toClient(client: Int, Wire)
        case lostAtServer(Wire)
        case lostAtClient(client: Int, Wire)
        case persisted(Zxid)
        case cut(client: Int)
        case pauseClient(Int)
        case pauseServer
        case downAddress(Int, until: Int64)
        case work(client: Int)
    }

    private(set) var random: SeededGenerator
    /// Microseconds.
    private(set) var now: Int64 = 1_000_000
    private var agenda: [(due: Int64, number: Int, what: Happening)] = []
    private var number = 0
    private(set) var clients: [SimulatedClient] = []
    var core: ServerCore
    private var effects = StepEffects()
    private var wires: [ConnectionID: (wire: Wire, client: Int)] = [:]
    private var downUntil = [Int64](repeating: 0, count: 3)
    private var serverSleepsUntil: Int64 = 0
    private let faultsEnd: Int64
    private let workEnds: Int64
    private var persistDue: Int64 = 0
    private(set) var violation: String?
    private(set) var counts: [String: Int] = [:]

    static let addresses = "a:1,b:1,c:1"

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        workEnds = 20_000_000
        faultsEnd = 20_000_000
        var settings = ServerSettings()
        settings.tickTimeMilliseconds = 200
        settings.minimumSessionTimeoutMilliseconds = 400
        settings.maximumSessionTimeoutMilliseconds = 20_000
        settings.maxClientCnxns = 0
        settings.extendedTypes = true
        core = ServerCore(
            settings: settings, tree: DataTree(hashSeed: seed, extendedTypes: true),
            authentication: Authentication(
                digest: Authentication.Digest(superDigest: "") { ByteString($0) }),
            randomSeed: seed, at: Now(monotonicMilliseconds: 1000, wallMilliseconds: 1000))
        step { core, now, effects in core.step(.started, at: now, into: &effects) }
        for index in 0..<2 { clients.append(SimulatedClient(index, self)) }
    }

    func below(_ limit: Int64) -> Int64 { Int64.random(in: 0..<limit, using: &random) }
    func oneIn(_ count: Int64) -> Bool { below(count) == 0 }
    func count(_ what: String) { counts[what, default: 0] += 1 }

    func fail(_ what: String) {
        if violation == nil { violation = "\(what), at \(now / 1000) ms" }
    }

    // MARK: The run

    /// - Returns: what was broken; nil if nothing was.
    func run() -> String? {
        for index in clients.indices {
            clients[index].start()
            schedule(.work(client: index), in: 1000)
        }
        scheduleFault()
        while now < workEnds, violation == nil { turn() }
        // No fault from here on: everybody has to come back, and nobody may wait for ever.
        let calm = now + 30_000_000
        while now < calm, violation == nil { turn() }
        for client in clients { client.bringToAnEnd() }
        let end = now + 10_000_000
        while now < end, violation == nil { turn() }
        for client in clients { client.checkEnd() }
        return violation
    }

    private func turn() {
        var next = agenda.first?.due ?? .max
        for client in clients { next = min(next, client.deadline) }
        if core.deadline != .max { next = min(next, max(core.deadline * 1000, serverSleepsUntil)) }
        now = max(now, next)
        if let first = agenda.first, first.due <= now {
            agenda.removeFirst()
            carryOut(first.what)
            return
        }
        if core.deadline != .max, max(core.deadline * 1000, serverSleepsUntil) <= now {
            step { core, now, effects in core.step(.deadlinePassed, at: now, into: &effects) }
        }
        for client in clients where client.deadline <= now { client.timePassed() }
    }

    func schedule(_ what: Happening, in delay: Int64) { schedule(what, at: now + delay) }

    private func schedule(_ what: Happening, at due: Int64) {
        number += 1
        let place = agenda.lastIndex { $0.due <= due }.map { $0 + 1 } ?? 0
        agenda.insert((due, number, what), at: place)
    }

    private func carryOut(_ what: Happening) {
        if let client = what.client, clients[client].sleepsUntil > now {
            return schedule(what, at: clients[client].sleepsUntil)
        }
        switch what {
        case .connected(let client, let session, let attempt):
            clients[client].connected(attempt, of: session)
        case .refused(let client, let session, let attempt):
            clients[client].refused(attempt, of: session)
        case .toServer(let wire): arrive(wire, what)
        case .toClient(let client, let wire):
            if let bytes = wire.down.popFirst() { clients[client].receive(bytes, on: wire) }
        case .lostAtServer(let wire): loseAtServer(wire)
        case .lostAtClient(let client, let wire): clients[client].lost(wire)
        case .persisted(let zxid):
            if serverSleepsUntil > now { return schedule(what, at: serverSleepsUntil) }
            step { core, now, effects in core.step(.persisted(zxid), at: now, into: &effects) }
        case .work(let client):
            guard now < workEnds else { return }
            clients[client].work()
            schedule(what, in: 1 + below(60_000))
        case .cut, .pauseClient, .pauseServer, .downAddress:
            beginFault(what)
            scheduleFault()
        }
    }

    // MARK: Faults

    private func scheduleFault() {
        let due = now + below(1_500_000)
        guard due < faultsEnd else { return }
        let client = Int(below(Int64(clients.count)))
        switch below(5) {
        case 0, 1: schedule(.cut(client: client), at: due)
        case 2: schedule(.pauseClient(client), at: due)
        case 3: schedule(.pauseServer, at: due)
        default:
            schedule(.downAddress(Int(below(3)), until: due + below(3_000_000)), at: due)
        }
    }

    private func beginFault(_ what: Happening) {
        switch what {
        case .cut(let client):
            count("cuts")
            if let wire = clients[client].wire { cut(wire, of: client) }
        case .pauseClient(let client):
            count("client pauses")
            clients[client].sleepsUntil = now + below(oneIn(4) ? 4_000_000 : 400_000)
        case .pauseServer:
            count("server pauses")
            serverSleepsUntil = now + below(1_000_000)
        case .downAddress(let address, let until):
            count("addresses down")
            downUntil[address] = until
            for (_, entry) in wires.sorted(by: { $0.value.wire.attempt < $1.value.wire.attempt })
            where clients[entry.client].address == address {
                cut(entry.wire, of: entry.client)
            }
        default: break
        }
    }

    /// Each end learns of it when it does; bytes under way are lost.
    private func cut(_ wire: Wire, of client: Int) {
        guard wire.isOpen else { return }
        wire.isOpen = false
        wire.isCut = true
        schedule(.lostAtServer(wire), in: below(300_000))
        // Sometimes nobody tells the client, and it has to notice the silence.
        if !oneIn(3) { schedule(.lostAtClient(client: client, wire), in: below(300_000)) }
    }

    // MARK: The network

    /// A client wants a connection.
    func connect(_ client: Int, session: Int, attempt: UInt64, to address: Int) {
        if downUntil[address] > now || (now < faultsEnd && oneIn(8)) {
            // Refused, or without an answer at all.
            if oneIn(2) {
                schedule(
                    .refused(client: client, session: session, attempt: attempt),
                    in: below(50_000))
            }
            return
        }
        schedule(
            .connected(client: client, session: session, attempt: attempt), in: below(20_000))
    }

    func accept(_ wire: Wire, of client: Int) {
        guard
            let id = core.connect(
                from: RemoteAddress(host: "10.0.0.1", port: 1), at: serverTime)
        else { return fail("the server takes no connection") }
        wire.connection = id
        wires[id] = (wire, client)
    }

    func sendUp(_ bytes: ByteBuffer, on wire: Wire) {
        guard wire.isOpen else { return }
        wire.lastUp = max(wire.lastUp, now + below(8000))
        wire.up.append(bytes)
        schedule(.toServer(wire), at: wire.lastUp)
    }

    func close(_ wire: Wire) {
        wire.isOpen = false
        schedule(.lostAtServer(wire), in: below(5000))
    }

    private func arrive(_ wire: Wire, _ what: Happening) {
        if serverSleepsUntil > now { return schedule(what, at: serverSleepsUntil) }
        guard !wire.isCut, let id = wire.connection, wires[id] != nil,
            let bytes = wire.up.popFirst()
        else { return }
        wire.input.writeImmutableBuffer(bytes)
        step { core, now, effects in core.receive(&wire.input, on: id, at: now, into: &effects) }
        empty(id)
    }

    private func loseAtServer(_ wire: Wire) {
        guard let id = wire.connection, wires.removeValue(forKey: id) != nil else { return }
        step { core, _, effects in core.disconnect(id, into: &effects) }
    }

    // MARK: The server

    private var serverTime: Now {
        Now(monotonicMilliseconds: now / 1000, wallMilliseconds: now / 1000)
    }

    private func step(_ body: (inout ServerCore, Now, inout StepEffects) -> Void) {
        body(&core, serverTime, &effects)
        for order in effects.disk {
            if case .append(let proposal) = order {
                persistDue = max(persistDue, now + below(4000))
                schedule(.persisted(proposal.zxid), at: persistDue)
            }
        }
        effects.disk.removeAll()
        let listed = effects.clients
        effects.clients.removeAll()
        for id in listed { empty(id) }
    }

    private func empty(_ id: ConnectionID) {
        guard let (wire, client) = wires[id] else { return }
        while true {
            let outbox = core.takeOutbox(of: id, at: serverTime)
            if outbox.bytes.readableBytes > 0, wire.isOpen {
                wire.lastDown = max(wire.lastDown, now + below(8000))
                wire.down.append(outbox.bytes)
                schedule(.toClient(client: client, wire), at: wire.lastDown)
            }
            switch outbox.next {
            case .takeMore:
                core.receive(&wire.input, on: id, at: serverTime, into: &effects)
                continue
            case .close:
                if wire.isOpen {
                    wire.isOpen = false
                    let due = max(wire.lastDown, now)
                    schedule(.lostAtClient(client: client, wire), at: due + 1)
                    loseAtServer(wire)
                }
            case .read, .wait: break
            }
            return
        }
    }
}

extension SimulatedWorld.Happening {
    /// Who does not notice while it stands still.
    fileprivate var client: Int? {
        switch self {
        case .connected(let client, _, _), .refused(let client, _, _), .toClient(let client, _),
            .lostAtClient(let client, _):
            client
        default: nil
        }
    }
}
