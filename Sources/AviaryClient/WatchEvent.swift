public import AviaryWire

/// What a watch tells.
public struct WatchEvent: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        case created
        case deleted
        case dataChanged
        /// A child was created or deleted. Recursive watches tell of the child itself instead.
        case childrenChanged
        /// Only from persistent watches: events may be missing before this one, because the
        /// connection broke or the reader was too slow. Read again what the watch is for.
        case resync
    }

    public var kind: Kind
    /// The node it happened to; for `resync`, the path of the watch.
    public var path: Path
    /// The change's transaction, where the server told it. Two events of one node and kind that
    /// were not taken in time become one, with the later zxid.
    public var zxid: Zxid?

    public init(kind: Kind, path: Path, zxid: Zxid? = nil) {
        self.kind = kind
        self.path = path
        self.zxid = zxid
    }
}

extension WatchEvent.Kind {
    package init(_ type: WatchEventType) {
        switch type {
        case .nodeCreated: self = .created
        case .nodeDeleted: self = .deleted
        case .nodeDataChanged: self = .dataChanged
        case .nodeChildrenChanged: self = .childrenChanged
        }
    }
}

/// What a persistent watch tells of.
public enum AddWatchMode: Int32, Hashable, Sendable {
    /// The node: created, deleted, data changed, children changed.
    case persistent = 0
    /// The node and all nodes below it: created, deleted, data changed.
    case persistentRecursive = 1
}

/// Which watches of a path are meant, in `removeWatches` and `checkWatches`.
public enum WatchKind: Int32, Hashable, Sendable {
    case children = 1
    case data = 2
    case any = 3
    /// Servers before 3.9 do not know this one, nor `persistentRecursive`.
    case persistent = 4
    case persistentRecursive = 5
}
