public import AviaryWire

extension Request where Reply == Stat? {
    /// Nil if there is no such node.
    public static func exists(_ path: Path) -> Request {
        Request(.exists(path, watch: false), expectedError: .noNode) {
            (reader, context) throws(WireError) in
            context.error == 0 ? try Stat(from: &reader) : nil
        }
    }
}

extension Request where Reply == Watched<Stat?> {
    /// As `exists`; the watch fires when the node is created, deleted, or its data changes.
    public static func existsAndWatch(_ path: Path) -> Request {
        Request(.exists(path, watch: true), expectedError: .noNode, watch: .exists) {
            (reader, context) throws(WireError) in
            let stat = context.error == 0 ? try Stat(from: &reader) : nil
            return Watched(value: stat, watch: context.requiredWatch())
        }
    }
}

extension Request where Reply == NodeData {
    public static func getData(_ path: Path) -> Request {
        Request(.getData(path, watch: false)) { (reader, _) throws(WireError) in
            NodeData(try DataReply(from: &reader))
        }
    }

    /// The ensemble's configuration. The chroot does not matter here.
    public static func getConfig() -> Request {
        Request(.getData("/zookeeper/config", watch: false), isAbsolute: true) {
            (reader, _) throws(WireError) in
            NodeData(try DataReply(from: &reader))
        }
    }
}

extension Request where Reply == Watched<NodeData> {
    /// As `getData`; the watch fires when the data changes or the node is deleted.
    public static func getDataAndWatch(_ path: Path) -> Request {
        watching(path, isAbsolute: false)
    }

    /// As `getConfig`; the watch fires when the ensemble is reconfigured.
    public static func getConfigAndWatch() -> Request {
        watching("/zookeeper/config", isAbsolute: true)
    }

    private static func watching(_ path: Path, isAbsolute: Bool) -> Request {
        Request(.getData(path, watch: true), isAbsolute: isAbsolute, watch: .data) {
            (reader, context) throws(WireError) in
            let data = NodeData(try DataReply(from: &reader))
            return Watched(value: data, watch: context.requiredWatch())
        }
    }
}

extension Request where Reply == [String] {
    /// The names of the children, in no order.
    public static func getChildren(_ path: Path) -> Request {
        Request(.getChildren(path)) { (reader, _) throws(WireError) in
            try reader.readStrings().map(\.description)
        }
    }
}

extension Request where Reply == NodeChildren {
    public static func getChildrenWithStat(_ path: Path) -> Request {
        Request(.getChildren2(path, watch: false)) { (reader, _) throws(WireError) in
            try NodeChildren(from: &reader)
        }
    }
}

extension Request where Reply == Watched<NodeChildren> {
    /// As `getChildrenWithStat`; the watch fires when a child is created or deleted, or the node
    /// is deleted.
    public static func getChildrenAndWatch(_ path: Path) -> Request {
        Request(.getChildren2(path, watch: true), watch: .children) {
            (reader, context) throws(WireError) in
            let children = try NodeChildren(from: &reader)
            return Watched(value: children, watch: context.requiredWatch())
        }
    }
}

extension NodeChildren {
    fileprivate init(from reader: inout JuteReader) throws(WireError) {
        names = try reader.readStrings().map(\.description)
        stat = try Stat(from: &reader)
    }
}

extension Request where Reply == NodeACL {
    public static func getACL(_ path: Path) -> Request {
        Request(.getACL(path)) { (reader, _) throws(WireError) in
            NodeACL(acl: try ACL.readList(from: &reader) ?? [], stat: try Stat(from: &reader))
        }
    }
}

extension Request where Reply == [Path] {
    /// This session's ephemeral nodes whose paths begin with the prefix, in no order.
    public static func getEphemerals(prefix: Path? = nil) -> Request {
        Request(.getEphemerals(prefix ?? .root)) { (reader, context) throws(WireError) in
            try reader.readStrings().map { Path($0.bytes).stripped(of: context.chroot) }
        }
    }
}

extension Request where Reply == Int {
    /// How many nodes are below the node, at any depth.
    public static func getAllChildrenNumber(_ path: Path) -> Request {
        Request(.getAllChildrenNumber(path)) { (reader, _) throws(WireError) in
            Int(try reader.readInt())
        }
    }
}

extension Request where Reply == [Identity] {
    /// Whom the server takes this connection for: schemes, and names without secrets.
    public static func whoAmI() -> Request {
        Request(.whoAmI) { (reader, _) throws(WireError) in try reader.readIdentities() }
    }
}

extension Request where Reply == MultiReadResults {
    /// Several reads in one, each with a result of its own.
    public static func multiRead(_ reads: MultiRead) -> Request {
        let request = MultiRequest(operations: reads.operations)
        var multi = Request(.multiRead(request)) { (reader, _) throws(WireError) in
            MultiReadResults(
                replies: try MultiReply.readList(from: &reader), operations: request.operations)
        }
        multi.complaint = { $0.isComplete ? nil : .unreadable }
        return multi
    }
}

extension Request where Reply == Watch {
    /// A watch that stays, on a node that need not exist, or on a whole tree.
    public static func addWatch(_ path: Path, mode: AddWatchMode = .persistent) -> Request {
        let registration: WatchRegistration = mode == .persistent ? .persistent : .recursive
        return Request(
            .addWatch(WatchRequest(path: path, type: mode.rawValue)), watch: registration
        ) { (_, context) throws(WireError) in
            context.requiredWatch()
        }
    }
}

extension Request where Reply == Bool {
    /// Whether the server has such a watch of this connection.
    public static func checkWatches(_ path: Path, kind: WatchKind = .any) -> Request {
        Request(
            .checkWatches(WatchRequest(path: path, type: kind.rawValue)), expectedError: .noWatcher
        ) { (_, context) throws(WireError) in
            context.error == 0
        }
    }
}
