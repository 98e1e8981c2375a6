import Glibc
package import Logging

/// Writes each record as one line to standard error.
///
///     2026-11-21T04:46:12.345Z notice   state changed mode=leader zxid=0x100000002
///
/// Only the level is coloured, and only on a terminal whose user did not set `NO_COLOR`.
package struct ConsoleLogHandler: LogHandler {
    package var logLevel = Logger.Level.info
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    private let isColored: Bool

    /// The colour is decided here, once.
    package init() {
        isColored = unsafe isatty(STDERR_FILENO) == 1 && getenv("NO_COLOR") == nil
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let all = metadata.merging(metadataProvider?.get() ?? [:]) { _, new in new }
            .merging(event.metadata ?? [:]) { _, new in new }
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        let line = Self.line(
            event.level, "\(event.message)", all, atSeconds: now.tv_sec,
            milliseconds: now.tv_nsec / 1_000_000, isColored: isColored)
        Self.writeToStandardError(line)
    }

    /// - Parameter seconds: since 1970, UTC.
    static func line(
        _ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata,
        atSeconds seconds: Int, milliseconds: Int, isColored: Bool
    ) -> String {
        let name = level.rawValue + String(repeating: " ", count: 8 - level.rawValue.count)
        var line = "\(timestamp(seconds, milliseconds)) "
        line += isColored ? "\u{1B}[\(color(of: level))m\(name)\u{1B}[0m" : name
        line += " " + escaped(message)
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            line += " \(escaped(key))=\(quotedIfNeeded("\(value)"))"
        }
        return line + "\n"
    }

    private static func timestamp(_ seconds: Int, _ milliseconds: Int) -> String {
        let (days, second) = (seconds / 86_400, seconds % 86_400)
        let date = date(daysSince1970: days).map { padded($0, 2) }.joined(separator: "-")
        let time = [second / 3600, second / 60 % 60, second % 60].map { padded($0, 2) }
        return "\(date)T\(time.joined(separator: ":")).\(padded(milliseconds, 3))Z"
    }

    /// Year, month and day, in years that begin in March: a leap day is then the last of its year.
    private static func date(daysSince1970 days: Int) -> [Int] {
        let daysSinceYear0 = days + 719_468
        let (era, day) = (daysSinceYear0 / 146_097, daysSinceYear0 % 146_097)
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365
        let dayOfYear = day - (365 * year + year / 4 - year / 100)
        let month = (5 * dayOfYear + 2) / 153
        let isNextYear = month >= 10
        return [
            era * 400 + year + (isNextYear ? 1 : 0),
            isNextYear ? month - 9 : month + 3,
            dayOfYear - (153 * month + 2) / 5 + 1,
        ]
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = "\(number)"
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    private static func color(of level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 90
        case .info: 32
        case .notice: 36
        case .warning: 33
        case .error, .critical: 31
        }
    }

    /// A client chooses some of what is logged: a blank or a quote must not look like a new key.
    private static func quotedIfNeeded(_ value: String) -> String {
        let isPlain = !value.isEmpty && !value.contains { $0 == " " || $0 == "\"" || $0 == "=" }
        return isPlain ? escaped(value) : "\"" + escaped(value, quotes: true) + "\""
    }

    /// The text with its control characters made visible, so that a record stays one line.
    private static func escaped(_ text: String, quotes: Bool = false) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            let mustBeEscaped =
                scalar.properties.generalCategory == .control || (quotes && scalar == "\"")
            result += mustBeEscaped ? scalar.escaped(asASCII: true) : String(scalar)
        }
        return result
    }

    /// Carries on after a signal and after a short write; gives up quietly on anything else.
    private static func writeToStandardError(_ line: String) {
        var rest = Array(line.utf8)[...]
        while !rest.isEmpty {
            let written = unsafe rest.withUnsafeBytes { bytes in
                unsafe write(STDERR_FILENO, bytes.baseAddress, bytes.count)
            }
            if written > 0 {
                rest = rest.dropFirst(written)
            } else if errno != EINTR {
                return
            }
        }
    }
}
