import AviaryWire
import Testing

@testable import Zab

struct FastLeaderElectionTests {
    private let servers = (1...3).map { ServerID(Int64($0)) }
    private let start = Instant(milliseconds: 0)

    private func settings(_ id: Int64, isObserver: Bool = false) -> QuorumSettings {
        var settings = QuorumSettings(
            server: ServerID(id), verifier: QuorumVerifier(majorityOf: servers))
        settings.isObserver = isObserver
        return settings
    }

    private func heard(
        _ state: Notification.State = .looking, leader: Int64, zxid: Int64 = 0, round: Int64 = 1,
        epoch: Int64 = 0
    ) -> Notification {
        Notification(
            state: state, leader: ServerID(leader), zxid: Zxid(zxid), electionEpoch: round,
            peerEpoch: epoch, configuration: nil)
    }

    /// Server 2 of three, which has begun to look, and its effects since.
    private func looking(
        _ settings: QuorumSettings? = nil, zxid: Int64 = 0, epoch: Int64 = 0
    ) -> ElectionBench {
        var bench = ElectionBench(settings ?? self.settings(2))
        bench.election.start(
            lastZxid: Zxid(zxid), currentEpoch: epoch, at: start, into: &bench.effects)
        return bench
    }

    @Test func `a server begins with a vote for itself`() {
        let bench = looking(zxid: 5, epoch: 3)
        let vote = heard(leader: 2, zxid: 5, epoch: 3)
        #expect(bench.effects == [.send(vote, to: servers[0]), .send(vote, to: servers[2])])
        #expect(bench.election.deadline == Instant(milliseconds: 200))
    }

    @Test func `a vote is sent again at growing intervals, up to a limit`() {
        var bench = looking()
        var times: [Int64] = []
        while let deadline = bench.election.deadline, deadline.milliseconds < 400_000 {
            bench.effects.removeAll()
            bench.step(.deadlinePassed, at: deadline.milliseconds)
            #expect(bench.effects.count == 2)
            times.append(deadline.milliseconds)
        }
        let gaps = zip(times.dropFirst(), times).map { $0 - $1 }
        #expect(gaps.prefix(9) == [400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000])
        #expect(gaps.suffix(2) == [60_000, 60_000])
    }

    /// Who begins to look last has missed the others' votes: with two left of three, that is a wait of
    /// an interval whenever the better one was first.
    @Test func `a worse vote of this round is answered at once, an equal or better one is not`() {
        var bench = looking(zxid: 5)
        bench.effects.removeAll()
        bench.receive(heard(leader: 1, zxid: 4), from: 1)
        #expect(bench.effects == [.send(heard(leader: 2, zxid: 5), to: servers[0])])
        bench.effects.removeAll()
        bench.receive(heard(leader: 2, zxid: 5), from: 1, at: 10)
        #expect(!bench.effects.contains { if case .send = $0 { true } else { false } })
    }

    /// Else a server that missed this vote, and asks more often than this one repeats it, would
    /// never learn of it.
    @Test func `what is heard does not put off the next sending`() {
        var bench = looking()
        bench.receive(heard(leader: 1), from: 1, at: 150)
        bench.effects.removeAll()
        bench.step(.deadlinePassed, at: 200)
        #expect(bench.effects.count == 2)
    }

    @Test(arguments: [
        (Vote(leader: ServerID(1), zxid: .zero, peerEpoch: 1), true),
        (Vote(leader: ServerID(1), zxid: Zxid(1), peerEpoch: 0), true),
        (Vote(leader: ServerID(3), zxid: .zero, peerEpoch: 0), true),
        (Vote(leader: ServerID(1), zxid: .zero, peerEpoch: 0), false),
        (Vote(leader: ServerID(3), zxid: Zxid(9), peerEpoch: -1), false),
        (Vote(leader: ServerID(3), zxid: Zxid(-1), peerEpoch: 0), false),
    ])
    func `epoch comes before zxid and zxid before id`(vote: Vote, isBetter: Bool) {
        let own = Vote(leader: ServerID(2), zxid: .zero, peerEpoch: 0)
        let verifier = QuorumVerifier(majorityOf: servers)
        #expect(vote.isBetter(than: own, in: verifier) == isBetter)
        #expect(!own.isBetter(than: own, in: verifier))
    }

    @Test func `a better vote is taken over and told to all`() {
        var bench = looking()
        bench.receive(heard(leader: 3, zxid: 4), from: 3)
        let vote = heard(leader: 3, zxid: 4)
        #expect(bench.effects == [.send(vote, to: servers[0]), .send(vote, to: servers[2])])
    }

    @Test func `a majority decides once nothing better came for a while`() {
        var bench = looking()
        bench.receive(heard(leader: 3), from: 3, at: 10)
        bench.effects.removeAll()
        #expect(bench.election.deadline == Instant(milliseconds: 210))
        bench.step(.deadlinePassed, at: 209)
        #expect(bench.effects.isEmpty)
        bench.step(.deadlinePassed, at: 210)
        #expect(bench.effects == [.decided(bench.election.vote)])
        #expect(bench.election.vote.leader == ServerID(3))
        #expect(bench.election.state == .following)
        #expect(bench.election.deadline == nil)
    }

    @Test func `a better vote undoes a decision that is as good as made`() {
        var bench = looking()
        bench.receive(heard(leader: 2), from: 1, at: 10)
        bench.receive(heard(leader: 3), from: 3, at: 100)
        bench.effects.removeAll()
        bench.step(.deadlinePassed, at: 300)
        #expect(bench.effects == [.decided(bench.election.vote)])
        #expect(bench.election.vote.leader == ServerID(3))
    }

    @Test func `nobody is waited for once all have voted the same`() {
        var bench = looking()
        bench.receive(heard(leader: 3), from: 3, at: 10)
        bench.effects.removeAll()
        bench.receive(heard(leader: 3), from: 1, at: 11)
        #expect(bench.effects == [.decided(bench.election.vote)])
    }

    @Test func `nobody is waited for who cannot be reached`() {
        var bench = looking()
        bench.step(.lost(servers[0]), at: 1)
        bench.receive(heard(leader: 3), from: 3, at: 10)
        #expect(bench.effects.last == .decided(bench.election.vote))
        #expect(bench.election.vote.leader == ServerID(3))
    }

    @Test func `who is lost while a decision waits ends the wait`() {
        var bench = looking()
        bench.receive(heard(leader: 3), from: 3, at: 10)
        bench.effects.removeAll()
        bench.step(.lost(servers[0]), at: 20)
        #expect(bench.effects == [.decided(bench.election.vote)])
    }

    @Test func `who is found again is waited for`() {
        var bench = looking()
        bench.step(.lost(servers[0]), at: 1)
        bench.step(.found(servers[0]), at: 2)
        bench.effects.removeAll()
        bench.receive(heard(leader: 3), from: 3, at: 10)
        #expect(bench.election.state == .looking)
        bench.step(.deadlinePassed, at: 210)
        #expect(bench.effects.last == .decided(bench.election.vote))
    }

    @Test func `H.37: a straggler's round is raised by an answer, and not counted`() {
        var bench = looking()
        bench.receive(heard(leader: 3, round: 5), from: 3)
        bench.effects.removeAll()
        bench.receive(heard(leader: 1, zxid: 99, round: 4), from: 1)
        #expect(bench.effects == [.send(heard(leader: 3, round: 5), to: servers[0])])
        #expect(bench.election.vote.leader == ServerID(3))
    }

    @Test func `H.37: a later round clears what was counted and begins from the own vote`() {
        var bench = looking(zxid: 7)
        bench.receive(heard(leader: 3, zxid: 6), from: 3)
        bench.effects.removeAll()
        bench.receive(heard(leader: 1, zxid: 5, round: 2), from: 1)
        #expect(bench.election.round == 2)
        let own = heard(leader: 2, zxid: 7, round: 2)
        #expect(bench.effects == [.send(own, to: servers[0]), .send(own, to: servers[2])])
    }

    @Test func `servers without a database do not vote for themselves or each other`() {
        var bench = looking(zxid: -1)
        bench.effects.removeAll()
        bench.receive(heard(leader: 3, zxid: 4), from: 3)
        #expect(bench.effects.isEmpty)
        var other = looking()
        other.receive(heard(leader: 3, zxid: -1, epoch: 1), from: 3)
        #expect(other.election.vote.leader == ServerID(2))
    }

    /// Guards the leader check: followers that have not noticed a leader's death elect nobody.
    @Test func `H.37: a leader is joined only if it says itself that it leads`() {
        var bench = looking()
        bench.receive(heard(.following, leader: 3, round: 7, epoch: 2), from: 1)
        bench.effects.removeAll()
        #expect(bench.election.state == .looking)
        bench.receive(heard(.leading, leader: 3, round: 7, epoch: 2), from: 3)
        #expect(
            bench.effects == [.decided(Vote(leader: ServerID(3), zxid: .zero, peerEpoch: 2))])
        #expect(bench.election.round == 7)
        #expect(bench.election.state == .following)
    }

    @Test func `a dead leader is not joined`() {
        var bench = looking()
        bench.receive(heard(.following, leader: 3, round: 1), from: 1)
        bench.receive(heard(.following, leader: 3, round: 1), from: 2)
        #expect(bench.election.state == .looking)
    }

    /// Zxid and round of the election differ among those that joined at different times.
    @Test func `those that have a leader agree by leader and epoch alone`() {
        var bench = looking()
        bench.receive(heard(.following, leader: 3, zxid: 4, round: 6, epoch: 2), from: 1)
        bench.receive(heard(.leading, leader: 3, zxid: 9, round: 7, epoch: 2), from: 3)
        #expect(bench.election.state == .following)
        var other = looking()
        other.receive(heard(.following, leader: 3, zxid: 4, round: 6, epoch: 1), from: 1)
        other.receive(heard(.leading, leader: 3, zxid: 4, round: 6, epoch: 2), from: 3)
        #expect(other.election.state == .looking)
    }

    @Test func `a server that is followed already leads only in its own round`() {
        var bench = looking()
        bench.receive(heard(.following, leader: 2, round: 9), from: 1)
        bench.receive(heard(.following, leader: 2, round: 9), from: 3)
        #expect(bench.election.state == .looking)
        bench.receive(heard(.following, leader: 2, round: 1), from: 1)
        bench.receive(heard(.following, leader: 2, round: 1), from: 3)
        #expect(bench.election.state == .leading)
    }

    @Test func `H.38: once decided, only those that look are answered, with the confirmed epoch`() {
        var bench = looking()
        bench.receive(heard(leader: 3), from: 3)
        bench.step(.deadlinePassed, at: 1000)
        bench.election.confirm(epoch: 4)
        bench.effects.removeAll()
        bench.receive(heard(leader: 1, round: 3), from: 1)
        let answer = heard(.following, leader: 3, epoch: 4)
        #expect(bench.effects == [.send(answer, to: servers[0])])
        bench.effects.removeAll()
        for state in [Notification.State.following, .leading, .observing] {
            bench.receive(heard(state, leader: 1, round: 3), from: 1)
        }
        #expect(bench.effects.isEmpty)
    }

    @Test func `H.36: who cannot vote is answered and not counted, and not too often`() {
        var bench = looking()
        bench.effects.removeAll()
        for time in [0, 1, 150, 260] as [Int64] {
            bench.receive(heard(leader: 3, zxid: 9), from: 9, at: time)
        }
        let answer = heard(leader: 2)
        #expect(
            bench.effects
                == [FastLeaderElection.Effect](
                    repeating: .send(answer, to: ServerID(9)), count: 2))
        #expect(bench.election.vote.leader == ServerID(2))
    }

    @Test func `a vote for one that cannot vote is passed over`() {
        var bench = looking()
        bench.receive(heard(leader: 9, zxid: 9), from: 3)
        #expect(bench.election.vote.leader == ServerID(2))
    }

    @Test func `an observer takes over what voters want and does not count itself`() {
        var observer = settings(9)
        observer.isObserver = true
        var bench = looking(observer)
        #expect(bench.election.vote == .nobody)
        bench.receive(heard(leader: 3), from: 3)
        bench.step(.deadlinePassed, at: 5000)
        #expect(bench.election.state == .looking)
        bench.receive(heard(leader: 3), from: 1, at: 5000)
        bench.step(.deadlinePassed, at: 5200)
        #expect(bench.election.state == .observing)
    }

    @Test func `a server that weighs nothing is not elected`() {
        let group = QuorumVerifier.Group(
            servers.map { .init($0, weight: $0 == ServerID(3) ? 0 : 1) })
        let verifier = QuorumVerifier(groups: [group])
        let three = Vote(leader: ServerID(3), zxid: Zxid(9), peerEpoch: 9)
        #expect(!three.isBetter(than: .nobody, in: verifier))
    }

    @Test func `a lone voter elects itself without a word`() {
        var bench = ElectionBench(
            QuorumSettings(
                server: ServerID(1), verifier: QuorumVerifier(majorityOf: [ServerID(1)])))
        bench.election.start(
            lastZxid: .zero, currentEpoch: 0, at: start, into: &bench.effects)
        bench.step(.deadlinePassed, at: 200)
        #expect(bench.effects == [.decided(bench.election.vote)])
        #expect(bench.election.state == .leading)
    }
}

/// One server's election, and what it asked for.
struct ElectionBench {
    var election: FastLeaderElection
    var effects: [FastLeaderElection.Effect] = []

    init(_ settings: QuorumSettings) {
        election = FastLeaderElection(settings)
    }

    mutating func step(_ event: FastLeaderElection.Event, at time: Int64) {
        election.step(event, at: Instant(milliseconds: time), into: &effects)
    }

    mutating func receive(_ heard: Notification, from sender: Int64, at time: Int64 = 0) {
        if time == 0 && sender != 9 { effects.removeAll() }
        step(.received(heard, from: ServerID(sender)), at: time)
    }
}
