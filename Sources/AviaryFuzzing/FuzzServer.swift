import AviaryCore
import AviaryServer
import AviaryWire
import NIOCore

/// A core without a world: time, disk and sockets are what an input makes of them.
final class FuzzServer {
    private(set) var core: ServerCore
    private var effects = StepEffects()
    private(set) var now = FuzzTree.now
    /// Appended and not persisted.
    private var unpersisted: [Zxid] = []
    private var log: [LogEntry] = []
    private var clients: [FuzzClient] = []
    let limits: ServerSettings

    /// - Parameter profile: eight settings, one a bit.
    init(profile: UInt8) {
        limits = Self.settings(profile)
        core = ServerCore(
            settings: limits, tree: FuzzTree.make(), authentication: Self.authentication(profile),
            randomSeed: 7, at: now)
        step(.started)
    }

    /// Limits are small, so that small inputs reach them.
    private static func settings(_ profile: UInt8) -> ServerSettings {
        var settings = ServerSettings()
        settings.tickTimeMilliseconds = 2000
        settings.minimumSessionTimeoutMilliseconds = 4000
        settings.maximumSessionTimeoutMilliseconds = 40_000
        settings.extendedTypes = true
        settings.maximumOutboxBytes = 64 << 10
        settings.maximumReplyBatchBytes = 4 << 10
        settings.maximumWaitingBytes = 16 << 10
        settings.maximumOutstandingBytes = 64 << 10
        settings.maximumIdentities = 8
        settings.maximumACLEntries = 4
        settings.maximumTransactionBytes = 4 << 10
        settings.maximumTurnWork = 100
        settings.maxClientCnxns = 0
        settings.enforceQuota = profile & 1 != 0
        if profile & 2 != 0 { settings.requiredSchemes = ["digest", "sasl"] }
        if profile & 4 != 0 { settings.globalOutstandingLimit = 3 }
        if profile & 8 != 0 {
            settings.requestThrottleMaxRequests = 4
            settings.throttledOpWaitMilliseconds = 1000
        }
        if profile & 16 != 0 {
            settings.largeRequestThresholdBytes = 64
            settings.largeRequestMaximumBytes = 256
        }
        settings.skipACL = profile & 32 != 0
        if profile & 64 != 0 { settings.snapCount = 2 }
        return settings
    }

    private static func authentication(_ profile: UInt8) -> Authentication {
        let digest = Authentication.Digest(superDigest: "super:SUPER:SECRET") { auth in
            ByteString(String(decoding: auth, as: UTF8.self).uppercased())
        }
        var sasl = SASLPolicy()
        if profile & 128 == 0 {
            sasl.begin = { DigestMD5(passwords: FuzzUsers.passwords, nonce: FuzzUsers.nonce) }
            sasl.isInACLs = true
            sasl.keepsRefused = profile & 64 != 0
        }
        return Authentication(digest: digest, sasl: sasl, ensembleNames: ["one", "two"])
    }

    // MARK: The world

    func step(_ event: ServerCore.Event) {
        core.step(event, at: now, into: &effects)
        takeDisk()
    }

    /// The disk is done with all that was appended, or only with the first of it.
    func persist(onlyFirst: Bool = false) {
        repeat {
            guard let zxid = onlyFirst ? unpersisted.first : unpersisted.last else { return }
            unpersisted.removeAll { $0 <= zxid }
            step(.persisted(zxid))
        } while !onlyFirst
    }

    func pass(milliseconds: Int64) {
        now.monotonicMilliseconds += milliseconds
        now.wallMilliseconds += milliseconds
        var steps = 0
        while core.deadline <= now.monotonicMilliseconds {
            step(.deadlinePassed)
            steps += 1
            must(steps < 100_000, "a deadline that has passed moves on")
        }
    }

    private func takeDisk() {
        var snapshots: [TreeSnapshot] = []
        for order in effects.disk {
            switch order {
            case .append(let proposal):
                must(unpersisted.last.map { $0 < proposal.zxid } ?? true, "in order")
                unpersisted.append(proposal.zxid)
                log.append(Self.reread(proposal.bytes))
            case .rollLog: break
            case .writeSnapshot(let snapshot): snapshots.append(snapshot)
            case .saveEpochs, .truncate, .installSnapshot:
                fatalError("a standalone server has no leader")
            }
        }
        effects.disk.removeAll()
        for notice in effects.notices {
            if case .digestMismatch(let zxid) = notice {
                fatalError("the digest after \(zxid) was foretold wrongly")
            }
        }
        effects.notices.removeAll()
        for snapshot in snapshots {
            FuzzTree.checkRoundTrip(of: snapshot)
            step(.snapshotEnded)
        }
    }

    /// What a log would give back of an entry.
    private static func reread(_ bytes: ByteBuffer) -> LogEntry {
        let written = Array(bytes.readableBytesView)
        var reader = JuteReader(written.raw)
        guard let entry = try? LogEntry(from: &reader) else {
            fatalError("a log entry can be read")
        }
        must(reader.remaining == 0, "a log entry is read to its end")
        var again = ByteBuffer()
        entry.write(to: &again)
        must(again == bytes, "a log entry is written as it was read")
        return entry
    }

    // MARK: Clients

    /// A connection that has sent nothing yet.
    func connect() -> FuzzClient {
        let remote = RemoteAddress(host: "127.0.0.1", port: 4000)
        guard let id = core.connect(from: remote, at: now) else {
            fatalError("there is room for a few connections")
        }
        let client = FuzzClient(self, id)
        clients.append(client)
        return client
    }

    /// A connection with an established session.
    func establish(isAuthenticating: Bool) -> FuzzClient {
        let client = connect()
        client.shake(session: .none)
        persist()
        settle()
        must(client.session != .none, "a handshake is answered")
        if isAuthenticating {
            var packet = ByteBuffer()
            packet.writeInteger(Int32(0))
            packet.writeJute([UInt8]("digest".utf8))
            packet.writeJute([UInt8]("me:mine".utf8))
            client.request(OpCode.auth.rawValue, xid: -4, Array(packet.readableBytesView))
        }
        return client
    }

    func receive(_ input: inout ByteBuffer, on id: ConnectionID) -> ServerCore.Outbox {
        core.receive(&input, on: id, at: now, into: &effects)
        let outbox = core.takeOutbox(of: id, at: now)
        takeDisk()
        return outbox
    }

    func disconnect(_ client: FuzzClient) {
        clients.removeAll { $0 === client }
        core.disconnect(client.id, into: &effects)
        takeDisk()
    }

    /// Wakes every connection that the core has something for.
    func settle() {
        var rounds = 0
        while !effects.clients.isEmpty {
            let listed = effects.clients
            effects.clients.removeAll()
            for id in listed {
                let client = clients.first { $0.id == id }
                client?.take(core.takeOutbox(of: id, at: now))
            }
            rounds += 1
            must(rounds < 100_000, "connections come to rest")
        }
    }

    // MARK: The end

    /// Lets everything that is on its way arrive, and then everybody go.
    func finish() {
        core.checkInvariants()
        persist()
        settle()
        var rounds = 0
        while !unpersisted.isEmpty {
            persist()
            settle()
            rounds += 1
            must(rounds < 10_000, "requests come to an end")
        }
        core.checkInvariants()
        must(core.outstandingCount == 0, "everything is done")
        for client in clients { client.checkAtRest() }
        for client in clients { client.disconnect() }
        settle()
        core.checkInvariants()
        pass(milliseconds: 100_000)
        persist()
        core.checkInvariants()
        must(core.outstandingCount == 0, "everything is done")
        must(core.sessionCount == 0, "sessions expire")
        must(core.tree.ephemeralCount == 0, "ephemeral nodes go with their session")
        checkReplay()
        if log.count % 8 == 5 { FuzzTree.checkRoundTrip(of: core.tree.snapshot) }
    }

    /// The log, applied to the tree of the start, gives the tree as it is.
    private func checkReplay() {
        var tree = FuzzTree.make()
        for entry in log {
            tree.apply(entry.header, entry.txn)
            if let digest = entry.digest {
                must(digest.treeDigest == tree.digest, "a replay meets each digest")
            }
        }
        must(tree.snapshot.isSame(as: core.tree.snapshot), "a replay gives the same tree")
    }
}
