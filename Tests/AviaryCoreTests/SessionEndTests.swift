import AviaryWire
import Testing
import Zab

@testable import AviaryCore

/// A client is told that its session is no more when that is decided, and not before: who says so may
/// be a leader of the past. In these tests the disk stands for the quorum.
struct SessionEndTests {
    /// A leader whose session 1 has expired, with the close proposed and not committed.
    private func expiring() -> (CoreHarness, SessionID) {
        let harness = CoreHarness.leader()
        let client = harness.client(timeout: 4000)
        let session = harness.core.tree.sessions.keys.sorted()[0]
        client.disconnect()
        harness.persistsAtOnce = false
        for _ in 0..<6 {
            harness.advance(milliseconds: 1000)
            harness.fromLearner(.ping(zxid(1, 0), touched: []))
        }
        return (harness, session)
    }

    private func returning(_ session: SessionID, to harness: CoreHarness) throws -> TestClient {
        let client = try #require(harness.connect())
        client.shake(session: session, password: session.password)
        return client
    }

    @Test func `an expiry is told when it is committed`() throws {
        let (harness, session) = expiring()
        #expect(harness.appended.last?.header.type == .closeSession)
        let client = try returning(session, to: harness)
        #expect(client.connectResponse() == nil && !client.isClosed)
        harness.persist()
        #expect(client.connectResponse()?.session == SessionID.none)
        #expect(client.isClosed)
        #expect(harness.core.tree.sessions[session] == nil)
    }

    @Test func `an expiry that a leader of the past proposed is told to nobody`() throws {
        let (harness, session) = expiring()
        let client = try returning(session, to: harness)
        harness.step(.quorum(.learnerLost(CoreHarness.followerLink)))
        harness.advance(milliseconds: 60_000)
        #expect(harness.core.role == .looking)
        #expect(client.connectResponse() == nil && client.isClosed)
        #expect(harness.core.tree.sessions[session] != nil)
    }

    @Test func `of a session that is not known it takes a quorum to say so`() throws {
        let harness = CoreHarness.leader()
        harness.persistsAtOnce = false
        let client = try returning(SessionID(77), to: harness)
        #expect(client.connectResponse() == nil && !client.isClosed)
        #expect(harness.appended.last?.txn == .error(ZooKeeperError.sessionExpired.rawValue))
        harness.persist()
        #expect(client.connectResponse()?.session == SessionID.none)
        #expect(client.isClosed)
    }

    @Test func `a standalone server says so at once`() throws {
        let harness = CoreHarness()
        harness.persistsAtOnce = false
        let client = try returning(SessionID(77), to: harness)
        #expect(client.connectResponse()?.session == SessionID.none)
        #expect(harness.appended.isEmpty)
    }

    @Test func `a learner's question is answered when it is decided`() {
        let (harness, session) = expiring()
        _ = harness.saidToLearners()
        harness.fromLearner(.revalidate(session, timeoutMilliseconds: 4000))
        #expect(harness.saidToLearners() == [])
        harness.persist()
        #expect(
            harness.saidToLearners() == [
                .commit(harness.core.tree.lastProcessedZxid),
                .revalidated(session, isValid: false),
            ])
    }
}
