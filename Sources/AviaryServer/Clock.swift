import AviaryCore
import Glibc

/// The machine's clocks.
enum Clock {
    static var now: Now {
        Now(
            monotonicMilliseconds: read(CLOCK_MONOTONIC) / 1000,
            wallMilliseconds: read(CLOCK_REALTIME) / 1000)
    }

    /// What the calling thread has had of the processors.
    static var threadMicroseconds: Int64 { read(CLOCK_THREAD_CPUTIME_ID) }

    /// Microseconds.
    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }
}
