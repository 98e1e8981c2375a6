import AviaryWire
import NIOCore
import Testing

@testable import AviaryCore

struct ReaperTests {
    private let minute: Int64 = 60_000

    private func harness() -> CoreHarness {
        CoreHarness {
            $0.maximumSessionTimeoutMilliseconds = .max
            $0.minimumSessionTimeoutMilliseconds = 1_000_000_000
        }
    }

    @Test func `a container goes when it has had a child and has none`() {
        let harness = harness()
        let client = harness.client()
        for path in ["/used", "/never", "/full"] {
            _ = client.ask(.createContainer) { $0.writeCreate(path, flags: 4) }
        }
        for path in ["/used/c", "/full/c"] { _ = client.create(path) }
        _ = client.delete("/used/c")
        harness.advance(milliseconds: minute - 1)
        #expect(harness.core.tree.find("/used") != nil)
        harness.advance(milliseconds: 1)
        #expect(harness.core.tree.find("/used") == nil)
        #expect(harness.core.tree.find("/never") != nil)
        #expect(harness.core.tree.find("/full") != nil)
        let last = harness.appended.last
        #expect(last?.header.type == .deleteContainer)
        #expect(last?.header.session == SessionID.none)
        #expect(harness.core.statistics.digestMismatches == 0)
    }

    @Test func `a node goes when its time is up, counted from its last change`() {
        let harness = harness()
        let client = harness.client()
        for path in ["/old", "/touched"] {
            _ = client.ask(.createTTL) { body in
                body.writeCreate(path, flags: 5)
                body.writeInteger(Int64(90_000))
            }
        }
        harness.advance(milliseconds: minute)
        _ = client.set("/touched", "again")
        #expect(harness.core.tree.find("/old") != nil)
        harness.advance(milliseconds: minute)
        #expect(harness.core.tree.find("/old") == nil)
        #expect(harness.core.tree.find("/touched") != nil)
        harness.advance(milliseconds: minute)
        #expect(harness.core.tree.find("/touched") == nil)
    }

    @Test func `deletes are spread over the minute`() {
        let harness = harness()
        let client = harness.client()
        for number in 0..<100 {
            _ = client.ask(.createContainer) { $0.writeCreate("/c\(number)", flags: 4) }
            _ = client.create("/c\(number)/x")
            _ = client.delete("/c\(number)/x")
        }
        let before = harness.core.tree.nodeCount
        harness.advance(milliseconds: minute)
        let first = before - harness.core.tree.nodeCount
        #expect((1...20).contains(first))
        for _ in 0..<10 { harness.advance(milliseconds: 100) }
        #expect(harness.core.tree.nodeCount == before - 100)
    }

    @Test func `a node that came into use meanwhile stays`() {
        let harness = harness()
        let client = harness.client()
        _ = client.ask(.createContainer) { $0.writeCreate("/c", flags: 4) }
        _ = client.create("/c/x")
        harness.persistsAtOnce = false
        client.send(.delete) { $0.writeVersion("/c/x") }
        harness.persist()
        client.send(.create) { $0.writeCreate("/c/y") }
        harness.advance(milliseconds: minute)
        harness.persist()
        #expect(harness.core.tree.find("/c/y") != nil)
    }
}
