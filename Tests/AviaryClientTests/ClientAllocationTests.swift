import AviaryClient
import CAllocationCounter
import Testing

#if DEBUG
    private let isOptimized = false
#else
    private let isOptimized = true
#endif

@Suite(.enabled(if: isOptimized, "counts mean something only in a release build"))
struct ClientAllocationTests {
    /// In a process of its own, because the count is of the whole process: with the server, whose
    /// part is some for each read of its socket. So the least of many rounds counts.
    @Test func `a pipelined get allocates at most 5 times`() async {
        await #expect(processExitsWith: .success) {
            try await withTestServer { server in
                try await ZooKeeper.withSession(server.connectString) { zk in
                    try await zk.create("/a", [UInt8](repeating: 1, count: 100))
                    var counts: [Int] = []
                    for _ in 0..<50 {
                        let before = aviary_allocation_count()
                        let pending = (0..<1000).map { _ in zk.submit(.getData("/a")) }
                        for reply in pending {
                            let read = try await reply.value
                            precondition(read.data.count == 100)
                        }
                        counts.append(aviary_allocation_count() - before)
                    }
                    precondition(counts.contains { $0 <= 5000 }, "\(counts)")
                }
            }
        }
    }
}
