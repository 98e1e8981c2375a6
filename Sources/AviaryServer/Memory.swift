import AviaryCore
import CMalloc
import Glibc

/// Gives memory back to the system after a storm: glibc keeps what threads have freed.
struct Memory: Sendable {
    /// The time between two looks, in seconds.
    static let intervalSeconds: Int64 = 5
    /// What may lie idle at once, and for long.
    private static let idleBytes = 8 << 20
    private static let restBytes = 2 << 20
    /// After so many looks without giving anything back, little is enough to do it.
    private static let longLooks = 1
    /// A look passes every free piece of the heap, of which there are a million where a million nodes
    /// have gone, and whoever allocates waits for it meanwhile. So it takes at most one part in so many
    /// of all time.
    private static let restPerLook: Int64 = 5000

    /// What was idle when all that could be given back had been.
    private var restingBytes = 0
    private var looks = 0
    /// In milliseconds of the monotonic clock.
    private var nextLook: Int64 = 0

    /// To be called before there are threads. With a heap for each of them, what one frees another
    /// cannot use; and unless it is told how much to keep, glibc keeps up to 64 MiB at the end of
    /// each, which no trim gives back.
    static func tune(loops: Int) {
        let loopsPerHeap = 4
        aviary_malloc_tune(Int32((loops + loopsPerHeap - 1) / loopsPerHeap), keptBytes)
    }

    /// Enough for the largest frame and its reply, so that they do not come from the system each time.
    private static let keptBytes = 4 << 20

    /// To be called at each interval. Whoever allocates may have to wait for it, so nothing happens
    /// unless much lies idle.
    mutating func tidy() {
        guard Clock.now.monotonicMilliseconds >= nextLook, let before = look() else { return }
        looks += 1
        let gain = before.idle - restingBytes
        let isMuch = gain > Self.idleBytes + before.used / 8
        guard isMuch || (looks > Self.longLooks && gain > Self.restBytes) else { return }
        looks = 0
        aviary_malloc_trim()
        // What is allocated is as much as before; to look again would hold everybody up again.
        restingBytes = Self.residentBytes.map { max(0, $0 - before.used) } ?? before.idle
    }

    private mutating func look() -> (idle: Int, used: Int)? {
        // Of the thread: how long it had to wait for a processor says nothing of the heap.
        let start = Clock.threadMicroseconds
        let idle = Self.idle
        let took = Clock.threadMicroseconds - start
        nextLook = Clock.now.monotonicMilliseconds + Self.restPerLook * took / 1000
        return idle
    }

    /// Bytes that are allocated, and resident bytes that are not.
    static var idle: (idle: Int, used: Int)? {
        let used = aviary_malloc_used()
        return residentBytes.map { (max(0, $0 - used), used) }
    }

    private static var residentBytes: Int? {
        // Size and residence, in pages.
        guard let text = try? readTextFile("/proc/self/statm"),
            let pages = text.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { return nil }
        return pages * pageBytes
    }

    /// What the machine has.
    static var machineBytes: Int { pageBytes * Int(sysconf(Int32(_SC_PHYS_PAGES))) }

    private static var pageBytes: Int { Int(sysconf(Int32(_SC_PAGESIZE))) }
}
