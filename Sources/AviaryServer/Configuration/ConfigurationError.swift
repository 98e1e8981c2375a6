/// Why a configuration cannot be used, and what to write instead.
package struct ConfigurationError: Error, Hashable, CustomStringConvertible {
    package var file: String
    /// Counted from 1; nil: the file as a whole.
    package var line: Int?
    package var reason: String

    package init(file: String, line: Int?, reason: String) {
        self.file = file
        self.line = line
        self.reason = reason
    }

    /// - Parameter reason: reads on from the entry.
    init(file: String, _ entry: PropertiesText.Entry, _ reason: String) {
        let given = entry.value.isEmpty ? entry.key : "\(entry.key)=\(entry.value)"
        self.init(file: file, line: entry.line, reason: "\(given.onOneLine) \(reason)")
    }

    /// `file:line: reason`, always one line.
    package var description: String {
        line.map { "\(file):\($0): \(reason)" } ?? "\(file): \(reason)"
    }
}

/// What an operator should know about a configuration that can be used.
package struct ConfigurationWarning: Sendable, Hashable, CustomStringConvertible {
    package var file: String
    /// Counted from 1.
    package var line: Int
    package var key: String
    /// Reads on from the key: "has no effect in Aviary yet".
    package var message: String

    package var description: String { "\(file):\(line): \(key) \(message)" }
}
