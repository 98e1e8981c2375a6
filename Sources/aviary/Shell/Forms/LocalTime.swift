import Glibc

/// Times of nodes in the machine's zone.
enum LocalTime {
    /// As Java's `Date.toString`: `Sat Nov 21 02:00:38 UTC 2026`.
    static func java(milliseconds: Int64) -> String {
        text(milliseconds, "%a %b %d %H:%M:%S %Z %Y")
    }

    /// As C's `ctime`: `Sat Nov 21 02:00:38 2026`.
    static func c(milliseconds: Int64) -> String {
        text(milliseconds, "%a %b %e %H:%M:%S %Y")
    }

    /// `2026-11-21 02:00:38`.
    static func short(milliseconds: Int64) -> String {
        text(milliseconds, "%Y-%m-%d %H:%M:%S")
    }

    private static func text(_ milliseconds: Int64, _ format: String) -> String {
        // Downwards also before 1970, whose second a division would round up.
        var seconds = time_t((Double(milliseconds) / 1000).rounded(.down))
        var parts = unsafe tm()
        guard unsafe localtime_r(&seconds, &parts) != nil else { return "\(milliseconds) ms" }
        var room = [CChar](repeating: 0, count: 96)
        let count = unsafe strftime(&room, room.count, format, &parts)
        return String(decoding: room[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
