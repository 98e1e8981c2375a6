import AviaryCore
import Glibc

/// Keeps a thread that writes much from taking the disk for itself.
struct Pace {
    private let bytesPerSecond: Int
    private let start = Clock.now.monotonicMilliseconds
    private var bytes = 0

    init(bytesPerSecond: Int) {
        self.bytesPerSecond = bytesPerSecond
    }

    /// Sleeps if it has gone too fast.
    mutating func wrote(_ count: Int) {
        bytes += count
        let due = Int64(bytes * 1000 / bytesPerSecond)
        let early = due - (Clock.now.monotonicMilliseconds - start)
        if early > 0 { usleep(UInt32(early * 1000)) }
    }
}
