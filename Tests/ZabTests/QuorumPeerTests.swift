import AviaryWire
import NIOCore
import Testing

@testable import Zab

struct QuorumPeerTests {
    private let me = ServerID(1)
    private let start = Instant(milliseconds: 0)

    private func proposal(_ zxid: Int64) -> Proposal {
        Proposal(zxid: Zxid(zxid), bytes: ByteBuffer(integer: zxid))
    }

    @Test func `a quorum of one leads as soon as it starts`() {
        var peer = QuorumPeer(
            server: me, verifier: QuorumVerifier(majorityOf: [me]), lastZxid: Zxid(7))
        var effects: [QuorumPeer.Effect] = []
        peer.step(.started, at: start, into: &effects)
        #expect(effects == [.changed(.leading)])
        #expect(peer.role == .leading)
    }

    @Test func `one server of three does not lead by itself`() {
        let verifier = QuorumVerifier(majorityOf: [me, ServerID(2), ServerID(3)])
        var peer = QuorumPeer(server: me, verifier: verifier, lastZxid: .zero)
        var effects: [QuorumPeer.Effect] = []
        peer.step(.started, at: start, into: &effects)
        #expect(!effects.contains(.changed(.leading)))
        #expect(peer.role == .looking)
    }

    @Test func `H.4: nothing is committed before it is persisted`() {
        var peer = QuorumPeer(
            server: me, verifier: QuorumVerifier(majorityOf: [me]), lastZxid: .zero)
        var effects: [QuorumPeer.Effect] = []
        peer.step(.started, at: start, into: &effects)
        effects.removeAll()
        for zxid in 1...3 { peer.step(.propose(proposal(Int64(zxid))), at: start, into: &effects) }
        #expect(effects == (1...3).map { .append(proposal(Int64($0))) })
        effects.removeAll()
        peer.step(.persisted(Zxid(2)), at: start, into: &effects)
        #expect(effects == [.commit(upTo: Zxid(2))])
        effects.removeAll()
        peer.step(.persisted(Zxid(2)), at: start, into: &effects)
        #expect(effects.isEmpty)
        peer.step(.persisted(Zxid(3)), at: start, into: &effects)
        #expect(effects == [.commit(upTo: Zxid(3))])
    }

    /// Every way three or four servers can stand, against counting by hand.
    @Test func `what a majority has reached is what more than half are at or beyond`() {
        for size in 1...4 {
            let servers = (1...size).map { ServerID(Int64($0)) }
            let verifier = QuorumVerifier(majorityOf: servers)
            for code in 0..<Int(pow(4, size)) {
                let reached = (0..<size).map { Zxid(Int64(code >> (2 * $0) & 3)) }
                let progress = zip(servers, reached).map {
                    LearnerProgress(server: $0, acknowledged: $1)
                }
                let expected = (0...3).map { Zxid(Int64($0)) }.last { zxid in
                    zxid == .zero || reached.filter { $0 >= zxid }.count > size / 2
                }
                #expect(verifier.reached(by: progress) == expected)
            }
        }
    }

    @Test func `a server that is no voter does not count`() {
        let verifier = QuorumVerifier(majorityOf: [me])
        let stranger = LearnerProgress(server: ServerID(9), acknowledged: Zxid(5))
        let own = LearnerProgress(server: me, acknowledged: Zxid(2))
        #expect(verifier.reached(by: [stranger, own]) == Zxid(2))
        #expect(!verifier.isQuorum([ServerID(9)]))
    }

    private func pow(_ base: Int, _ exponent: Int) -> Int {
        (0..<exponent).reduce(1) { result, _ in result * base }
    }
}
