import AviaryWire

/// What watchers may want to know of a transaction, in the order it happened.
///
/// All paths are in one array, so that nothing is allocated for each.
struct WatchEvents: Sendable {
    struct Event: Sendable {
        let type: WatchEventType
        fileprivate let path: Range<Int>
        /// A watcher is told only if it may read the node.
        let acl: [ACL]
    }

    /// Nothing is noted where nobody watches.
    var areWanted = false
    private(set) var list: [Event] = []
    private var paths: [UInt8] = []

    mutating func add(
        _ type: WatchEventType, at path: RawSpan, acl: @autoclosure () -> [ACL]
    ) {
        if !areWanted { return }
        let start = paths.count
        paths.append(path)
        list.append(Event(type: type, path: start..<paths.count, acl: acl()))
    }

    /// - Parameter parentLength: as `RawSpan.parentLength` has it.
    mutating func add(
        _ type: WatchEventType, atParentOf path: RawSpan, parentLength: Int,
        acl: @autoclosure () -> [ACL]
    ) {
        add(type, at: path.extracting(first: max(parentLength, 1)), acl: acl())
    }

    @_lifetime(borrow self)
    func path(of event: Event) -> RawSpan { paths.raw.extracting(event.path) }

    mutating func removeAll() {
        list.removeAllForReuse()
        paths.removeAllForReuse()
    }
}
