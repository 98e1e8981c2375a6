import AviaryCore
import AviaryWire
import DequeModule
import NIOCore
import Zab

/// The election port: one connection between two members, made when there is something to send.
extension Simulator {
    func send(_ notification: Notification, from: Int, to server: ServerID) {
        let to = Int(server.rawValue) - 1
        guard members.indices.contains(to), to != from else { return }
        var frame = ByteBuffer()
        let start = frame.beginFrame()
        notification.write(to: &frame)
        frame.endFrame(start)
        journal.mix(frame)
        network[from, to].waiting = frame
        dispatch(from, to)
    }

    private static let underwayLimit = 3

    private func dispatch(_ from: Int, _ to: Int) {
        guard network[from, to].isUp else { return dial(from, to) }
        guard network[from, to].underway.count < Self.underwayLimit,
            let frame = network[from, to].waiting
        else { return }
        network[from, to].waiting = nil
        network[from, to].underway.append(frame)
        let arrival = max(network[from, to].lastArrival, now + upTo(Int64(knobs.linkDelay)))
        network[from, to].lastArrival = arrival
        schedule(.vote(from: from, to: to), at: arrival)
    }

    private func dial(_ from: Int, _ to: Int) {
        if network[from, to].isDialing { return }
        network[from, to].isDialing = true
        schedule(.dialed(from, to), in: upTo(Int64(2 * knobs.linkDelay)))
    }

    func dialed(_ from: Int, _ to: Int) {
        network[from, to].isDialing = false
        guard let server = members[from].server, !network[from, to].isUp else { return }
        let isCut =
            network.isCut(from: from, to: to, at: now) || network.isCut(from: to, to: from, at: now)
        guard !isCut, let other = members[to].server, members[from].pausedUntil == nil else {
            if network[from, to].waiting != nil {
                network[from, to].isDialing = true
                schedule(.dialed(from, to), in: knobs.tick / 2)
            }
            return
        }
        network[from, to].isUp = true
        network[to, from].isUp = true
        voterFound(members[to].id, at: server)
        if members[to].pausedUntil == nil { voterFound(members[from].id, at: other) }
        dispatch(from, to)
        dispatch(to, from)
    }

    private func voterFound(_ id: ServerID, at server: LiveServer) {
        step(server) { core, now, effects in
            core.step(.quorum(.voterFound(id)), at: now, into: &effects)
        }
    }

    func voterLost(_ other: Int, at server: LiveServer) {
        if network[server.member, other].isUp { return }
        let id = members[other].id
        step(server) { core, now, effects in
            core.step(.quorum(.voterLost(id)), at: now, into: &effects)
        }
    }

    func deliverVote(_ from: Int, _ to: Int) {
        if network[from, to].lost > 0 {
            network[from, to].lost -= 1
            return
        }
        if network.isCut(from: from, to: to, at: now) {
            let end = network.cutEnd(from: from, to: to)
            return schedule(.vote(from: from, to: to), at: end + upTo(Int64(knobs.linkDelay)))
        }
        guard var frame = network[from, to].underway.popFirst() else { return }
        dispatch(from, to)
        guard let server = members[to].server else { return }
        guard let length = frame.readInteger(as: Int32.self), length == frame.readableBytes else {
            return fail(.codec, "a vote from \(members[from].id) has a wrong length")
        }
        var reader = JuteReader(frame.readableBytesSpan)
        do throws(WireError) {
            let vote = try Notification(from: &reader)
            let sender = members[from].id
            note("\(sender) -> \(members[to].id) \(vote.words)")
            step(server) { core, now, effects in
                core.step(.quorum(.vote(vote, from: sender)), at: now, into: &effects)
            }
        } catch {
            fail(.codec, "a vote from \(members[from].id) cannot be read: \(error)")
        }
    }

    /// The connection is no more; who is still there hears of it, or does not.
    func breakElection(_ one: Int, _ other: Int) {
        for (from, to) in [(one, other), (other, one)] {
            let wasUp = network[from, to].isUp
            network[from, to].isUp = false
            network[from, to].lost += network[from, to].underway.count
            network[from, to].underway.removeAll()
            guard wasUp, let server = members[from].server, !oneIn(4) else { continue }
            let delay = upTo(2 * knobs.tick)
            schedule(.voterLost(to, at: from, life: server.life), in: delay)
        }
    }
}

extension Notification {
    fileprivate var words: String {
        "vote for \(leader) (zxid \(zxid), epoch \(peerEpoch), round \(electionEpoch), \(state))"
    }
}
