import AviaryClient
import AviaryTesting
import Testing

@Suite(.timeLimit(.minutes(3)))
struct TestingEnsembleTests {
    @Test(arguments: [1, 3, 5])
    func `an ensemble has one leader, and all members serve`(count: Int) async throws {
        try await TestingEnsemble.withEnsemble(of: count) { ensemble in
            #expect(ensemble.members.map(\.number) == Array(1...count))
            #expect(ensemble.members.count { $0.isLeader } == 1)
            for member in ensemble.members {
                try await ZooKeeper.withSession(member.connectString) { zk in
                    try await zk.create(Path("/from-\(member.number)"))
                    let config = try await zk.getConfig().text
                    #expect(config.split(separator: "\n").count == count + 1)
                }
            }
        }
    }

    @Test(arguments: [false, true])
    func `an ensemble goes on without its leader, which comes back`(
        isKilled: Bool
    ) async throws {
        try await TestingEnsemble.withEnsemble { ensemble in
            try await ZooKeeper.withSession(ensemble.connectString) { zk in
                try await zk.create("/e", mode: .ephemeral)
                let id = zk.sessionID
                let leader = try await ensemble.waitForLeader()
                if isKilled { await leader.kill() } else { await leader.stop() }
                let next = try await ensemble.waitForLeader()
                #expect(next.number != leader.number)
                try await zk.waitUntilConnected()
                try await write(zk, "/while-down")
                #expect(zk.sessionID == id)
                try await leader.restart()
                try await ensemble.waitUntilServing()
                #expect(leader.isServing && !leader.isLeader)
                try await ZooKeeper.withSession(leader.connectString) { direct in
                    try await direct.sync()
                    #expect(try await direct.exists("/while-down") != nil)
                    #expect(try await direct.exists("/e")?.ephemeralOwner == id.rawValue)
                }
            }
        }
    }

    @Test func `a session is expired wherever its client is connected`() async throws {
        try await TestingEnsemble.withEnsemble { ensemble in
            for member in ensemble.members {
                try await ZooKeeper.withSession(member.connectString) { zk in
                    try await zk.create("/e", mode: .ephemeral)
                    try await ensemble.expireSession(zk.sessionID)
                    for other in ensemble.members {
                        try await ZooKeeper.withSession(other.connectString) { witness in
                            let stat = try await witness.exists("/e")
                            #expect(stat == nil)
                        }
                    }
                    var last: SessionState?
                    for await state in zk.states { last = state }
                    #expect(last == .expired)
                }
            }
        }
    }

    @Test func `only the leader expires sessions`() async throws {
        try await TestingEnsemble.withEnsemble { ensemble in
            let follower = try #require(ensemble.members.first { !$0.isLeader })
            try await ZooKeeper.withSession(follower.connectString) { zk in
                try await zk.waitUntilConnected()
                await #expect(throws: TestingError.self) {
                    try await follower.expireSession(zk.sessionID)
                }
                #expect(zk.state == .connected)
            }
        }
    }

    @Test func `a client that is cut off goes on with its session, and not before it may`()
        async throws
    {
        try await TestingEnsemble.withEnsemble { ensemble in
            try await ZooKeeper.withSession(ensemble.connectString) { zk in
                try await zk.waitUntilConnected()
                let id = zk.sessionID
                var states = zk.states.makeAsyncIterator()
                #expect(await states.next() == .connected)
                try ensemble.cutOff(id)
                #expect(await states.next() == .suspended)
                #expect(await states.next() == .reconnected(sameSession: true))
                try await ensemble.withSessionCutOff(id) {
                    await zk.untilSuspended()
                    await #expect(throws: ClientError.self) {
                        try await zk.waitUntilConnected(timeout: .milliseconds(400))
                    }
                }
                try await zk.waitUntilConnected(timeout: .seconds(10))
                #expect(zk.state == .reconnected(sameSession: true))
                #expect(zk.sessionID == id)
            }
        }
    }

    @Test func `no majority, no leader`() async throws {
        try await TestingEnsemble.withEnsemble { ensemble in
            await ensemble.members[0].stop()
            await ensemble.members[1].stop()
            await #expect(throws: TestingError.self) {
                try await ensemble.waitUntilServing()
            }
            try await ensemble.members[0].restart()
            try await ensemble.waitUntilServing()
        }
    }

    /// A connection may break once more while the members sort themselves out.
    private func write(_ zk: ZooKeeper, _ path: Path) async throws {
        for _ in 0..<50 {
            if try await isWritten(path, zk) { return }
            try await zk.waitUntilConnected(timeout: .seconds(30))
        }
        Issue.record("the connection broke again and again")
    }

    private func isWritten(_ path: Path, _ zk: ZooKeeper) async throws -> Bool {
        do throws(ClientError) {
            try await zk.create(path)
        } catch {
            if error.code == .connectionLost { return false }
            if error.refusal != .nodeExists { throw error }
        }
        return true
    }
}
