import AviaryServer
import AviaryWire
import CAllocationCounter
import NIOCore
import Testing

#if DEBUG
    private let isOptimized = false
#else
    private let isOptimized = true
#endif

@Suite(.enabled(if: isOptimized, "counts mean something only in a release build"))
struct SocketAllocationTests {
    /// In a process of its own, because the count is of the whole process.
    @Test func `a thousand pipelined reads over a socket allocate at most 300 times`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            try await withServer(in: directory.path) { server in
                let socket = try RawSocket(port: server.port)
                _ = socket.shake()
                _ = socket.create("/a", [UInt8](repeating: 1, count: 100))
                var pipeline = ByteBuffer()
                for _ in 0..<1000 {
                    pipeline.writeImmutableBuffer(socket.request(.getData) { $0.writeGet("/a") })
                }
                let replies = 1000 * (4 + 16 + 4 + 100 + Stat.byteCount)
                var counts: [Int] = []
                for _ in 0..<20 {
                    let before = aviary_allocation_count()
                    socket.send(pipeline)
                    precondition(socket.drain(replies) == replies, "every read is answered")
                    counts.append(aviary_allocation_count() - before)
                }
                let median = counts.sorted()[10]
                precondition(median <= 300, "\(counts) allocations")
            }
        }
    }
}
