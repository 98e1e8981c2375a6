import AviaryWire

/// How a connection watches a path; several may hold at once.
package struct WatchModes: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Set by getData and exists, gone when it fires.
    package static let data = WatchModes(rawValue: 1)
    /// Set by getChildren, gone when it fires.
    package static let child = WatchModes(rawValue: 2)
    package static let persistent = WatchModes(rawValue: 4)
    package static let persistentRecursive = WatchModes(rawValue: 8)
    package static let all: WatchModes = [.data, .child, .persistent, .persistentRecursive]
}

/// Who watches what.
///
/// Source: DataTree's two WatchManagers, ZooKeeper 3.9.5, whose tables are one here.
package struct WatchTable: Sendable {
    private struct Watcher: Sendable {
        let slot: UInt32
        var modes: WatchModes
    }

    private struct WatchedPath: Sendable {
        let path: [UInt8]
        let hash: UInt32
        /// Sorted by slot.
        var watchers: [Watcher]

        static let vacant = WatchedPath(path: [], hash: 0, watchers: [])
    }

    private var paths: ContiguousArray<WatchedPath> = []
    private var vacancies = Vacancies()
    private var index = HashIndex()
    private let hasher: ByteHasher
    private var recursiveCount = 0
    /// How many recursive watches there are on paths of so many components.
    private var recursiveCounts: [Int] = []
    /// Watches in Apache's two tables: a persistent one counts in both.
    package private(set) var count = 0

    init(hashSeed: UInt64) {
        hasher = ByteHasher(seed: hashSeed)
    }

    package var isEmpty: Bool { index.count == 0 }

    // MARK: Setting and removing

    /// - Returns: the path's number if the connection did not watch it before, to be handed to
    ///   `removeAll` when the connection ends.
    mutating func add(_ modes: WatchModes, at path: RawSpan, slot: UInt32) -> UInt32? {
        let number = numberOrNew(path)
        let watchers = paths[Int(number)].watchers
        let position = Self.position(of: slot, in: watchers)
        if position < watchers.count && watchers[position].slot == slot {
            change(number, position, to: watchers[position].modes.union(modes))
            return nil
        }
        paths[Int(number)].watchers.insert(Watcher(slot: slot, modes: []), at: position)
        change(number, position, to: modes)
        return number
    }

    /// What a connection watches at a path.
    func modes(at path: RawSpan, slot: UInt32) -> WatchModes {
        guard let number = find(path) else { return [] }
        let watchers = paths[Int(number)].watchers
        let position = Self.position(of: slot, in: watchers)
        guard position < watchers.count, watchers[position].slot == slot else { return [] }
        return watchers[position].modes
    }

    mutating func remove(_ modes: WatchModes, at path: RawSpan, slot: UInt32) {
        guard let number = find(path) else { return }
        remove(modes, number: number, slot: slot)
    }

    /// Ends every watch of a connection.
    ///
    /// - Parameter numbers: what `add` returned for it; some may be stale.
    mutating func removeAll(of slot: UInt32, numbers: [UInt32]) {
        for number in numbers where number < paths.count {
            remove(.all, number: number, slot: slot)
        }
    }

    /// Whether a number that `add` returned still stands for a watch of this connection.
    func isLive(_ number: UInt32, slot: UInt32) -> Bool {
        guard number < paths.count else { return false }
        let watchers = paths[Int(number)].watchers
        let position = Self.position(of: slot, in: watchers)
        return position < watchers.count && watchers[position].slot == slot
    }

    // MARK: Firing

    /// The connections that are to hear of a change, each once; watches that fire once are gone.
    mutating func fire(
        _ type: WatchEventType, at path: RawSpan, into slots: inout [UInt32]
    ) {
        if isEmpty { return }
        let (modes, spent) = Self.modes(for: type)
        if let number = find(path) {
            collect(number, modes, spent, into: &slots)
        }
        if recursiveCount > 0 && type != .nodeChildrenChanged {
            collectRecursive(above: path, into: &slots)
        }
    }

    /// Which watches an event is for, and which of them it uses up.
    private static func modes(for type: WatchEventType) -> (WatchModes, spent: WatchModes) {
        switch type {
        case .nodeCreated, .nodeDataChanged:
            ([.data, .persistent, .persistentRecursive], spent: .data)
        case .nodeDeleted: (.all, spent: [.data, .child])
        case .nodeChildrenChanged: ([.child, .persistent], spent: .child)
        }
    }

    private mutating func collect(
        _ number: UInt32, _ modes: WatchModes, _ spent: WatchModes, into slots: inout [UInt32]
    ) {
        let watchers = paths[Int(number)].watchers
        var fired = 0
        for watcher in watchers where !watcher.modes.isDisjoint(with: modes) {
            slots.append(watcher.slot)
            fired += 1
        }
        if fired == 0 { return }
        var left: [Watcher] = []
        for watcher in watchers {
            let rest = watcher.modes.subtracting(spent)
            count -= Self.weight(watcher.modes) - Self.weight(rest)
            if !rest.isEmpty { left.append(Watcher(slot: watcher.slot, modes: rest)) }
        }
        paths[Int(number)].watchers = left
        if left.isEmpty { vacate(number) }
    }

    private mutating func collectRecursive(above path: RawSpan, into slots: inout [UInt32]) {
        let own = slots.count
        var sources = own == 0 ? 0 : 1
        var depth = Self.depth(of: path)
        var end = path.byteCount
        while end > 1 {
            repeat { end -= 1 } while end > 0 && path.byte(at: end) != UInt8(ascii: "/")
            depth -= 1
            // Only what can be watched is looked up: a path may be very deep.
            guard depth < recursiveCounts.count, recursiveCounts[depth] > 0,
                let number = find(path.extracting(first: max(end, 1)))
            else { continue }
            let before = slots.count
            for watcher in paths[Int(number)].watchers
            where watcher.modes.contains(.persistentRecursive) {
                slots.append(watcher.slot)
            }
            if slots.count > before { sources += 1 }
        }
        if sources > 1 { Self.removeRepetition(&slots) }
    }

    private static func removeRepetition(_ slots: inout [UInt32]) {
        slots.sort()
        var kept = 1
        for index in 1..<slots.count where slots[index] != slots[kept - 1] {
            slots[kept] = slots[index]
            kept += 1
        }
        slots.removeLast(slots.count - kept)
    }

    private mutating func countRecursive(_ path: RawSpan, by change: Int) {
        let depth = Self.depth(of: path)
        while recursiveCounts.count <= depth { recursiveCounts.append(0) }
        recursiveCounts[depth] += change
        recursiveCount += change
    }

    /// The number of components: 0 for the root.
    private static func depth(of path: RawSpan) -> Int {
        if path.byteCount <= 1 { return 0 }
        var depth = 0
        for offset in 0..<path.byteCount where path.byte(at: offset) == UInt8(ascii: "/") {
            depth += 1
        }
        return depth
    }

    // MARK: Views

    /// What `wchs` counts: only watches on data, a persistent one once.
    package var dataSummary: (connections: Int, paths: Int, watches: Int) {
        var slots: Set<UInt32> = []
        var pathCount = 0
        var watches = 0
        for path in paths {
            let watching = path.watchers.filter { $0.modes != .child }
            if watching.isEmpty { continue }
            pathCount += 1
            watches += watching.count
            slots.formUnion(watching.map(\.slot))
        }
        return (connections: slots.count, paths: pathCount, watches: watches)
    }

    /// What `wchp` lists: the watched paths, sorted, each with the slots of who watches its data.
    var dataWatchers: [(path: Path, slots: [UInt32])] {
        paths.compactMap { watched in
            let slots = watched.watchers.filter { $0.modes != .child }.map(\.slot)
            return slots.isEmpty ? nil : (path: Path(watched.path), slots: slots)
        }.sorted { $0.path < $1.path }
    }

    // MARK: Inside

    private func find(_ path: RawSpan) -> UInt32? {
        index.find(hash: hasher.hash(path)) { number in
            let watched = paths[Int(number)].path
            return watched.raw.isEqual(to: path)
        }
    }

    private mutating func numberOrNew(_ path: RawSpan) -> UInt32 {
        if let number = find(path) { return number }
        let hash = hasher.hash(path)
        let entry = WatchedPath(path: [UInt8](copying: path), hash: hash, watchers: [])
        let number: UInt32
        if let free = vacancies.take(below: paths.count) {
            number = free
            paths[Int(number)] = entry
        } else {
            number = UInt32(paths.count)
            paths.append(entry)
        }
        index.insert(hash: hash, number)
        return number
    }

    private mutating func vacate(_ number: UInt32) {
        index.remove(hash: paths[Int(number)].hash, number)
        paths[Int(number)] = .vacant
        paths.cutEnd { $0.watchers.isEmpty }
        vacancies.add(number, below: paths.count)
    }

    private mutating func remove(_ modes: WatchModes, number: UInt32, slot: UInt32) {
        let watchers = paths[Int(number)].watchers
        let position = Self.position(of: slot, in: watchers)
        guard position < watchers.count, watchers[position].slot == slot else { return }
        change(number, position, to: watchers[position].modes.subtracting(modes))
        if paths[Int(number)].watchers.isEmpty { vacate(number) }
    }

    private mutating func change(_ number: UInt32, _ position: Int, to modes: WatchModes) {
        let old = paths[Int(number)].watchers[position].modes
        count += Self.weight(modes) - Self.weight(old)
        let isRecursive = modes.contains(.persistentRecursive)
        if isRecursive != old.contains(.persistentRecursive) {
            let path = paths[Int(number)].path
            countRecursive(path.raw, by: isRecursive ? 1 : -1)
        }
        if modes.isEmpty {
            paths[Int(number)].watchers.remove(at: position)
        } else {
            paths[Int(number)].watchers[position].modes = modes
        }
    }

    /// How many watches these are in Apache's two tables.
    private static func weight(_ modes: WatchModes) -> Int {
        let inData = modes.isDisjoint(with: [.data, .persistent, .persistentRecursive]) ? 0 : 1
        let inChild = modes.isDisjoint(with: [.child, .persistent]) ? 0 : 1
        return inData + inChild
    }

    private static func position(of slot: UInt32, in watchers: [Watcher]) -> Int {
        var low = 0
        var high = watchers.count
        while low < high {
            let middle = (low + high) / 2
            if watchers[middle].slot < slot { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
