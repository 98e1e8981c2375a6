import AviaryCore
import AviaryWire
import Zab

/// What goes wrong.
extension Simulator {
    func makeMischief() {
        guard now < faultsEnd else { return heal() }
        schedule(.mischief, in: min(knobs.tick / 2 + upTo(Int64(knobs.faultGap)), faultsEnd - now))
        if knobs.crashesOnly { return crashSomebody() }
        switch random.below(14) {
        case 0...2: crashSomebody()
        case 3: cutPair(isOneWay: false)
        case 4: cutPair(isOneWay: true)
        case 5: isolate(random.below(members.count))
        case 6: if let leader { isolate(leader) }
        case 7: pause(random.below(members.count), until: faultEnd)
        case 8: stallDisk(random.below(members.count))
        case 9: breakLinks()
        case 10: swizzle()
        case 11: cutClient()
        case 12: moveWallClock()
        default: if oneIn(4) { failPower() } else if let leader { pause(leader, until: faultEnd) }
        }
    }

    /// Of a fault that begins now.
    private var faultEnd: Int64 {
        min(now + knobs.tick / 2 + upTo(Int64(knobs.faultLength)), faultsEnd)
    }

    var leader: Int? {
        let leaders = members.indices.filter { members[$0].role == .leading }
        return leaders.isEmpty ? nil : leaders[random.below(leaders.count)]
    }

    private func crashSomebody() {
        if oneIn(2), let leader { crash(leader) } else { crash(random.below(members.count)) }
    }

    /// Everything at once.
    func failPower() {
        statistics[.powerFailures] += 1
        note("the power fails")
        for index in members.indices { crash(index) }
    }

    // MARK: Links

    private func cutPair(isOneWay: Bool) {
        let one = random.below(members.count)
        let other = random.below(members.count)
        if one == other { return }
        cut(one, other, until: faultEnd, isOneWay: isOneWay, breaks: oneIn(3))
    }

    /// A member is cut off from all others, and some of the clients.
    private func isolate(_ index: Int) {
        let end = faultEnd
        let isOneWay = oneIn(4)
        let breaks = oneIn(3)
        for other in members.indices where other != index {
            cut(index, other, until: end, isOneWay: isOneWay, breaks: breaks)
        }
        for client in clients where oneIn(3) {
            cut(index, members.count + client.index, until: end, isOneWay: false, breaks: false)
        }
    }

    private func cutClient() {
        let client = members.count + random.below(clients.count)
        let end = faultEnd
        for index in members.indices where oneIn(2) {
            cut(client, index, until: end, isOneWay: oneIn(4), breaks: false)
        }
    }

    /// Nothing passes for a while. Connections stall, or break.
    func cut(_ one: Int, _ other: Int, until end: Int64, isOneWay: Bool, breaks: Bool) {
        note(
            "nothing passes from \(name(of: one)) to \(name(of: other))"
                + (isOneWay ? "" : " or back") + " until \(Journal.milliseconds(end))")
        statistics[.cuts] += 1
        network.cut(from: one, to: other, until: end)
        if !isOneWay { network.cut(from: other, to: one, until: end) }
        if breaks { breakLink(one, other) }
    }

    private func name(of node: Int) -> String {
        node < members.count ? "\(members[node].id)" : clients[node - members.count].name
    }

    private func breakLinks() {
        let one = random.below(members.count)
        let other = random.below(members.count)
        if one == other { return }
        note("the links between \(members[one].id) and \(members[other].id) break")
        breakLink(one, other)
    }

    private func breakLink(_ one: Int, _ other: Int) {
        guard one < members.count, other < members.count else { return }
        statistics[.linksBroken] += 1
        breakElection(one, other)
        for (learner, leader) in [(one, other), (other, one)] {
            guard let wire = members[learner].server?.leader, wire[.acceptor].node == leader,
                wire.state == .open
            else { continue }
            breakOff(wire, within: 2 * knobs.tick)
        }
    }

    /// Members are clogged one after the other, and let go in another order.
    private func swizzle() {
        note("some members are clogged one by one")
        for index in members.indices where oneIn(2) {
            let end = faultEnd
            for other in members.indices where other != index {
                network.cut(from: index, to: other, until: end)
                network.cut(from: other, to: index, until: end)
            }
        }
    }

    // MARK: Disks and clocks

    private func stallDisk(_ index: Int) {
        let end = faultEnd
        note("the disk of \(members[index].id) stalls until \(Journal.milliseconds(end))")
        if knobs.diskFaults && oneIn(2) {
            statistics[.diskFaults] += 1
            members[index].diskFaultsUntil = end
        } else {
            statistics[.diskStalls] += 1
            members[index].diskStalledUntil = end
        }
    }

    private func moveWallClock() {
        statistics[.clockJumps] += 1
        let index = random.below(members.count)
        members[index].clock.wallOffset += Int64(random.below(40_000_000)) - 20_000_000
    }

    // MARK: The end

    /// Faults stop: everything runs again, and has a while to show it.
    private func heal() {
        note("all faults end")
        for member in members where member.server == nil { schedule(.start(member.index), in: 0) }
        ending = .healed(limit: now + knobs.recoveryLimit)
        healedAt = now
        for client in clients { client.hasWrittenSince = false }
    }

    func isHealed(since time: Int64) -> Bool { healedAt.map { time >= $0 } ?? false }

    /// Looks how far the end is.
    func inspect() {
        schedule(.inspect, in: knobs.tick)
        switch ending {
        case .faults, .done: break
        case .healed(let limit):
            if isServing, clients.contains(where: \.hasWrittenSince) {
                note("the ensemble serves again")
                ending = .quiet(limit: now + knobs.recoveryLimit)
            } else if now > limit {
                fail(.liveness, "faults ended, and the ensemble does not serve: \(roles)")
            }
        case .quiet(let limit):
            if isEqual {
                checkTrees()
                ending = .done
            } else if now > limit {
                fail(.liveness, "faults ended, and the members do not become equal: \(roles)")
            }
        }
    }

    private var roles: String {
        members.map { member in
            guard let server = member.server else { return "\(member.id) is down" }
            return "\(member.id) is \(server.core.role) at"
                + " \(server.core.tree.lastProcessedZxid)"
        }.joined(separator: ", ")
    }

    private var isServing: Bool {
        let leading = members.filter { $0.role == .leading }
        return leading.count == 1 && members.allSatisfy { $0.role.map { $0 != .looking } ?? false }
    }

    private var isEqual: Bool {
        guard isServing, clients.allSatisfy(\.pending.isEmpty) else { return false }
        return members.allSatisfy { member in
            member.server.map { server in
                let zxid = server.core.tree.lastProcessedZxid
                return checker.ledger.lastTransaction(of: zxid) == checker.ledger.last
                    && server.orders.isEmpty
            } ?? false
        }
    }

    /// Each tree is what the history makes of it.
    private func checkTrees() {
        for member in members {
            guard let server = member.server else { continue }
            server.core.checkInvariants()
            var walk = server.core.tree.snapshot.sorted
            var count = 0
            while let node = walk.next() {
                let path = Path(walk.path)
                if path.bytes.isEmpty || path.bytes.starts(with: ReservedPath.zookeeper.bytes) {
                    continue
                }
                count += 1
                let expected = checker.model.node(path, at: checker.ledger.last)
                if expected?.data != node.data
                    || expected?.owner.rawValue != node.clientStat.ephemeralOwner
                {
                    fail(.treeIsHistory, "\(member.id) has \(path), which the history has not")
                }
            }
            if count != checker.model.count {
                fail(
                    .treeIsHistory,
                    "\(member.id) has \(count) nodes, and the history \(checker.model.count)")
            }
        }
    }

    /// How many epochs there have been, if nobody else believes to lead; else -1.
    var undisputedEpochs: Int {
        members.filter { $0.role == .leading }.count == 1 ? statistics[.epochs] : -1
    }
}
