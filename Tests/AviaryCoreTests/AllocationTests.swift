import AviaryWire
import CAllocationCounter
import NIOCore
import Testing

@testable import AviaryCore

#if DEBUG
    private let isOptimized = false
#else
    private let isOptimized = true
#endif

/// What requests cost in allocations, which do not shake on a noisy machine as times do. Each test
/// runs in a process of its own, since the count is of the whole process.
@Suite(.enabled(if: isOptimized, "counts mean something only in a release build"))
struct AllocationTests {
    @Test func `a thousand pipelined reads allocate only their replies' buffer`() async {
        await #expect(processExitsWith: .success) {
            let harness = CoreHarness()
            let client = harness.client()
            _ = client.create("/a", "0123456789")
            let pipeline = AllocationTests.pipelined(1000, on: client) { frame, _ in
                frame.writeRead("/a", watch: false)
            }
            _ = harness.allocations(receiving: pipeline, on: client)
            let count = harness.allocations(receiving: pipeline, on: client)
            // The outbox grows by doubling from 1 to 256 KiB, and has an object besides.
            precondition(count <= 20, "\(count) allocations for 1000 pipelined reads")
        }
    }

    @Test func `a write allocates a bounded number of times`() async {
        await #expect(processExitsWith: .success) {
            let harness = CoreHarness()
            let client = harness.client()
            _ = client.create("/a", "0123456789")
            harness.persistsAtOnce = false
            let pipeline = AllocationTests.pipelined(1000, on: client, code: .setData) { frame, _ in
                frame.writeSet("/a", "0123456789")
            }
            _ = harness.allocations(receiving: pipeline, on: client)
            harness.persist()
            let count = harness.allocations(receiving: pipeline, on: client)
            harness.persist()
            // The proposal's buffer, and what tables grow by.
            precondition(count <= 3200, "\(count) allocations for 1000 pipelined writes")
        }
    }

    static func pipelined(
        _ count: Int, on client: TestClient, code: OpCode = .getData,
        _ body: (inout ByteBuffer, Int) -> Void
    ) -> ByteBuffer {
        var bytes = ByteBuffer()
        for number in 0..<count {
            bytes.writeImmutableBuffer(
                client.frame(code, xid: Int32(number)) { body(&$0, number) })
        }
        return bytes
    }
}

extension CoreHarness {
    /// What the core itself allocates for a socket read that brought these bytes.
    func allocations(receiving bytes: ByteBuffer, on client: TestClient) -> Int {
        var input = bytes
        var effects = StepEffects()
        effects.disk.reserveCapacity(2000)
        let before = aviary_allocation_count()
        core.receive(&input, on: client.id, at: now, into: &effects)
        let after = aviary_allocation_count()
        precondition(input.readableBytes == 0, "all frames were taken")
        carry(&effects)
        _ = client.replies()
        return after - before
    }
}
