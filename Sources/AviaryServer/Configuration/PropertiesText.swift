/// The syntax of Java's properties files: what `zoo.cfg` is written in.
///
/// Comments begin with `#` or `!`; a key ends at the first `=`, `:` or blank; a backslash at the
/// end of a line continues it; `\t`, `\n`, `\r`, `\f` and `\uXXXX` are escapes, and a backslash
/// before anything else is dropped. Source: `java.util.Properties.load`, Java 17.
///
/// Deviation: Java takes each byte for a Latin-1 character; here the text is Unicode already.
enum PropertiesText {
    struct Entry: Hashable, Sendable {
        var key: String
        var value: String
        /// Where the entry begins, counted from 1.
        var line: Int
    }

    struct SyntaxError: Error, Hashable {
        var line: Int
        var reason: String
    }

    /// All entries in the order of the text, a key that occurs twice included twice.
    static func entries(of text: String) throws(SyntaxError) -> [Entry] {
        var entries: [Entry] = []
        for line in logicalLines(of: text) {
            var reader = EntryReader(units: line.units, line: line.number)
            entries.append(try reader.entry())
        }
        return entries
    }

    private struct LogicalLine {
        var units: [UInt16] = []
        var number: Int
    }

    /// The text without comments and blank lines, and with continued lines joined.
    ///
    /// A comment or blank line that follows a continued one belongs to it.
    private static func logicalLines(of text: String) -> [LogicalLine] {
        var finished: [LogicalLine] = []
        var continued: LogicalLine?
        for (index, natural) in naturalLines(of: Array(text.utf16)).enumerated() {
            let content = natural.drop(while: Unit.isBlank)
            if continued == nil && (content.isEmpty || Unit.isCommentMark(content.first)) {
                continue
            }
            let backslashes = content.reversed().prefix { $0 == Unit.backslash }.count
            let goesOn = !backslashes.isMultiple(of: 2)
            var line = continued ?? LogicalLine(number: index + 1)
            line.units += goesOn ? content.dropLast() : content
            continued = goesOn ? line : nil
            if !goesOn { finished.append(line) }
        }
        if let continued { finished.append(continued) }
        return finished.filter { !$0.units.isEmpty }
    }

    /// The text cut at `\n`, `\r` or `\r\n`.
    private static func naturalLines(of units: [UInt16]) -> [ArraySlice<UInt16>] {
        var lines: [ArraySlice<UInt16>] = []
        var start = 0
        for index in units.indices {
            guard units[index] == Unit.newline || units[index] == Unit.carriageReturn else {
                continue
            }
            let endsPair =
                units[index] == Unit.newline && index > 0
                && units[index - 1] == Unit.carriageReturn
            if !endsPair { lines.append(units[start..<index]) }
            start = index + 1
        }
        lines.append(units[start...])
        return lines
    }
}

/// Takes one logical line apart.
private struct EntryReader {
    let units: [UInt16]
    let line: Int
    private var position = 0

    init(units: [UInt16], line: Int) {
        self.units = units
        self.line = line
    }

    mutating func entry() throws(PropertiesText.SyntaxError) -> PropertiesText.Entry {
        let key = try decoded { Unit.isBlank($0) || Unit.isSeparator($0) }
        skipBlanks()
        if position < units.count && Unit.isSeparator(units[position]) {
            position += 1
            skipBlanks()
        }
        let value = try decoded { _ in false }
        return PropertiesText.Entry(key: key, value: value, line: line)
    }

    private mutating func skipBlanks() {
        while position < units.count && Unit.isBlank(units[position]) { position += 1 }
    }

    /// The text up to the first unit that `ends` accepts and no backslash protects.
    private mutating func decoded(
        upTo ends: (UInt16) -> Bool
    ) throws(PropertiesText.SyntaxError) -> String {
        var decoded: [UInt16] = []
        while position < units.count && !ends(units[position]) {
            decoded.append(try unit())
        }
        return String(decoding: decoded, as: UTF16.self)
    }

    private mutating func unit() throws(PropertiesText.SyntaxError) -> UInt16 {
        let first = units[position]
        position += 1
        guard first == Unit.backslash && position < units.count else { return first }
        let escaped = units[position]
        position += 1
        switch escaped {
        case Unit.letterT: return Unit.tab
        case Unit.letterN: return Unit.newline
        case Unit.letterR: return Unit.carriageReturn
        case Unit.letterF: return Unit.formFeed
        case Unit.letterU: return try hexadecimalUnit()
        default: return escaped
        }
    }

    private mutating func hexadecimalUnit() throws(PropertiesText.SyntaxError) -> UInt16 {
        let digits = units[position...].prefix(4)
        var value: UInt16 = 0
        for digit in digits {
            guard let number = Unit.hexadecimalValue(of: digit) else { throw malformedEscape }
            value = value << 4 | number
        }
        guard digits.count == 4 else { throw malformedEscape }
        position += 4
        return value
    }

    private var malformedEscape: PropertiesText.SyntaxError {
        PropertiesText.SyntaxError(
            line: line,
            reason: "\\u is not followed by four hexadecimal digits; "
                + "write \\\\ for a backslash, or \\u00e9 for a character")
    }
}

/// The UTF-16 code units that the syntax gives a meaning.
private enum Unit {
    static let tab: UInt16 = 0x09
    static let newline: UInt16 = 0x0A
    static let formFeed: UInt16 = 0x0C
    static let carriageReturn: UInt16 = 0x0D
    static let space: UInt16 = 0x20
    static let backslash: UInt16 = 0x5C
    static let letterF: UInt16 = 0x66
    static let letterN: UInt16 = 0x6E
    static let letterR: UInt16 = 0x72
    static let letterT: UInt16 = 0x74
    static let letterU: UInt16 = 0x75

    static func isBlank(_ unit: UInt16) -> Bool {
        unit == space || unit == tab || unit == formFeed
    }

    /// Whether `unit` is `#` or `!`.
    static func isCommentMark(_ unit: UInt16?) -> Bool { unit == 0x23 || unit == 0x21 }

    /// Whether `unit` is `=` or `:`.
    static func isSeparator(_ unit: UInt16) -> Bool { unit == 0x3D || unit == 0x3A }

    static func hexadecimalValue(of unit: UInt16) -> UInt16? {
        switch unit {
        case 0x30...0x39: unit - 0x30
        case 0x41...0x46: unit - 0x41 + 10
        case 0x61...0x66: unit - 0x61 + 10
        default: nil
        }
    }
}
