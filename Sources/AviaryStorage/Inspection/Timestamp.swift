/// A moment in milliseconds since 1970, UTC.
package struct Timestamp: Hashable, Sendable {
    package var milliseconds: Int64

    package init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    private static let dayMilliseconds: Int64 = 86_400_000

    /// As in `2026-11-21T04:46:12.345Z`.
    package var text: String {
        let day = Self.floorDivide(milliseconds, Self.dayMilliseconds)
        let rest = milliseconds - day * Self.dayMilliseconds
        let (year, month, ofMonth) = Self.civil(fromDay: day)
        let hour = rest / 3_600_000
        let minute = rest / 60_000 % 60
        let second = rest / 1000 % 60
        return Self.padded(year, 4) + "-" + Self.padded(month, 2) + "-" + Self.padded(ofMonth, 2)
            + "T" + Self.padded(hour, 2) + ":" + Self.padded(minute, 2) + ":"
            + Self.padded(second, 2) + "." + Self.padded(rest % 1000, 3) + "Z"
    }

    /// Milliseconds since 1970, or ISO 8601 from the day on: `2026-11-21`, `2026-11-21T04:46`,
    /// `2026-11-21T04:46:12.345Z`, `2026-11-21T05:46:12+01:00`. Without an offset it is UTC.
    package init?(_ text: String) {
        if let number = Int64(text) {
            milliseconds = number
            return
        }
        var reader = DigitReader(text)
        guard let year = reader.number(4), reader.take("-"), let month = reader.number(2),
            reader.take("-"), let day = reader.number(2), (1...12).contains(month),
            (1...31).contains(day)
        else { return nil }
        milliseconds = Self.day(year: year, month: month, ofMonth: day) * Self.dayMilliseconds
        // Such as the 30th of February.
        guard Self.civil(fromDay: milliseconds / Self.dayMilliseconds).day == day else {
            return nil
        }
        if reader.isAtEnd { return }
        guard reader.take("T") || reader.take("t") || reader.take(" "),
            let time = reader.timeOfDay(), let offset = reader.offset(), reader.isAtEnd
        else { return nil }
        milliseconds += time - offset
    }

    // MARK: The calendar
    // Years are counted from March on, so that a leap day is the last of its year.

    private static func day(year: Int64, month: Int64, ofMonth: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = floorDivide(shifted, 400)
        let ofEra = shifted - era * 400
        let ofYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + ofMonth - 1
        return era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
    }

    private static func civil(fromDay day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = day + 719_468
        let era = floorDivide(shifted, 146_097)
        let ofEra = shifted - era * 146_097
        let yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * ofYear + 2) / 153
        let ofMonth = ofYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, ofMonth)
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient - 1 : quotient
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

/// Takes the parts of a moment off a text.
private struct DigitReader {
    private var rest: Substring

    init(_ text: String) {
        rest = text[...]
    }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func take(_ character: Character) -> Bool {
        guard rest.first == character else { return false }
        rest.removeFirst()
        return true
    }

    /// A number of exactly so many digits.
    mutating func number(_ count: Int) -> Int64? {
        let digits = rest.prefix(count)
        guard digits.count == count, digits.allSatisfy({ ("0"..."9").contains($0) }) else {
            return nil
        }
        rest.removeFirst(count)
        return Int64(digits)
    }

    /// Milliseconds since midnight.
    mutating func timeOfDay() -> Int64? {
        guard let hour = number(2), take(":"), let minute = number(2), hour < 24, minute < 60
        else { return nil }
        var seconds: Int64 = 0
        var milliseconds: Int64 = 0
        if take(":") {
            guard let value = number(2), value <= 60 else { return nil }
            seconds = value
            if take(".") {
                let digits = rest.prefix { ("0"..."9").contains($0) }
                guard let value = Int64((digits + "00").prefix(3)), !digits.isEmpty else {
                    return nil
                }
                milliseconds = value
                rest.removeFirst(digits.count)
            }
        }
        return ((hour * 60 + minute) * 60 + seconds) * 1000 + milliseconds
    }

    /// Milliseconds that are to be taken off; none at the end of the text.
    mutating func offset() -> Int64? {
        if isAtEnd || take("Z") || take("z") { return 0 }
        let isAhead = take("+")
        guard isAhead || take("-"), let hour = number(2) else { return nil }
        _ = take(":")
        guard let minute = isAtEnd ? 0 : number(2) else { return nil }
        let milliseconds = (hour * 60 + minute) * 60_000
        return isAhead ? milliseconds : -milliseconds
    }
}
