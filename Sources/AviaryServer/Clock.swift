import AviaryCore
import Glibc

/// The machine's clocks.
enum Clock {
    static var now: Now {
        Now(
            monotonicMilliseconds: read(CLOCK_MONOTONIC),
            wallMilliseconds: read(CLOCK_REALTIME))
    }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
