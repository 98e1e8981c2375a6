import AviaryWire
import NIOCore
import Recordings
import Testing

@testable import Zab

/// A server of a recording: a row of the table, with what its disk held and what it had done before.
struct RecordedRole: CustomTestStringConvertible {
    enum Past {
        /// It starts within the recording, at this time.
        case none(startsAt: Int64)
        /// It leads, since it was elected with another's vote.
        case led(with: Int64, Vote, epoch: Int64)
        case followed(Vote, epoch: Int64)
    }

    typealias Difference = @Sendable ([Understudy.Said]) -> [Understudy.Said]

    let recording: String
    let server: Int64
    let text: String
    var past = Past.none(startsAt: 0)
    /// The log's end, and the epochs that were accepted and current.
    var disk: (last: Zxid, accepted: Int64, current: Int64) = (.zero, 0, 0)
    var isObserver = false
    var configurationVersion = Zxid.zero
    /// To whom votes are compared.
    var electorate: [ServerID] = (1...4).map { ServerID($0) }
    /// What came later has no counterpart in Aviary.
    var until = Int64.max
    /// By connection: what our machine is to say instead.
    var differences: [Int: Difference] = [:]
    var change: @Sendable (inout QuorumSettings) -> Void = { _ in }
    /// So that no row is empty by mistake.
    var leastPackets = 0

    var testDescription: String { "\(recording), server \(server): \(text)" }

    let verifier = QuorumVerifier(majorityOf: (1...3).map { ServerID($0) })

    private var id: ServerID { ServerID(server) }

    func settings(_ recording: Recording) -> QuorumSettings {
        var settings = QuorumSettings(server: id, verifier: verifier)
        settings.isObserver = isObserver
        settings.tickTime = 1000
        settings.configuration = configuration(recording)
        settings.configurationVersion = configurationVersion
        change(&settings)
        return settings
    }

    /// As the server's own messages have it.
    private func configuration(_ recording: Recording) -> ByteString {
        for message in recording.messages {
            if case .vote(let vote) = message.content, let text = vote.configuration { return text }
        }
        return ""
    }

    func recovered(_ recording: Recording) -> QuorumPeer.Recovered {
        var recovered = QuorumPeer.Recovered(lastZxid: disk.last)
        recovered.acceptedEpoch = disk.accepted
        recovered.currentEpoch = disk.current
        if disk.last.counter > 0 {
            recovered.history = (1...Int64(disk.last.counter)).map {
                Self.proposal(Zxid(epoch: Int64(disk.last.epoch)).rawValue + $0)
            }
        }
        return recovered
    }

    /// A transaction of which the recording has nothing but its number.
    private static func proposal(_ zxid: Int64) -> Proposal {
        Proposal(zxid: Zxid(zxid), bytes: ByteBuffer(integer: zxid))
    }

    /// Brings it to where it was when the recording begins.
    func prepare(_ understudy: inout Understudy, _ recording: Recording) {
        switch past {
        case .none: break
        case .led(let other, let vote, let epoch):
            understudy.lead(with: ServerID(other), vote, epoch: epoch, history(recording, epoch))
        case .followed(let vote, let epoch): understudy.follow(vote, epoch: epoch)
        }
    }

    /// What the leader has committed in this epoch before: up to what its first message names, with
    /// the recorded bytes where it sends them again.
    private func history(_ recording: Recording, _ epoch: Int64) -> [Proposal] {
        var sent: [Zxid: ByteBuffer] = [:]
        var last = Zxid(epoch: epoch)
        for message in recording.messages where message.sender == id {
            switch message.content {
            case .fromLeader(.proposal(let zxid, let bytes)): sent[zxid] = bytes
            case .fromLeader(.diff(let zxid)), .fromLeader(.snap(let zxid)): last = max(last, zxid)
            default: break
            }
        }
        guard last.counter > 0 else { return [] }
        return (1...Int64(last.counter)).map { counter in
            let zxid = Zxid(Zxid(epoch: epoch).rawValue + counter)
            return sent[zxid].map { Proposal(zxid: zxid, bytes: $0) }
                ?? Self.proposal(zxid.rawValue)
        }
    }

    /// - Returns: how much was heard.
    func play(_ recording: Recording, _ understudy: inout Understudy) -> Int {
        var start = Int64.min
        if case .none(let time) = past { start = time }
        var isStarted = start == .min
        var toOpen = recording.connections.sorted { $0.opened < $1.opened }
        var heard = 0
        let origin = understudy.time
        for message in recording.messages where message.time < until {
            if !isStarted && message.time >= start {
                isStarted = true
                understudy.pass(to: origin + start)
                understudy.start()
            }
            while let next = toOpen.first, next.opened <= message.time {
                understudy.open(next, at: origin + next.opened)
                toOpen.removeFirst()
            }
            guard isStarted else { continue }
            if message.receiver == id {
                understudy.hear(message.after(origin))
                heard += 1
            } else if message.sender == id {
                understudy.act(message.after(origin))
            }
        }
        return heard
    }

    // MARK: What the server said

    func takesPart(in connection: Recording.Connection) -> Bool {
        !connection.isElection && [connection.initiator, connection.acceptor].contains(id)
    }

    func said(_ recording: Recording, on connection: Int) -> [Understudy.Said] {
        recording.messages.compactMap { message in
            guard message.connection == connection, message.sender == id, message.time < until
            else { return nil }
            return switch message.content {
            case .fromLeader(let said): .asLeader(said)
            // Which sessions were touched, the core says.
            case .fromLearner(.ping(let zxid, _)): .asLearner(.ping(zxid, touched: []))
            case .fromLearner(let said): .asLearner(said)
            case .vote, .tree, .greeting: nil
            }
        }
    }

    func votes(_ recording: Recording, to receiver: ServerID) -> [Notification] {
        recording.messages.compactMap { message in
            guard message.sender == id, message.receiver == receiver, message.time < until,
                case .vote(let vote) = message.content
            else { return nil }
            return vote
        }
    }
}
