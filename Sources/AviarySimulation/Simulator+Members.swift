import AviaryCore
import AviaryStorage
import AviaryWire
import Zab

/// What a driver does for a server, but for disk and links.
extension Simulator {
    // MARK: Starting

    func start(_ index: Int) {
        let member = members[index]
        guard member.server == nil else { return }
        if let until = member.pausedUntil { return schedule(.start(index), at: until) }
        member.life += 1
        // The power may fail again while it starts.
        if now < faultsEnd, oneIn(10) { member.disk.operationsLeft = random.below(12) }
        do throws(StorageError) {
            let server = try recovered(member)
            member.disk.operationsLeft = nil
            member.server = server
            note("\(member.id) starts with \(server.tip), has to have \(member.durable)")
            checkRecovered(member, server)
            step(server) { core, now, effects in core.step(.started, at: now, into: &effects) }
        } catch {
            guard member.disk.operationsLeft != nil, error.code == .failed else {
                fail(.recovery, "\(member.id) does not start: \(error.message)")
                return
            }
            note("\(member.id) loses power while it starts")
            member.disk.crash()
            schedule(.start(index), in: upTo(knobs.tick))
        }
    }

    /// As `DataDirectory` does it.
    private func recovered(_ member: SimulatedMember) throws(StorageError) -> LiveServer {
        var files = SimulatedFiles(disk: member.disk)
        var logFiles = SimulatedFiles(disk: member.disk)
        var settings = Recovery.Settings(hashSeed: random.next())
        settings.historyLimit = knobs.historyLimit
        settings.keepsOrphans = true
        var recovery = Recovery(settings)
        let tree = try recovery.recover(snapshots: &files, logs: &logFiles)
        let last = tree.lastProcessedZxid
        let epochs = try EpochFiles.load(last: last, in: files)
        try EpochFiles.save(accepted: epochs.accepted, current: epochs.current, in: &files)
        var store = SnapshotStore(files: files, logFiles: logFiles)
        if recovery.isNew || sabotage == .keepsSnapshots { try store.write(tree.snapshot) }
        let log = TransactionLog(
            files: SimulatedFiles(disk: member.disk), preallocateBytes: knobs.preallocateBytes,
            sizeLimitBytes: knobs.logSizeLimitBytes, lastZxid: last)
        var recovered = QuorumPeer.Recovered(lastZxid: last)
        recovered.acceptedEpoch = epochs.accepted
        recovered.currentEpoch = epochs.current
        recovered.floor = recovery.floor
        recovered.history = recovery.history.map { Proposal(zxid: $0.zxid, bytes: $0.payload) }
        let core = ServerCore(
            settings: member.settings, tree: tree, authentication: Authentication(digest: nil),
            membership: .member(member.quorum, recovered), randomSeed: random.next(),
            at: member.now(at: now))
        return LiveServer(member, core: core, log: log, store: store)
    }

    /// What was durable is there again.
    private func checkRecovered(_ member: SimulatedMember, _ server: LiveServer) {
        let isKept =
            checker.ledger.chain(server.tip, holds: member.durable)
            || member.replacement == server.tip
        if !isKept {
            fail(
                .durableIsKept,
                "\(member.id) had \(member.durable) on its disk, and starts with \(server.tip)")
        }
        member.durable = server.tip
        member.replacement = nil
    }

    // MARK: Stopping

    /// The power fails: what was not synced may be gone, and a write be half done.
    func crash(_ index: Int) {
        let member = members[index]
        guard let server = member.server else { return }
        if oneIn(2) {
            // In the middle of what the disk was doing.
            member.disk.operationsLeft = random.below(14)
            if oneIn(3) { writeNextSnapshot(server) }
            writeOrders(server, limit: 8)
        }
        stop(index)
    }

    func stop(_ index: Int) {
        let member = members[index]
        guard let server = member.server else { return }
        note("\(member.id) crashes as \(server.core.role)")
        statistics[.crashes] += 1
        member.server = nil
        member.pausedUntil = nil
        let backlog = member.backlog
        member.backlog = []
        member.disk.crash()
        dropLinks(of: server)
        // What was to reach it finds nobody.
        for happening in backlog { perform(happening) }
        schedule(.start(index), in: knobs.tick / 10 + upTo(Int64(knobs.faultLength)))
    }

    func pause(_ index: Int, until end: Int64) {
        let member = members[index]
        guard member.server != nil, member.pausedUntil == nil else { return }
        statistics[.pauses] += 1
        note("\(member.id) is paused until \(Journal.milliseconds(end))")
        member.pausedUntil = end
        schedule(.resume(index), at: end)
    }

    func resume(_ index: Int) {
        let member = members[index]
        guard let until = member.pausedUntil, until <= now else { return }
        note("\(member.id) runs on")
        member.pausedUntil = nil
        let backlog = member.backlog
        member.backlog = []
        for happening in backlog { perform(happening) }
    }

    // MARK: Steps

    /// The only way into a core.
    func step(
        _ server: LiveServer,
        _ body: (inout ServerCore, Now, inout StepEffects) -> Void
    ) {
        let member = members[server.member]
        let before = server.core.role
        body(&server.core, member.now(at: now), &server.effects)
        let role = server.core.role
        if role != before {
            server.touched = []
            note("\(member.id) is \(role), was \(before); its tree is at \(server.tip)")
        }
        file(server, wasLeading: before == .leading)
        observe(server, before)
        setTimer(server)
    }

    /// Puts the effects of a step into their queues.
    private func file(_ server: LiveServer, wasLeading: Bool) {
        var disk: [StepEffects.Disk] = []
        var peers: [StepEffects.Peer] = []
        var listed: [ConnectionID] = []
        swap(&disk, &server.effects.disk)
        swap(&peers, &server.effects.peers)
        swap(&listed, &server.effects.clients)
        for notice in server.effects.notices { hear(notice, of: server) }
        server.effects.notices.removeAll()
        journal.mix(Int64(disk.count) << 32 | Int64(peers.count) << 16 | Int64(listed.count))
        for order in disk {
            guard case .append(var proposal) = order else {
                server.orders.append(order)
                continue
            }
            if wasLeading { proposal = mistaken(proposal, by: server) }
            observe(proposal, of: server, isOwn: wasLeading)
            server.orders.append(.append(proposal))
        }
        if !disk.isEmpty { wakeDisk(server) }
        for order in peers { carryOut(order, of: server) }
        for id in listed {
            let delay = upTo(300)
            schedule(.outbox(id, server.member, life: server.life), in: delay)
        }
    }

    private func hear(_ notice: StepEffects.Notice, of server: LiveServer) {
        let id = members[server.member].id
        switch notice {
        case .digestMismatch(let zxid):
            fail(.equalDigests, "the tree of \(id) is not what its author had after \(zxid)")
        case .unreadableTransaction(let zxid, let error):
            fail(.codec, "\(id) cannot read transaction \(zxid): \(error)")
        case .readOnlyBegun:
            note("\(id) serves clients that only read")
            statistics[.readOnlySpells] += 1
        case .quotaExceeded, .roleChanged: break
        }
    }

    // MARK: The timer

    func setTimer(_ server: LiveServer) {
        let due = server.core.deadline
        guard due < .max else { return }
        let at = max(now + 1, members[server.member].clock.time(of: due))
        guard at < server.timerAt else { return }
        server.timerAt = at
        server.timerDue = at
        schedule(.timer(server.member, life: server.life), at: at)
    }

    /// A server that was held up hears its clients before it takes them for dead. As `Host` does it.
    func timerFired(_ server: LiveServer) {
        guard server.timerAt <= now else { return }
        let isLate = now - server.timerDue > knobs.tick / 4 && !server.hasWaited
        server.hasWaited = isLate
        if isLate {
            server.timerAt = now + knobs.tick / 10
            server.timerDue = server.timerAt
            return schedule(.timer(server.member, life: server.life), at: server.timerAt)
        }
        server.timerAt = .max
        step(server) { core, now, effects in core.step(.deadlinePassed, at: now, into: &effects) }
    }
}
