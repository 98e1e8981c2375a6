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
        var seconds = seconds
        var parts = unsafe tm()
        unsafe gmtime_r(&seconds, &parts)
        let date = unsafe [parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday].map { padded($0, 2) }
        let time = unsafe [parts.tm_hour, parts.tm_min, parts.tm_sec].map { padded($0, 2) }
        return date.joined(separator: "-") + "T" + time.joined(separator: ":")
            + ".\(padded(milliseconds, 3))Z"
    }

    private static func padded(_ number: some BinaryInteger, _ width: Int) -> String {
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
