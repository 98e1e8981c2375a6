import DequeModule

/// What waits for its turn, in the order it came.
struct Backlog<Element: Sendable>: Sendable {
    private var elements: Deque<Element> = []
    /// How many there were at most since it was empty.
    private var highest = 0

    var count: Int { elements.count }
    var isEmpty: Bool { elements.isEmpty }
    var first: Element? { elements.first }
    var last: Element? { elements.last }

    mutating func append(_ element: consuming Element) {
        elements.append(consume element)
        highest = max(highest, elements.count)
    }

    /// Takes the first, if it is one of these.
    @discardableResult
    mutating func popFirst(if isWanted: (Element) -> Bool = { _ in true }) -> Element? {
        // Taken out first: to look at it where it is would copy it.
        guard let first = elements.popFirst() else { return nil }
        guard isWanted(first) else {
            elements.prepend(first)
            return nil
        }
        if elements.isEmpty { giveBackRoom() }
        return consume first
    }

    mutating func removeLast() {
        elements.removeLast()
        if elements.isEmpty { giveBackRoom() }
    }

    mutating func removeAll(where isUnwanted: (Element) -> Bool = { _ in true }) {
        elements.removeAll(where: isUnwanted)
        if elements.isEmpty { giveBackRoom() }
    }

    mutating func updateAll(_ update: (inout Element) -> Void) {
        for index in elements.indices { update(&elements[index]) }
    }

    /// A deque never shrinks.
    private mutating func giveBackRoom() {
        if highest * MemoryLayout<Element>.stride > Room.bytesKept { elements = [] }
        highest = 0
    }
}
