/// What is to happen, by time, and at one time in the order it was added.
struct Agenda<Item> {
    private struct Slot {
        let time: Int64
        let number: Int
        let item: Item

        func isBefore(_ other: Slot) -> Bool {
            time != other.time ? time < other.time : number < other.number
        }
    }

    private var heap: [Slot] = []
    private var count = 0

    mutating func add(_ item: Item, at time: Int64) {
        count += 1
        heap.append(Slot(time: time, number: count, item: item))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].isBefore(heap[parent]) else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    mutating func next() -> (time: Int64, item: Item)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        return (first.time, first.item)
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if heap[child].isBefore(heap[least]) { least = child }
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
