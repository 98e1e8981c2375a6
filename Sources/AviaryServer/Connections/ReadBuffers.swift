import NIOCore
import Synchronization

/// What the sockets of one event loop are read into: a buffer belongs to a connection only while what
/// it has read is looked at, so that one that is idle has none.
final class ReadBuffers: Sendable {
    /// A buffer's bytes.
    private static let capacity = 64 << 10
    /// How many are kept: one is enough unless reads come while others are looked at.
    private static let kept = 2

    private let free = Mutex<[ByteBuffer]>([])

    fileprivate func take(_ allocator: ByteBufferAllocator) -> ByteBuffer {
        free.withLock { $0.popLast() } ?? allocator.buffer(capacity: Self.capacity)
    }

    /// Takes a buffer back, or what is left of it: then the rest is what remains, in memory of its own.
    func giveBack(_ buffer: inout ByteBuffer) {
        guard buffer.storageCapacity == Self.capacity else {
            if buffer.readableBytes == 0 { buffer = ByteBuffer() }
            return
        }
        var returned = buffer
        buffer = ByteBuffer()
        if returned.readableBytes > 0 { buffer.writeImmutableBuffer(returned) }
        // Not `clear`, which makes a new one while NIO refers to this one.
        returned.moveReaderIndex(to: 0)
        returned.moveWriterIndex(to: 0)
        free.withLock { [returned] in if $0.count < Self.kept { $0.append(returned) } }
    }
}

/// How NIO gets at them.
struct ReadBufferAllocator: RecvByteBufferAllocator {
    /// NIO keeps the first buffer of each connection, and uses it no more because it might be too
    /// small: it is as large as what comes first, a ConnectRequest.
    private static let firstCapacity = 64

    let buffers: ReadBuffers
    private var isFirst = true

    init(_ buffers: ReadBuffers) {
        self.buffers = buffers
    }

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        isFirst ? allocator.buffer(capacity: Self.firstCapacity) : buffers.take(allocator)
    }

    /// - Returns: that the next buffer may be larger, or NIO would not ask for it.
    mutating func record(actualReadBytes: Int) -> Bool {
        isFirst = false
        return true
    }
}
