import AviaryWire

@testable import Zab

/// Links keep the order of what is sent; who closes one, or is cut off, is told nothing at once.
extension SimulatedEnsemble {
    func vote(_ notification: Notification, _ from: Int, _ to: Int) {
        guard members.indices.contains(to), to != from, cutUntil[from][to] <= now else { return }
        votesAt[from][to] = max(votesAt[from][to], now + Int64(1 + random.below(linkDelay)))
        agenda.add(.vote(notification, from: from, to: to), at: votesAt[from][to])
    }

    func connect(_ learner: Int, to leader: Int, _ link: LinkID) {
        let id = connections.count
        connections.append(
            Connection(
                learner: learner, leader: leader, link: link,
                learnerLife: members[learner].life, leaderLife: members[leader].life))
        schedule(.opened(id), in: Int64(1 + random.below(linkDelay)))
    }

    func open(_ id: Int) {
        let connection = connections[id]
        let leader = members[connection.leader]
        let isPossible =
            leader.isUp && leader.isListening && leader.life == connection.leaderLife
            && cutUntil[connection.learner][connection.leader] <= now
        guard isPossible, connection.isOpen,
            members[connection.learner].life == connection.learnerLife
        else {
            connections[id].isOpen = false
            schedule(.refused(id), in: Int64(random.below(10)))
            return
        }
        step(connection.leader, .learnerConnected(LinkID(UInt64(id))))
        if connections[id].isOpen { step(connection.learner, .leaderConnected(connection.link)) }
    }

    func connection(of learner: Int, _ link: LinkID) -> Int? {
        connections.lastIndex {
            $0.learner == learner && $0.link == link && $0.learnerLife == members[learner].life
        }
    }

    func sendToLeader(_ message: LearnerMessage, on id: Int) {
        guard connections[id].isOpen else { return }
        let at = max(connections[id].toLeaderAt, now + Int64(random.below(linkDelay)))
        connections[id].toLeaderAt = at
        agenda.add(.toLeader(message, id), at: at)
    }

    func transmit(_ happening: Happening, on link: LinkID) {
        let id = Int(link.rawValue)
        guard connections[id].isOpen else { return }
        let at = max(connections[id].toLearnerAt, now + Int64(random.below(linkDelay)))
        connections[id].toLearnerAt = at
        agenda.add(happening, at: at)
    }

    func close(_ id: Int, byLeader: Bool) {
        guard connections[id].isOpen else { return }
        connections[id].isOpen = false
        schedule(.lost(id, atLeader: !byLeader), in: Int64(random.below(30)))
    }

    func breakOff(_ id: Int) {
        guard connections[id].isOpen else { return }
        connections[id].isOpen = false
        schedule(.lost(id, atLeader: true), in: Int64(random.below(300)))
        schedule(.lost(id, atLeader: false), in: Int64(random.below(300)))
    }

    func lose(_ id: Int, atLeader: Bool) {
        let connection = connections[id]
        if atLeader {
            guard members[connection.leader].life == connection.leaderLife else { return }
            step(connection.leader, .learnerLost(LinkID(UInt64(id))))
        } else {
            guard members[connection.learner].life == connection.learnerLife else { return }
            step(connection.learner, .leaderLost(connection.link))
        }
    }

    func disconnectLearners(of index: Int) {
        members[index].isListening = false
        for id in connections.indices where connections[id].leader == index {
            close(id, byLeader: true)
        }
    }
}
