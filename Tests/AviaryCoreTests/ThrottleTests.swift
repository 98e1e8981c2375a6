import AviaryWire
import NIOCore
import Testing

@testable import AviaryCore

@Suite struct ThrottleTests {
    private func sets(_ count: Int, from client: TestClient, bytes: Int = 1) -> ByteBuffer {
        var buffer = ByteBuffer()
        for number in 0..<count {
            buffer.writeImmutableBuffer(
                client.frame(.setData, xid: Int32(100 + number)) {
                    $0.writeSet("/a", String(repeating: "x", count: bytes))
                })
        }
        return buffer
    }

    @Test func `past globalOutstandingLimit a connection that waits is held, and all is answered`()
    {
        let harness = CoreHarness({ $0.globalOutstandingLimit = 5 })
        let client = harness.client()
        _ = client.create("/a")
        harness.persistsAtOnce = false
        client.send(sets(20, from: client))
        #expect(client.replies().isEmpty)
        #expect(client.next == .wait)
        #expect(harness.core.outstandingCount == 6)
        var answered: [Int32] = []
        for _ in 0..<10 {
            harness.persist()
            answered += client.replies().map(\.xid)
        }
        #expect(answered == (100..<120).map { Int32($0) })
        #expect(client.next == .read)
    }

    @Test func `a connection that waits for nothing may ask while others are held`() {
        let harness = CoreHarness({ $0.globalOutstandingLimit = 5 })
        let (greedy, modest) = (harness.client(), harness.client())
        _ = greedy.create("/a")
        harness.persistsAtOnce = false
        greedy.send(sets(20, from: greedy))
        modest.send(.getData) { $0.writeRead("/a", watch: false) }
        #expect(modest.replies().count == 1)
    }

    @Test func `request_throttle_max_requests holds everyone`() {
        let harness = CoreHarness({ $0.requestThrottleMaxRequests = 2 })
        let (greedy, modest) = (harness.client(), harness.client())
        _ = greedy.create("/a")
        harness.persistsAtOnce = false
        greedy.send(sets(5, from: greedy))
        modest.send(.getData) { $0.writeRead("/a", watch: false) }
        #expect(modest.replies().isEmpty)
        #expect(modest.next == .wait)
        for _ in 0..<5 {
            harness.persist()
            _ = greedy.replies()
        }
        #expect(modest.replies().count == 1)
    }

    @Test func `what was held for longer than throttled_op_wait_time is answered with -127`() {
        let harness = CoreHarness({
            $0.globalOutstandingLimit = 1
            $0.throttledOpWaitMilliseconds = 1000
        })
        let client = harness.client()
        _ = client.create("/a")
        harness.persistsAtOnce = false
        client.send(sets(4, from: client))
        #expect(client.replies().isEmpty)
        harness.now.monotonicMilliseconds += 1001
        harness.persist()
        let replies = client.replies()
        let throttled = ZooKeeperError.throttledOp.rawValue
        #expect(replies.map(\.error) == [0, 0, throttled, throttled])
        #expect(client.get("/a")?.stat?.version == 2)
    }

    @Test func `large values wait in bounded number`() {
        let harness = CoreHarness({ $0.maximumWaitingBytes = 10_000 })
        let client = harness.client()
        _ = client.create("/a")
        harness.persistsAtOnce = false
        client.send(sets(20, from: client, bytes: 4000))
        #expect(harness.core.outstandingCount == 3)
        var answered = 0
        for _ in 0..<10 {
            harness.persist()
            answered += client.replies().count
        }
        #expect(answered == 20)
    }

    @Test func `reads behind a write wait in the number that their replies allow`() {
        let harness = CoreHarness({ $0.maximumWaitingBytes = 100_000 })
        let client = harness.client()
        _ = client.create("/a", String(repeating: "x", count: 30_000))
        harness.persistsAtOnce = false
        var bytes = sets(1, from: client)
        for _ in 0..<20 {
            bytes.writeImmutableBuffer(
                client.frame(.getData, xid: 5) { $0.writeRead("/a", watch: false) })
        }
        client.send(bytes)
        #expect(harness.core.outstandingCount == 5)
        harness.persist()
        #expect(client.replies().count == 21)
    }

    @Test func `a large request too many costs its own connection`() {
        let harness = CoreHarness({
            $0.largeRequestThresholdBytes = 1000
            $0.largeRequestMaximumBytes = 5000
        })
        let (greedy, modest) = (harness.client(), harness.client())
        _ = greedy.create("/a")
        harness.persistsAtOnce = false
        greedy.send(sets(3, from: greedy, bytes: 2000))
        _ = greedy.replies()
        #expect(greedy.isClosed)
        #expect(harness.core.statistics.largeRequestsRejected == 1)
        modest.send(sets(10, from: modest, bytes: 900))
        harness.persist()
        #expect(modest.replies().count == 10)
    }

    @Test func `what a lost connection waited for weighs no more`() {
        let harness = CoreHarness()
        let client = harness.client()
        _ = client.create("/a")
        harness.persistsAtOnce = false
        client.send(sets(3, from: client))
        client.send(.getData) { $0.writeRead("/a", watch: false) }
        client.disconnect()
        harness.persist()
        #expect(harness.core.outstandingCount == 0)
        #expect(harness.core.outstandingCost == 0)
    }

    // MARK: Handshakes

    @Test func `handshakes beyond the tokens are dropped until the bucket fills`() {
        let harness = CoreHarness({
            $0.connectionThrottle.tokens = 2
            $0.connectionThrottle.fillTimeMilliseconds = 100
        })
        func shake() -> Bool {
            let client = harness.connect()
            client?.shake()
            return client?.connectResponse() != nil
        }
        #expect([shake(), shake(), shake()] == [true, true, false])
        harness.advance(milliseconds: 101)
        #expect([shake(), shake()] == [true, false])
    }

    @Test func `weighted handshakes take as many tokens as they weigh`() {
        var settings = ConnectionThrottleSettings()
        settings.tokens = 5
        settings.isWeighted = true
        let now = Now(monotonicMilliseconds: 0, wallMilliseconds: 0)
        var throttle = ConnectionThrottle(settings, seed: 1, at: now)
        let admitted = [false, false, true].map { throttle.admits(renewal: $0, at: now) }
        #expect(admitted == [true, false, true])
        #expect(throttle.deficit == 5)
    }

    @Test func `an empty bucket raises the chance of being dropped, and a full one lowers it`() {
        var settings = ConnectionThrottleSettings()
        settings.tokens = 1
        settings.fillTimeMilliseconds = 1_000_000
        settings.freezeTimeMilliseconds = 10
        settings.dropIncrease = 0.5
        settings.dropDecrease = 0.25
        func at(_ milliseconds: Int64) -> Now {
            Now(monotonicMilliseconds: milliseconds, wallMilliseconds: 0)
        }
        var throttle = ConnectionThrottle(settings, seed: 1, at: at(0))
        _ = throttle.admits(renewal: false, at: at(0))
        _ = throttle.admits(renewal: false, at: at(11))
        #expect(throttle.dropProbability == 0.5)
        _ = throttle.admits(renewal: false, at: at(12))
        #expect(throttle.dropProbability == 0.5)
        _ = throttle.admits(renewal: false, at: at(2_000_000))
        #expect(throttle.dropProbability == 0.25)
    }
}

@Suite struct QuotaTests {
    private func limited(_ limits: String, enforced: Bool) -> (CoreHarness, TestClient) {
        let harness = CoreHarness({ $0.enforceQuota = enforced })
        let client = harness.client()
        _ = client.create("/q")
        _ = client.create("/zookeeper/quota/q")
        _ = client.create("/zookeeper/quota/q/zookeeper_limits", limits)
        _ = client.create("/zookeeper/quota/q/zookeeper_stats", "count=0,bytes=0")
        return (harness, client)
    }

    @Test func `a soft limit is told to the operator once a minute, and stops nobody`() {
        let (harness, client) = limited("count=1,bytes=-1", enforced: true)
        #expect(client.create("/q/a")?.error == 0)
        #expect(client.create("/q/b")?.error == 0)
        let excess = QuotaExcess(root: "/q", limit: .count, allowed: 1, wanted: 2)
        #expect(harness.notices == [.quotaExceeded(excess)])
        harness.now.wallMilliseconds += 60_001
        _ = client.create("/q/c")
        #expect(harness.notices.count == 2)
    }

    @Test func `a hard limit that is not enforced is told too`() {
        let (harness, client) = limited(
            "count=-1,bytes=-1=;byteHardLimit=3;countHardLimit=-1", enforced: false)
        #expect(client.create("/q/a", "1234")?.error == 0)
        let excess = QuotaExcess(root: "/q", limit: .byteHardLimit, allowed: 3, wanted: 4)
        #expect(harness.notices == [.quotaExceeded(excess)])
    }

    @Test func `a refused write is counted for the node at the top`() {
        let (harness, client) = limited(
            "count=-1,bytes=-1=;byteHardLimit=3;countHardLimit=-1", enforced: true)
        #expect(client.create("/q/a", "1234")?.error == ZooKeeperError.quotaExceeded.rawValue)
        #expect(harness.core.statistics.quotaExceeded == ["q": 1])
    }
}

@Suite struct DistributionTests {
    @Test func `percentiles are within a fifth of the values`() {
        var distribution = Distribution()
        for value in 1...10_000 { distribution.add(Int64(value)) }
        for (part, exact) in [(0.5, 5000), (0.95, 9500), (0.99, 9900)] {
            let found = distribution.percentile(part)
            #expect(found >= exact)
            #expect(found <= exact * 6 / 5)
        }
        #expect(distribution.percentile(0.999) == 10_000)
        #expect(Distribution().percentile(0.5) == 0)
    }

    @Test func `small values are exact, and no value is too large`() {
        var distribution = Distribution()
        for value in [Int64(0), 3, 3, 15, .max] { distribution.add(value) }
        #expect(distribution.percentile(0.2) == 0)
        #expect(distribution.percentile(0.5) == 3)
        #expect(distribution.percentile(0.8) == 15)
    }
}
