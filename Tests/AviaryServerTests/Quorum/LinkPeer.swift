import AviaryCore
import AviaryWire
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing
import Zab

@testable import AviaryServer

/// One server's links on a loop of its own, and what they have delivered.
final class LinkPeer: Sendable {
    /// What a machine would order because of an event.
    typealias Reaction = @Sendable (PeerLinks.Event) -> [StepEffects.Peer]

    let id: ServerID
    let logs: LogRecorder
    private let group: MultiThreadedEventLoopGroup
    private let loop: any EventLoop
    private let links: NIOLoopBoundBox<PeerLinks?>
    private let batches = Mutex<[[PeerLinks.Event]]>([])
    private let electionPorts: Mutex<[Int]> = Mutex([])
    private let quorumPorts: Mutex<[Int]> = Mutex([])

    init(
        _ id: Int64, _ settings: PeerLinkSettings = .test, addresses: Int = 1,
        log: [Proposal]? = nil, reaction: @escaping Reaction = { _ in [] }
    ) async throws {
        let id = ServerID(id)
        let logs = LogRecorder()
        self.id = id
        self.logs = logs
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        loop = group.next()
        links = NIOLoopBoundBox<PeerLinks?>.makeEmptyBox(
            valueType: PeerLinks.self, eventLoop: loop)
        let own = PeerAddress(
            id: id, quorum: [.any], election: Array(repeating: .any, count: addresses))
        let started = loop.flatSubmit { [self, loop] in
            let links = PeerLinks(
                own: id, members: [own], settings, on: loop, logger: logs.logger,
                readLog: { _, _, answer in answer(log) },
                deliver: { [weak self] batch in self?.take(batch, reaction) })
            self.links.value = links
            return links.start()
        }
        try await started.get()
        let ports = try await run { $0.ports }
        electionPorts.withLock { $0 = ports.election }
        quorumPorts.withLock { $0 = ports.quorum }
    }

    private func take(_ batch: [PeerLinks.Event], _ reaction: Reaction) {
        batches.withLock { $0.append(batch) }
        let orders = batch.flatMap(reaction)
        if !orders.isEmpty { links.value?.carryOut(orders) }
    }

    func stop() async throws {
        try await loop.submit { [links] in
            links.value?.stop()
            links.value = nil
        }.get()
        try await group.shutdownGracefully()
    }

    func run<Value: Sendable>(
        _ body: @escaping @Sendable (PeerLinks) throws -> Value
    ) async throws -> Value {
        try await loop.submit { [links] in try body(try #require(links.value)) }.get()
    }

    /// Starts links of the same server once more, with another election port.
    ///
    /// - Returns: why that failed.
    func startAgain(
        on electionPort: Int, as server: ServerID? = nil
    ) async throws -> LaunchError? {
        let own = PeerAddress(id: id, quorum: [.any], election: [.init("127.0.0.1", electionPort)])
        let caller = server ?? id
        let started = loop.flatSubmit { [loop, logs] in
            PeerLinks(
                own: caller, members: [own], .test, on: loop, logger: logs.logger,
                readLog: { _, _, answer in answer(nil) }, deliver: { _ in }
            ).start()
        }
        do {
            try await started.get()
            return nil
        } catch let error as LaunchError {
            return error
        }
    }

    func order(_ orders: StepEffects.Peer...) async throws {
        try await run { $0.carryOut(orders) }
    }

    // MARK: Where it is

    var electionPort: Int { electionPorts.withLock { $0[0] } }
    var quorumPort: Int { quorumPorts.withLock { $0[0] } }

    var address: PeerAddress {
        PeerAddress(
            id: id, quorum: quorumPorts.withLock { $0 }.map { .init("127.0.0.1", $0) },
            election: electionPorts.withLock { $0 }.map { .init("127.0.0.1", $0) })
    }

    func know(_ others: PeerAddress...) async throws {
        let members = others + [address]
        try await run { $0.members = members }
    }

    // MARK: What it was told

    var events: [PeerLinks.Event] { batches.withLock { $0.flatMap { $0 } } }

    /// In words that can be compared.
    var heard: [String] {
        events.filter { !$0.isProgress }.flatMap(\.words)
    }

    /// Waits until what was heard is as it should be.
    func wait(
        _ what: String, _ location: SourceLocation = #_sourceLocation,
        until isMet: ([String]) -> Bool
    ) async throws {
        try await eventually(
            "\(id) hears \(what)", { isMet(self.heard) }, location,
            otherwise: "\(self.heard.suffix(20))")
    }

    func wait(
        for words: String..., from location: SourceLocation = #_sourceLocation
    ) async throws {
        for word in words {
            try await wait(word, location) { $0.contains(word) }
        }
    }
}

/// Waits for a condition; a test that has waited for 30 seconds fails.
func eventually(
    _ what: String, _ isMet: () -> Bool, _ location: SourceLocation = #_sourceLocation,
    otherwise: @autoclosure () -> String = ""
) async throws {
    let deadline = ContinuousClock.now + .seconds(30)
    while !isMet() {
        guard ContinuousClock.now < deadline else {
            Issue.record("not seen in time: \(what). \(otherwise())", sourceLocation: location)
            throw CancellationError()
        }
        try await Task.sleep(for: .milliseconds(2))
    }
}

/// Runs a test with peers that know each other, and stops them after it.
func withPeers(_ peers: LinkPeer..., body: () async throws -> Void) async throws {
    let addresses = peers.map(\.address)
    for peer in peers {
        let others = addresses.filter { $0.id != peer.id } + [peer.address]
        try await peer.run { $0.members = others }
    }
    let result: Result<Void, any Error>
    do { result = .success(try await body()) } catch { result = .failure(error) }
    for peer in peers { try await peer.stop() }
    try result.get()
}

extension PeerAddress.Endpoint {
    static let any = PeerAddress.Endpoint("127.0.0.1", 0)
}

extension PeerLinkSettings {
    /// No limit that a slow machine could meet by chance.
    static let test: PeerLinkSettings = {
        var settings = PeerLinkSettings()
        settings.connectTimeout = .seconds(20)
        settings.electionHandshakeTimeout = .seconds(60)
        settings.initTime = .seconds(60)
        settings.parkingTime = .seconds(60)
        settings.connectBackTime = .seconds(60)
        return settings
    }()

    func with(_ change: (inout PeerLinkSettings) -> Void) -> PeerLinkSettings {
        var settings = self
        change(&settings)
        return settings
    }
}

extension PeerLinks.Event {
    /// Whether it only says that a long message goes on, which comes as often as the kernel likes.
    var isProgress: Bool {
        switch self {
        case .quorum(.learnerProgressed), .quorum(.leaderProgressed): true
        default: false
        }
    }

    /// The event in a few characters, or each of the messages that it brings.
    var words: [String] {
        switch self {
        case .tree(_, let zxid, let link): ["tree \(zxid) \(link)"]
        case .quorum(.receivedFromLearner(let messages, let link)):
            messages.map { "\(link) says \($0.word)" }
        case .quorum(.receivedFromLeader(let messages, let link)):
            messages.map { "\(link) orders \($0.word)" }
        case .quorum(let event): [event.word]
        }
    }
}

extension QuorumPeer.Event {
    fileprivate var word: String {
        switch self {
        case .vote(let vote, let server): "vote \(vote.electionEpoch) from \(server)"
        case .voterFound(let server): "found \(server)"
        case .voterLost(let server): "lost \(server)"
        case .learnerConnected(let link): "learner \(link)"
        case .learnerLost(let link): "learner lost \(link)"
        case .logRead(let log, let link): "log of \(log?.count ?? -1) for \(link)"
        case .leaderConnected(let link): "leader \(link)"
        case .leaderLost(let link): "leader lost \(link)"
        default: "unexpected"
        }
    }
}

extension LearnerMessage {
    fileprivate var word: String {
        switch self {
        case .followerInfo(let info, _): "info \(info?.server.rawValue ?? -1)"
        case .ack(let zxid, let count): "ack \(zxid.rawValue)" + (count > 1 ? " x\(count)" : "")
        case .request(let request): "request of \(request.body.byteCount)"
        case .unknown(let type): "unknown \(type)"
        default: "\(self)"
        }
    }
}

extension LeaderMessage {
    fileprivate var word: String {
        switch self {
        case .proposal(let zxid, let entry): "proposal \(zxid.rawValue) of \(entry.readableBytes)"
        case .commit(let zxid, let count):
            "commit \(zxid.rawValue)" + (count > 1 ? " x\(count)" : "")
        case .snap(let zxid): "snap \(zxid.rawValue)"
        case .unknown(let type): "unknown \(type)"
        default: "\(self)"
        }
    }
}

/// Keeps what was logged, with its level.
final class LogRecorder: Sendable {
    private let lines = Mutex<[String]>([])

    var logger: Logger {
        Logger(label: "links") { _ in Handler(recorder: self) }
    }

    func count(_ level: Logger.Level, _ message: String) -> Int {
        lines.withLock { $0.count { $0 == "\(level) \(message)" } }
    }

    private struct Handler: LogHandler {
        let recorder: LogRecorder
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            recorder.lines.withLock { $0.append("\(event.level) \(event.message)") }
        }
    }
}
