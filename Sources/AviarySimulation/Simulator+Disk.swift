import AviaryCore
import AviaryStorage
import AviaryWire
import DequeModule
import NIOCore
import Zab

/// The log thread and the snapshot thread of a server.
extension Simulator {
    func wakeDisk(_ server: LiveServer) {
        acknowledgeEarly(server)
        if server.isDiskBusy { return }
        server.isDiskBusy = true
        schedule(.disk(server.member, life: server.life), in: diskDelay(of: server))
    }

    private func diskDelay(of server: LiveServer) -> Int64 {
        let stall = members[server.member].diskStalledUntil - now
        let usual = oneIn(30) ? upTo(10 * Int64(knobs.diskDelay)) : upTo(Int64(knobs.diskDelay))
        return max(stall, usual)
    }

    /// Writes what has gathered with one sync, and looks for more.
    func workDisk(_ server: LiveServer) {
        let member = members[server.member]
        let hasFaults = knobs.diskFaults && now < member.diskFaultsUntil
        member.disk.operationsPerFault = hasFaults ? 6 : nil
        let isDone = writeOrders(server, limit: 1 + random.below(12))
        member.disk.operationsPerFault = nil
        // A driver has to stop the process here, and so does this one.
        if server.mustStop { return stop(server.member) }
        if isDone && server.isStalled {
            server.isStalled = false
            report(.stalled(false), to: server)
        } else if !isDone && !server.isStalled {
            server.isStalled = true
            report(.stalled(true), to: server)
        }
        server.isDiskBusy = !isDone || !server.orders.isEmpty
        if server.isDiskBusy {
            let delay = diskDelay(of: server) + (isDone ? 0 : knobs.tick / 4)
            schedule(.disk(server.member, life: server.life), in: delay)
        }
    }

    /// - Returns: false if the disk refused, and it is to be tried again.
    @discardableResult
    func writeOrders(_ server: LiveServer, limit: Int) -> Bool {
        do throws(StorageError) {
            var left = limit
            while left > 0, let order = server.orders.first {
                left -= 1
                if !isGathered(order), server.unflushed != nil { break }
                try write(order, server)
                server.orders.removeFirst()
            }
            try flush(server)
            return true
        } catch {
            if error.code == .failed { return passesOver(server) }
            fail(.recovery, "\(members[server.member].id) cannot write: \(error.message)")
            return true
        }
    }

    /// Whether it goes with other orders into one sync.
    private func isGathered(_ order: StepEffects.Disk) -> Bool {
        switch order {
        case .append, .rollLog, .writeSnapshot: true
        case .saveEpochs, .truncate, .installSnapshot: false
        }
    }

    private func flush(_ server: LiveServer) throws(StorageError) {
        try server.log.flush()
        guard let zxid = server.unflushed else { return }
        server.unflushed = nil
        members[server.member].durable = zxid
        if zxid > server.acknowledged { report(.persisted(zxid), to: server) }
    }

    private func write(_ order: StepEffects.Disk, _ server: LiveServer) throws(StorageError) {
        switch order {
        case .append(let proposal):
            server.log.append(
                zxid: proposal.zxid, payload: proposal.bytes.readableBytesSpan)
            server.unflushed = proposal.zxid
        case .rollLog: try server.log.roll()
        case .writeSnapshot(let snapshot): begin(snapshot, server)
        case .saveEpochs(let accepted, let current):
            var files = SimulatedFiles(disk: members[server.member].disk)
            if sabotage != .losesEpochs {
                try EpochFiles.save(accepted: accepted, current: current, in: &files)
            }
            report(.epochsSaved, to: server)
        case .truncate(let zxid): try truncate(after: zxid, server)
        case .installSnapshot(let snapshot): try install(snapshot, server)
        }
    }

    // MARK: Another history

    private func truncate(after zxid: Zxid, _ server: LiveServer) throws(StorageError) {
        let member = members[server.member]
        note("\(member.id) truncates after \(zxid)")
        statistics[.truncations] += 1
        drop(server) { $0.zxid > zxid }
        member.durable = min(member.durable, zxid)
        let kept =
            sabotage == .keepsSnapshots
            ? FileCopies(member.disk, "snapshot.") { $0 > zxid } : nil
        do throws(StorageError) {
            try server.log.truncate(after: zxid, in: &server.store)
            var settings = Recovery.Settings(hashSeed: 1)
            settings.keepsOrphans = true
            var recovery = Recovery(settings)
            let tree = try server.store.recover(with: &recovery)
            kept?.putBack(member.disk)
            report(.truncated(after: zxid, TreeBox(tree)), to: server)
        } catch {
            note("\(member.id) cannot truncate: \(error.message)")
            server.mustStop = true
            throw StorageError(.failed, error.message)
        }
    }

    private func install(
        _ snapshot: TreeSnapshot, _ server: LiveServer
    ) throws(StorageError) {
        let member = members[server.member]
        note("\(member.id) replaces all it has by a snapshot of \(snapshot.zxid)")
        drop(server) { _ in true }
        member.replacement = snapshot.zxid
        let old = sabotage == .keepsOldLog ? FileCopies(member.disk, "log.") { _ in true } : nil
        if sabotage != .installsInMemory {
            try server.log.replace(with: snapshot, in: &server.store)
        }
        old?.putBack(member.disk)
        member.replacement = nil
        member.durable = snapshot.zxid
        statistics[.snapshotsInstalled] += 1
        report(.snapshotInstalled, to: server)
    }

    // MARK: Snapshots

    private func begin(_ snapshot: TreeSnapshot, _ server: LiveServer) {
        server.snapshots.append(snapshot)
        if server.isSnapshotBusy { return }
        server.isSnapshotBusy = true
        let delay = diskDelay(of: server) + upTo(Int64(10 * knobs.diskDelay))
        schedule(.snapshots(server.member, life: server.life), in: delay)
    }

    /// What is to be truncated must not be written to a snapshot any more.
    private func drop(_ server: LiveServer, where isLate: (TreeSnapshot) -> Bool) {
        let count = server.snapshots.count
        server.snapshots.removeAll(where: isLate)
        for _ in server.snapshots.count..<count { report(.snapshotEnded, to: server) }
    }

    func workSnapshots(_ server: LiveServer) {
        server.isSnapshotBusy = false
        guard !server.snapshots.isEmpty else { return }
        writeNextSnapshot(server)
        report(.snapshotEnded, to: server)
        if !server.snapshots.isEmpty {
            server.isSnapshotBusy = true
            schedule(.snapshots(server.member, life: server.life), in: diskDelay(of: server))
        }
    }

    func writeNextSnapshot(_ server: LiveServer) {
        guard let snapshot = server.snapshots.popFirst() else { return }
        do throws(StorageError) {
            try server.store.write(snapshot)
            statistics[.snapshotsWritten] += 1
            note("\(members[server.member].id) has written a snapshot of \(snapshot.zxid)")
            if knobs.snapshotsKept > 0 { try server.store.purge(keeping: knobs.snapshotsKept) }
        } catch {
            note("\(members[server.member].id) has not written a snapshot: \(error.message)")
        }
    }

    // MARK: Reports

    /// Tells the core a little later, in order.
    func report(_ report: DiskReport, to server: LiveServer) {
        server.toldUntil = max(server.toldUntil, now + upTo(400))
        schedule(.told(report, server.member, life: server.life), at: server.toldUntil)
    }

    func tell(_ report: DiskReport, to server: LiveServer) {
        switch report {
        case .truncated(let zxid, let box):
            guard let tree = box.take() else { return }
            let parcel = TreeBox(tree)
            step(server) { core, now, effects in
                guard let tree = parcel.take() else { return }
                core.truncated(to: tree, after: zxid, at: now, into: &effects)
                server.hasReplacedTree(core.tree.lastProcessedZxid)
            }
        case .snapshotInstalled:
            step(server) { core, now, effects in
                core.snapshotInstalled(at: now, into: &effects)
                server.hasReplacedTree(core.tree.lastProcessedZxid)
            }
        case .persisted(let zxid):
            step(server) { core, now, effects in
                core.step(.persisted(zxid), at: now, into: &effects)
            }
        case .epochsSaved:
            step(server) { core, now, effects in
                core.step(.quorum(.epochsSaved), at: now, into: &effects)
            }
        case .snapshotEnded:
            step(server) { core, now, effects in
                core.step(.snapshotEnded, at: now, into: &effects)
            }
        case .stalled(let isStalled):
            note("\(members[server.member].id): the disk \(isStalled ? "refuses" : "works again")")
            step(server) { core, now, effects in
                core.step(isStalled ? .storageStalled : .storageResumed, at: now, into: &effects)
            }
        case .logRead(let log, let link):
            step(server) { core, now, effects in
                core.step(.quorum(.logRead(log, link)), at: now, into: &effects)
            }
        }
    }

    // MARK: Reading

    func readLog(
        from start: Zxid, through end: Zxid, for link: LinkID, of server: LiveServer
    ) {
        statistics[.logsRead] += 1
        let files = SimulatedFiles(disk: members[server.member].disk)
        var proposals: [Proposal]?
        do throws(StorageError) {
            let entries = try LogHistory.read(
                from: start, through: end, limitBytes: 100_000, in: files)
            proposals = entries?.map { Proposal(zxid: $0.zxid, bytes: $0.payload) }
        } catch {
            fail(.recovery, "the log of \(members[server.member].id): \(error.message)")
        }
        report(.logRead(oneIn(8) ? nil : proposals, link), to: server)
    }
}
