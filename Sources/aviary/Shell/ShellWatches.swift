import AviaryClient

/// What a shell watches in a session, so that each event is told once, and removals are.
@ShellActor
final class ShellWatches {
    enum Kind: Int, CaseIterable {
        case data
        case children
        case persistent
        case recursive

        var isOneShot: Bool { self == .data || self == .children }
    }

    private struct Entry {
        let number: Int
        let kind: Kind
        let path: Path
        let watch: Watch
    }

    private struct Printed {
        let event: WatchEvent
        /// The watches that had been set by then, and those that have told of the event.
        let newest: Int
        var tellers: Set<Int>
    }

    /// What is told: a change, or that watches of a kind were removed.
    struct News {
        let type: WatchEvent.Kind?
        let removed: Kind?
        let path: Path
        let zxid: Zxid?
    }

    private let jobs: BackgroundJobs
    private let tell: (News) -> Void
    private var entries: [Entry] = []
    private var nextNumber = 0
    /// Of each node and kind of event, the last that was printed.
    private var printed: [WatchEvent: Printed] = [:]

    init(_ jobs: BackgroundJobs, tell: @escaping (News) -> Void) {
        self.jobs = jobs
        self.tell = tell
    }

    func has(_ kind: Kind, _ path: Path) -> Bool {
        entries.contains { $0.kind == kind && $0.path == path }
    }

    func add(_ kind: Kind, _ watch: Watch) {
        // The server keeps one of a kind; so does ZooKeeper's shell.
        if has(kind, watch.path) { return }
        let number = nextNumber
        nextNumber += 1
        entries.append(Entry(number: number, kind: kind, path: watch.path, watch: watch))
        jobs.start { [self] in
            do throws(ClientError) {
                for try await event in watch { took(event, number) }
            } catch {
                // The session's state says so.
            }
        }
    }

    private func took(_ event: WatchEvent, _ number: Int) {
        guard let index = entries.firstIndex(where: { $0.number == number }) else { return }
        if entries[index].kind.isOneShot { entries.remove(at: index) }
        // ZooKeeper's shells set watches again after a connection was lost, and say nothing.
        if event.kind == .resync || !isNew(event, from: number) { return }
        tell(News(type: event.kind, removed: nil, path: event.path, zxid: event.zxid))
    }

    /// Whether this is not what another watch has told of already: one change may concern several.
    private func isNew(_ event: WatchEvent, from number: Int) -> Bool {
        let key = WatchEvent(kind: event.kind, path: event.path)
        if var last = printed[key], number < last.newest, !last.tellers.contains(number),
            last.event.zxid == event.zxid
        {
            last.tellers.insert(number)
            printed[key] = last
            return false
        }
        printed[key] = Printed(event: event, newest: nextNumber, tellers: [number])
        return true
    }

    /// Forgets watches, and says so as ZooKeeper's client does.
    func remove(_ kinds: [Kind], _ path: Path) {
        let gone = entries.filter { $0.path == path && kinds.contains($0.kind) }
        entries.removeAll { entry in gone.contains { $0.number == entry.number } }
        for entry in gone { entry.watch.cancel() }
        var told = Kind.allCases.filter { kind in gone.contains { $0.kind == kind } }
        // They have one name.
        if told.suffix(2) == [.persistent, .recursive] { told.removeLast() }
        for kind in told { tell(News(type: nil, removed: kind, path: path, zxid: nil)) }
    }
}

extension ShellWatches.News {
    /// The type of ZooKeeper's `WatchedEvent`.
    var zooKeeperName: String { type?.zooKeeperName ?? removed?.removalName ?? "None" }
}

extension ShellWatches.Kind {
    fileprivate var removalName: String {
        switch self {
        case .data: "DataWatchRemoved"
        case .children: "ChildWatchRemoved"
        case .persistent, .recursive: "PersistentWatchRemoved"
        }
    }
}

extension WatchEvent.Kind {
    /// The type of ZooKeeper's `WatchedEvent`; nil for one that it does not have.
    fileprivate var zooKeeperName: String? {
        switch self {
        case .created: "NodeCreated"
        case .deleted: "NodeDeleted"
        case .dataChanged: "NodeDataChanged"
        case .childrenChanged: "NodeChildrenChanged"
        case .resync: nil
        }
    }
}
