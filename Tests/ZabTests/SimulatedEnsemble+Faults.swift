import AviaryWire

@testable import Zab

/// Load and faults.
extension SimulatedEnsemble {
    func proposeSomething() {
        schedule(.propose, in: Int64(1 + random.below(80)))
        for index in members.indices where members[index].role == .leading {
            for _ in 0..<1 + random.below(4) where members[index].role == .leading {
                let member = members[index]
                lastValue += 1
                member.lastProposed = member.lastProposed.next
                let entry = Entry(zxid: member.lastProposed, value: lastValue)
                checker.proposed(entry)
                step(index, .propose(entry.proposal))
            }
        }
    }

    func makeMischief() {
        if now >= faultsEnd {
            for index in members.indices { schedule(.start(index), in: 1) }
            return
        }
        schedule(.mischief, in: Int64(20 + random.below(mischiefGap)))
        let index = random.below(members.count)
        let other = random.below(members.count)
        switch random.below(5) {
        case 0: crash(index)
        case 1:
            if let leader = members.firstIndex(where: { $0.role == .leading }) { crash(leader) }
        case 2, 3: if index != other { cut(index, other) }
        default:
            // A whole member is cut off.
            for other in members.indices where other != index { cut(index, other) }
        }
    }

    func crash(_ index: Int) {
        guard members[index].isUp else { return }
        members[index].peer = nil
        members[index].life += 1
        members[index].disk.crash(&random)
        for id in connections.indices
        where connections[id].leader == index || connections[id].learner == index {
            breakOff(id)
        }
        schedule(.start(index), in: Int64(10 + random.below(4 * mischiefGap)))
    }

    /// Nothing passes for a while; connections break at once, or stall.
    func cut(_ one: Int, _ other: Int) {
        let end = min(now + Int64(20 + random.below(4 * mischiefGap)), faultsEnd)
        cutUntil[one][other] = max(cutUntil[one][other], end)
        cutUntil[other][one] = max(cutUntil[other][one], end)
        let stalls = random.oneIn(2)
        for id in connections.indices where connections[id].isOpen {
            let pair = (connections[id].learner, connections[id].leader)
            guard pair == (one, other) || pair == (other, one) else { continue }
            if stalls {
                connections[id].toLeaderAt = max(connections[id].toLeaderAt, end)
                connections[id].toLearnerAt = max(connections[id].toLearnerAt, end)
            } else {
                breakOff(id)
            }
        }
    }
}
