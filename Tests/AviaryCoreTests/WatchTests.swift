import AviaryWire
import NIOCore
import Testing

@testable import AviaryCore

struct WatchTests {
    private struct Event: Hashable {
        var type: WatchEventType
        var path: String
    }

    private func events(_ client: TestClient) -> [Event] {
        client.replies().compactMap { $0.event.map { Event(type: $0.type, path: $0.path) } }
    }

    @Test func `a data watch fires once`() {
        let harness = CoreHarness()
        let writer = harness.client()
        let watcher = harness.client()
        _ = writer.create("/a", "1")
        _ = watcher.get("/a", watch: true)
        _ = watcher.exists("/a", watch: true)
        _ = writer.set("/a", "2")
        _ = writer.set("/a", "3")
        #expect(events(watcher) == [Event(type: .nodeDataChanged, path: "/a")])
        #expect(harness.core.watches.isEmpty)
    }

    @Test func `a watch for a missing node hears of its creation`() {
        let harness = CoreHarness()
        let writer = harness.client()
        let watcher = harness.client()
        #expect(watcher.exists("/a", watch: true)?.error == -101)
        #expect(watcher.get("/b", watch: true)?.error == -101)
        _ = writer.create("/a")
        _ = writer.create("/b")
        #expect(events(watcher) == [Event(type: .nodeCreated, path: "/a")])
    }

    @Test func `children coming and going are told to who listed them`() {
        let harness = CoreHarness()
        let writer = harness.client()
        let watcher = harness.client()
        _ = writer.create("/a")
        _ = watcher.children("/a", watch: true)
        _ = writer.create("/a/b")
        #expect(events(watcher) == [Event(type: .nodeChildrenChanged, path: "/a")])
        _ = watcher.children("/a", watch: true)
        _ = watcher.children("/", watch: true)
        _ = writer.delete("/a/b")
        _ = writer.delete("/a")
        #expect(
            events(watcher) == [
                Event(type: .nodeChildrenChanged, path: "/a"),
                Event(type: .nodeChildrenChanged, path: "/"),
            ])
    }

    @Test func `a deleted node is told once, however it was watched`() {
        let harness = CoreHarness()
        let writer = harness.client()
        let watcher = harness.client()
        _ = writer.create("/a")
        _ = watcher.get("/a", watch: true)
        _ = watcher.children("/a", watch: true)
        _ = writer.delete("/a")
        #expect(events(watcher) == [Event(type: .nodeDeleted, path: "/a")])
        #expect(harness.core.watches.count == 0)
    }

    @Test func `who may not read a node is told nothing of it`() {
        let harness = CoreHarness()
        let writer = harness.client()
        let watcher = harness.client()
        _ = writer.create("/a")
        _ = watcher.get("/a", watch: true)
        _ = writer.ask(.setACL) { body in
            body.writeText("/a")
            ACL.writeList([ACL(.write, "world", "anyone")], to: &body)
            body.writeInteger(Int32(-1))
        }
        _ = writer.set("/a", "2")
        #expect(events(watcher).isEmpty)
        #expect(harness.core.watches.isEmpty)
    }

    @Test func `watches end with their connection`() {
        let harness = CoreHarness()
        let writer = harness.client()
        let watcher = harness.client()
        for number in 0..<200 { _ = watcher.exists("/n\(number)", watch: true) }
        #expect(harness.core.watches.count == 200)
        for number in 0..<100 { _ = writer.create("/n\(number)") }
        #expect(harness.core.watches.count == 100)
        watcher.disconnect()
        #expect(harness.core.watches.count == 0)
        #expect(harness.core.watches.isEmpty)
    }

    @Test func `setWatches tells what was missed and arms the rest`() {
        let harness = CoreHarness()
        let writer = harness.client()
        for path in ["/same", "/changed", "/there", "/parent"] { _ = writer.create(path) }
        let seen = harness.core.tree.lastProcessedZxid
        _ = writer.set("/changed", "2")
        _ = writer.create("/parent/child")
        let client = harness.client()
        client.send(.setWatches) { body in
            body.writeInteger(seen.rawValue)
            for list in [
                ["/same", "/changed", "/gone"], ["/there", "/missing"], ["/parent", "/same"],
            ] {
                body.writeVector(list) { $0.writeText($1) }
            }
        }
        let replies = client.replies()
        #expect(replies.dropLast().allSatisfy { $0.xid == -1 && $0.zxid == Zxid(-1) })
        #expect(
            replies.compactMap { $0.event.map { Event(type: $0.type, path: $0.path) } } == [
                Event(type: .nodeDataChanged, path: "/changed"),
                Event(type: .nodeDeleted, path: "/gone"),
                Event(type: .nodeCreated, path: "/there"),
                Event(type: .nodeChildrenChanged, path: "/parent"),
            ])
        _ = writer.create("/missing")
        _ = writer.set("/same", "2")
        #expect(
            events(client) == [
                Event(type: .nodeCreated, path: "/missing"),
                Event(type: .nodeDataChanged, path: "/same"),
            ])
    }

    @Test func `a recursive watch sees below it, by whole names`() {
        var table = WatchTable(hashSeed: 1)
        _ = table.add(.persistentRecursive, at: Path("/w").bytes.raw, slot: 4)
        func fired(_ type: WatchEventType, _ path: Path) -> [UInt32] {
            var slots: [UInt32] = []
            table.fire(type, at: path.bytes.raw, into: &slots)
            return slots
        }
        #expect(fired(.nodeCreated, "/w/a/b") == [4])
        #expect(fired(.nodeDataChanged, "/w") == [4])
        #expect(fired(.nodeCreated, "/wx") == [])
        #expect(fired(.nodeChildrenChanged, "/w/a") == [])
        _ = table.add(.persistentRecursive, at: Path("/").bytes.raw, slot: 5)
        #expect(fired(.nodeDeleted, "/w/a").sorted() == [4, 5])
    }
}
