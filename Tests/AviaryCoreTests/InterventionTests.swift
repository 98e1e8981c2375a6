import AviaryWire
import NIOCore
import Testing

@testable import AviaryCore

/// What tests may do to sessions from outside.
struct InterventionTests {
    @Test func `a session that is ended goes with its ephemerals, and its client is let go`() {
        let harness = CoreHarness()
        let watcher = harness.client()
        let (client, id) = openSession(harness)
        _ = client.create("/e", "", flags: 1)
        _ = watcher.exists("/e", watch: true)
        #expect(harness.expire(id))
        // Not before the end is on the disk.
        #expect(harness.hasSession(id))
        #expect(!harness.expire(id))
        harness.persist()
        #expect(!harness.hasSession(id))
        #expect(harness.core.tree.find("/e") == nil)
        #expect(watcher.replies().first?.event?.type == .nodeDeleted)
        _ = client.replies()
        #expect(client.isClosed)
        #expect(harness.core.statistics.sessionsExpired == 1)
        #expect(harness.core.statistics.digestMismatches == 0)
    }

    @Test func `a session that is not there cannot be ended or cut off`() {
        let harness = CoreHarness()
        #expect(!harness.expire(SessionID(77)))
        #expect(!harness.cutOff(SessionID(77)))
        #expect(harness.core.statistics.sessionsExpired == 0)
    }

    @Test func `a client that is cut off comes back with its session and its ephemerals`() {
        let harness = CoreHarness()
        let (client, id) = openSession(harness)
        _ = client.create("/e", "", flags: 1)
        #expect(harness.cutOff(id))
        _ = client.replies()
        #expect(client.isClosed)
        client.disconnect()
        #expect(!harness.cutOff(id))
        let again = harness.connect()
        again?.shake(session: id, password: id.password)
        #expect(again?.connectResponse()?.session == id)
        #expect(harness.core.tree.find("/e") != nil)
    }

    @Test func `a session that is barred cannot connect, others can, and it can again later`() {
        let harness = CoreHarness()
        let (client, id) = openSession(harness)
        client.disconnect()
        harness.core.barred = [id]
        let refused = harness.connect()
        refused?.shake(session: id, password: id.password)
        #expect(refused?.connectResponse() == nil)
        #expect(refused?.isClosed == true)
        #expect(openSession(harness).1 != id)
        harness.core.barred = []
        let again = harness.connect()
        again?.shake(session: id, password: id.password)
        #expect(again?.connectResponse()?.session == id)
    }

    private func openSession(_ harness: CoreHarness) -> (TestClient, SessionID) {
        guard let client = harness.connect() else { preconditionFailure("no connection") }
        client.shake()
        harness.persist()
        return (client, client.connectResponse()?.session ?? .none)
    }
}

extension CoreHarness {
    fileprivate func hasSession(_ id: SessionID) -> Bool { core.hasSession(id) }

    fileprivate func expire(_ id: SessionID) -> Bool {
        defer { carry(&effects) }
        return core.expire(id, at: now, into: &effects)
    }

    fileprivate func cutOff(_ id: SessionID) -> Bool {
        defer { carry(&effects) }
        return core.cutOff(id, into: &effects)
    }
}
