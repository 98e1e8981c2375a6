/// Dates as `Date.toString` prints them in Java: `Sat Nov 21 01:44:06 UTC 2026`.
enum JavaDate {
    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// - Parameter milliseconds: since 1970.
    static func text(milliseconds: Int64) -> String {
        let seconds = milliseconds / 1000
        let days = Int(seconds / 86_400)
        let (year, month, day) = civil(fromDays: days)
        let ofDay = Int(seconds % 86_400)
        let time = [ofDay / 3600, ofDay / 60 % 60, ofDay % 60].map(twoDigits).joined(separator: ":")
        return "\(weekdays[days % 7]) \(months[month - 1]) \(twoDigits(day)) \(time) UTC \(year)"
    }

    private static func twoDigits(_ number: Int) -> String {
        number < 10 ? "0\(number)" : "\(number)"
    }

    private static func isLeap(_ year: Int) -> Bool {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    }

    private static func civil(fromDays days: Int) -> (year: Int, month: Int, day: Int) {
        var year = 1970
        var left = days
        while left >= (isLeap(year) ? 366 : 365) {
            left -= isLeap(year) ? 366 : 365
            year += 1
        }
        let lengths = [31, isLeap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        var month = 1
        for length in lengths {
            if left < length { break }
            left -= length
            month += 1
        }
        return (year, month, left + 1)
    }
}
