import AviaryWire
import Testing

@testable import Zab

struct QuorumVerifierTests {
    private func ids(_ numbers: [Int64]) -> [ServerID] { numbers.map { ServerID($0) } }

    private func subsets(_ count: Int) -> [[ServerID]] {
        (0..<1 << count).map { code in
            (0..<count).filter { code >> $0 & 1 == 1 }.map { ServerID(Int64($0)) }
        }
    }

    /// Three groups of three, as in ZooKeeper's documentation.
    @Test func `groups decide when more than half of them are won by more than half`() {
        let groups = stride(from: Int64(0), to: 9, by: 3).map { first in
            QuorumVerifier.Group((first..<first + 3).map { .init(ServerID($0)) })
        }
        let verifier = QuorumVerifier(groups: groups)
        for servers in subsets(9) {
            let won = (0..<3).filter { group in
                servers.filter { $0.rawValue / 3 == Int64(group) }.count >= 2
            }
            #expect(verifier.isQuorum(servers) == (won.count >= 2))
        }
    }

    @Test func `a group that weighs nothing is no group`() {
        let verifier = QuorumVerifier(groups: [
            .init([.init(ServerID(1)), .init(ServerID(2)), .init(ServerID(3))]),
            .init([.init(ServerID(4), weight: 0)]),
        ])
        #expect(verifier.isQuorum(ids([1, 2])))
        #expect(!verifier.isQuorum(ids([1, 4])))
        #expect(verifier.weight(of: ServerID(4)) == 0)
        #expect(verifier.weight(of: ServerID(1)) == 1)
    }

    @Test func `any two quorums of one verifier share a server`() {
        let verifiers = [
            QuorumVerifier(majorityOf: ids([0, 1, 2, 3, 4])),
            QuorumVerifier(groups: [
                .init([.init(ServerID(0), weight: 2), .init(ServerID(1)), .init(ServerID(2))]),
                .init([.init(ServerID(3)), .init(ServerID(4))]),
            ]),
        ]
        for verifier in verifiers {
            let quorums = subsets(5).filter(verifier.isQuorum)
            for one in quorums {
                for other in quorums { #expect(one.contains(where: other.contains)) }
            }
        }
    }

    @Test func `a joint quorum is one of both`() {
        let old = QuorumVerifier(majorityOf: ids([0, 1, 2]))
        let new = QuorumVerifier(majorityOf: ids([2, 3, 4]))
        let joint = QuorumVerifier(current: old, next: new)
        for servers in subsets(5) {
            #expect(joint.isQuorum(servers) == (old.isQuorum(servers) && new.isQuorum(servers)))
        }
        #expect(joint.voters == ids([0, 1, 2, 3, 4]))
        #expect(joint.current == old)
        let progress = [(0, 5), (1, 4), (2, 3), (3, 9), (4, 1)].map {
            LearnerProgress(server: ServerID(Int64($0.0)), acknowledged: Zxid(Int64($0.1)))
        }
        #expect(joint.reached(by: progress) == Zxid(3))
    }
}
