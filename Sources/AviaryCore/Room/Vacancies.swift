/// The places of a table that are free, by number. They are taken again before the table grows; it
/// may be cut at its end meanwhile.
struct Vacancies: Sendable {
    private var numbers: [UInt32] = []

    /// - Parameter end: how many places the table has, which may become more only after this has
    ///   returned nil.
    mutating func take(below end: Int) -> UInt32? {
        while let number = numbers.popLast() {
            // The others were cut off, and the table does not grow while they are listed.
            if number < end { return number }
        }
        return nil
    }

    mutating func add(_ number: UInt32, below end: Int) {
        if number < end { numbers.append(number) }
        if Room.isSpare(numbers.count, for: end, of: MemoryLayout<UInt32>.stride) {
            numbers = numbers.filter { $0 < end }
        }
    }
}

extension ContiguousArray {
    /// Removes what is vacant from the end, less so many. O(1), amortised, if all that are vacant at
    /// the end are removed each time.
    mutating func cutEnd(keeping kept: Int = 0, while isVacant: (Element) -> Bool) {
        var end = count
        while end > 0 && isVacant(self[end - 1]) { end -= 1 }
        cut(to: end + kept)
    }

    mutating func cut(to end: Int) {
        if end >= count { return }
        if Room.isSpare(capacity, for: end, of: MemoryLayout<Element>.stride) {
            self = ContiguousArray(self[..<end])
        } else {
            removeLast(count - end)
        }
    }
}
