/// Values and messages.
extension ZooCfgReading {
    /// A decimal number, or a hexadecimal one after `0x`.
    func number(
        _ entry: PropertiesText.Entry, _ range: ClosedRange<Int>, _ unit: String, _ example: Int
    ) throws(ConfigurationError) -> Int {
        let advice =
            "write \(unit) from \(range.lowerBound) to \(range.upperBound), as in "
            + "\(entry.key)=\(example)"
        guard let value = Int(javaNumber: entry.value) else {
            throw refusal(entry, "is not a whole number; \(advice)")
        }
        guard range.contains(value) else {
            throw refusal(
                entry, "is \(value < range.lowerBound ? "too low" : "too high"); \(advice)")
        }
        return value
    }

    func choice(
        _ entry: PropertiesText.Entry, yes: String, no: String
    ) throws(ConfigurationError) -> Bool {
        switch entry.value.lowercased() {
        case yes: true
        case no: false
        default: throw refusal(entry, "is neither \(yes) nor \(no); write one of them")
        }
    }

    func refusal(_ entry: PropertiesText.Entry, _ reason: String) -> ConfigurationError {
        ConfigurationError(file: file, entry, reason)
    }

    func missing(_ key: String, example: String) -> ConfigurationError {
        ConfigurationError(
            file: file, line: nil, reason: "\(key) is not set; write a line as \(key)=\(example)")
    }

    mutating func warn(_ entry: PropertiesText.Entry, _ message: String) {
        warn(entry.line, entry.key, message)
    }

    mutating func warn(_ line: Int, _ key: String, _ message: String) {
        warnings.append(
            ConfigurationWarning(file: file, line: line, key: key.onOneLine, message: message))
    }
}

extension Int {
    /// What Java's `Integer.decode` reads, but for octal numbers.
    fileprivate init?(javaNumber text: String) {
        let digits = text.hasPrefix("0x") || text.hasPrefix("0X") ? text.dropFirst(2) : nil
        guard let digits else {
            self.init(text)
            return
        }
        guard digits.first?.isHexDigit == true else { return nil }
        self.init(digits, radix: 16)
    }
}

extension String {
    /// The text without what Java's `String.trim` takes off: blanks and control characters.
    var trimmed: String {
        let scalars = unicodeScalars
        guard let first = scalars.firstIndex(where: { $0.value > 0x20 }),
            let last = scalars.lastIndex(where: { $0.value > 0x20 })
        else { return "" }
        return String(scalars[first...last])
    }

    var withoutSlashesAtEnd: String {
        var shorter = self[...]
        while shorter.count > 1 && shorter.last == "/" { shorter.removeLast() }
        return String(shorter)
    }

    /// `::1` for `[::1]`.
    var withoutBrackets: String {
        first == "[" && last == "]" ? String(dropFirst().dropLast()) : self
    }
}

extension StringProtocol {
    /// The text with its control characters made visible.
    var onOneLine: String {
        unicodeScalars.map { $0.value < 0x20 ? $0.escaped(asASCII: true) : String($0) }.joined()
    }
}

extension FourLetterWordWhitelist {
    init(commaSeparated list: String) {
        let words = list.split(separator: ",").map { String($0).trimmed }.filter { !$0.isEmpty }
        self = words.contains("*") ? .all : .words(words)
    }
}
