package import AviaryWire

/// A watch's number, drawn by the driver.
package struct WatchID: Hashable, Comparable, Sendable {
    package let rawValue: UInt64

    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package static func < (left: WatchID, right: WatchID) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// The lists of setWatches.
package enum WatchList: Int, Hashable, CaseIterable, Sendable {
    case data
    case exist
    case child
    case persistent
    case recursive

    package var isOneShot: Bool { self != .persistent && self != .recursive }

    /// What a server calls it.
    package var kind: WatchKind {
        switch self {
        case .data, .exist: .data
        case .child: .children
        case .persistent: .persistent
        case .recursive: .persistentRecursive
        }
    }
}

/// What this client watches, by the paths that the server knows.
///
/// `Watcher` is whatever the driver wants back when something happened.
package struct ClientWatchTable<Watcher: Sendable>: Sendable {
    package typealias List = WatchList

    package struct Entry: Sendable {
        package let id: WatchID
        package let watcher: Watcher
    }

    private struct Place: Sendable {
        let list: List
        let path: Path
    }

    private struct Interest: Hashable, Sendable {
        let kind: WatchKind
        let path: Path
    }

    private var lists: [[Path: [Entry]]] = List.allCases.map { _ in [:] }
    private var places: [WatchID: Place] = [:]
    /// Watches on their way to the server: what it holds for them must not be removed.
    private var underWay: [Interest: Int] = [:]

    package init() {}

    package var isEmpty: Bool { places.isEmpty }
    package var count: Int { places.count }

    package mutating func add(_ entry: Entry, to list: List, at path: Path) {
        lists[list.rawValue][path, default: []].append(entry)
        places[entry.id] = Place(list: list, path: path)
    }

    package mutating func beginAdding(_ kind: WatchKind, at path: Path) {
        underWay[Interest(kind: kind, path: path), default: 0] += 1
    }

    package mutating func endAdding(_ kind: WatchKind, at path: Path) {
        let interest = Interest(kind: kind, path: path)
        guard let count = underWay[interest] else { return }
        underWay[interest] = count > 1 ? count - 1 : nil
    }

    /// The connection is gone, and what was on its way with it.
    package mutating func forgetUnderWay() {
        underWay = [:]
    }

    /// - Returns: what the server should be told to remove, if nobody here needs it any more.
    package mutating func remove(_ id: WatchID) -> WatchRequest? {
        guard let place = places.removeValue(forKey: id) else { return nil }
        let path = place.path
        lists[place.list.rawValue][path]?.removeAll { $0.id == id }
        if lists[place.list.rawValue][path]?.isEmpty == true {
            lists[place.list.rawValue][path] = nil
        }
        let kind = place.list.kind
        if isWanted(kind, at: path) { return nil }
        // Servers before 3.9 know only the kind "any" for persistent watches.
        let others: [WatchKind] = [.children, .data, .persistent, .persistentRecursive]
        let isLast = !others.contains { isWanted($0, at: path) }
        let type = !place.list.isOneShot && isLast ? WatchKind.any : kind
        return WatchRequest(path: path, type: type.rawValue)
    }

    private func isWanted(_ kind: WatchKind, at path: Path) -> Bool {
        if underWay[Interest(kind: kind, path: path)] != nil { return true }
        return List.allCases.contains { $0.kind == kind && lists[$0.rawValue][path] != nil }
    }

    /// Takes out all watches of a path that are of the kind.
    package mutating func removeAll(_ kind: WatchKind, at path: Path) -> [Entry] {
        var removed: [Entry] = []
        for list in List.allCases where kind == .any || list.kind == kind {
            removed += take(list, path)
        }
        return removed
    }

    /// Takes out all watches, in the order they were made.
    package mutating func removeEverything() -> [Entry] {
        let all = lists.flatMap { $0.values.joined() }.sorted { $0.id < $1.id }
        self = ClientWatchTable()
        return all
    }

    private mutating func take(_ list: List, _ path: Path) -> [Entry] {
        guard let entries = lists[list.rawValue].removeValue(forKey: path) else { return [] }
        for entry in entries { places[entry.id] = nil }
        return entries
    }

    /// Whom an event is for. One-shot watches are used up.
    ///
    /// Source: ZKWatchManager.materialize, ZooKeeper 3.9.5.
    package mutating func watchers(of type: WatchEventType, at path: Path) -> [Entry] {
        var entries: [Entry] = []
        switch type {
        case .nodeCreated, .nodeDataChanged:
            entries = take(.data, path) + take(.exist, path)
        case .nodeDeleted:
            entries = take(.data, path) + take(.exist, path) + take(.child, path)
        case .nodeChildrenChanged:
            entries = take(.child, path)
        }
        if let persistent = lists[List.persistent.rawValue][path] { entries += persistent }
        if type != .nodeChildrenChanged { entries += recursiveWatchers(over: path) }
        return entries
    }

    private func recursiveWatchers(over path: Path) -> [Entry] {
        let recursive = lists[List.recursive.rawValue]
        if recursive.isEmpty { return [] }
        var entries: [Entry] = []
        var place = path
        while true {
            if let found = recursive[place] { entries += found }
            guard place != .root, let parent = place.parent else { return entries }
            place = parent
        }
    }
}

/// A request that sets watches anew on another connection.
package struct RearmingPiece: Hashable, Sendable {
    package var request: SetWatchesRequest
    /// The persistent ones, which may have missed something.
    package var persistent: [WatchID]
}

extension ClientWatchTable {
    /// All watches, in requests whose paths take at most so many bytes, or hold one path.
    package func rearming(after zxid: Zxid, pieceBytes: Int) -> [RearmingPiece] {
        var pieces: [RearmingPiece] = []
        var piece = RearmingPiece(after: zxid)
        var byteCount = 0
        for list in List.allCases {
            for (path, entries) in lists[list.rawValue].sorted(by: { $0.key < $1.key }) {
                if byteCount > 0, byteCount + path.bytes.count + 4 > pieceBytes {
                    pieces.append(piece)
                    piece = RearmingPiece(after: zxid)
                    byteCount = 0
                }
                byteCount += path.bytes.count + 4
                piece.add(path, to: list)
                if !list.isOneShot { piece.persistent += entries.map(\.id) }
            }
        }
        if byteCount > 0 { pieces.append(piece) }
        return pieces
    }

    /// The watcher of a persistent watch that is still there, with its path.
    package func persistent(_ id: WatchID) -> (watcher: Watcher, path: Path)? {
        guard let place = places[id], !place.list.isOneShot,
            let entry = lists[place.list.rawValue][place.path]?.first(where: { $0.id == id })
        else { return nil }
        return (entry.watcher, place.path)
    }
}

extension RearmingPiece {
    fileprivate init(after zxid: Zxid) {
        request = SetWatchesRequest(
            relativeZxid: zxid, data: [], exist: [], child: [], persistent: nil)
        persistent = []
    }

    fileprivate mutating func add(_ path: Path, to list: WatchList) {
        var lists = request.persistent ?? .init(plain: [], recursive: [])
        switch list {
        case .data: request.data.append(path)
        case .exist: request.exist.append(path)
        case .child: request.child.append(path)
        case .persistent: lists.plain.append(path)
        case .recursive: lists.recursive.append(path)
        }
        if !list.isOneShot { request.persistent = lists }
    }
}
