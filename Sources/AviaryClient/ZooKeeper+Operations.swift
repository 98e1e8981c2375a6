public import AviaryWire

// Each of these is a request of the same name, submitted and awaited.

extension ZooKeeper {
    /// Makes a node, whose parent must be there.
    ///
    /// `data` that is null is not the same as empty data. `ttl`, for the modes with a time to live, is
    /// how long the node outlives its last change while it has no children.
    ///
    /// - Returns: its path, with the number if the mode is sequential.
    @discardableResult
    public func create(
        _ path: Path, _ data: [UInt8]? = [], acl: [ACL] = ACL.openToAll,
        mode: CreateMode = .persistent, ttl: Duration? = nil
    ) async throws(ClientError) -> CreatedNode {
        try await ask(.create(path, data, acl: acl, mode: mode, ttl: ttl))
    }

    /// Deletes a node that has no children.
    ///
    /// `version`: the one the node must have; nil for any.
    public func delete(_ path: Path, version: Int32? = nil) async throws(ClientError) {
        try await ask(.delete(path, version: version))
    }

    /// Nil if there is no such node.
    public func exists(_ path: Path) async throws(ClientError) -> Stat? {
        try await ask(.exists(path))
    }

    public func getData(_ path: Path) async throws(ClientError) -> NodeData {
        try await ask(.getData(path))
    }

    /// `version`: the one the node must have; nil for any.
    @discardableResult
    public func setData(
        _ path: Path, _ data: [UInt8]?, version: Int32? = nil
    ) async throws(ClientError) -> Stat {
        try await ask(.setData(path, data, version: version))
    }

    public func getACL(_ path: Path) async throws(ClientError) -> NodeACL {
        try await ask(.getACL(path))
    }

    /// `version`: the `aversion` that the node must have; nil for any.
    @discardableResult
    public func setACL(
        _ path: Path, _ acl: [ACL], version: Int32? = nil
    ) async throws(ClientError) -> Stat {
        try await ask(.setACL(path, acl, version: version))
    }

    /// The names of the children, in no order.
    public func getChildren(_ path: Path) async throws(ClientError) -> [String] {
        try await ask(.getChildren(path))
    }

    public func getChildrenWithStat(_ path: Path) async throws(ClientError) -> NodeChildren {
        try await ask(.getChildrenWithStat(path))
    }

    /// Waits until the server has everything that was committed before: a read after it sees it.
    public func sync(_ path: Path = .root) async throws(ClientError) {
        try await ask(.sync(path))
    }

    /// All of the operations, or none.
    ///
    /// - Throws: for a refused operation its reason, and which it was in
    ///   ``ClientError/failedOperation``.
    @discardableResult
    public func multi(_ multi: Multi) async throws(ClientError) -> MultiResults {
        try await ask(.multi(multi))
    }

    /// Several reads in one request, each with a result of its own.
    public func multiRead(_ reads: MultiRead) async throws(ClientError) -> MultiReadResults {
        try await ask(.multiRead(reads))
    }

    /// This session's ephemeral nodes whose paths begin with the prefix, in no order.
    public func getEphemerals(prefix: Path? = nil) async throws(ClientError) -> [Path] {
        try await ask(.getEphemerals(prefix: prefix))
    }

    /// How many nodes are below the node, at any depth.
    public func getAllChildrenNumber(_ path: Path) async throws(ClientError) -> Int {
        try await ask(.getAllChildrenNumber(path))
    }

    /// Whom the server takes this connection for: schemes, and names without secrets.
    public func whoAmI() async throws(ClientError) -> [Identity] {
        try await ask(.whoAmI())
    }

    /// Adds an identity to this connection, and to each that follows it.
    ///
    /// - Throws: if the server refuses it, and then the session is over for this client.
    public func addAuth(scheme: String, _ credential: [UInt8]) async throws(ClientError) {
        try await ask(.addAuth(scheme: scheme, credential))
    }

    /// The ensemble's configuration, from `/zookeeper/config` whatever the chroot.
    public func getConfig() async throws(ClientError) -> NodeData {
        try await ask(.getConfig())
    }

    /// Changes the ensemble's members: `server.N=host:port:port;port` to come in, ids to go out.
    ///
    /// `version`: that of the configuration the change is meant for; nil for any.
    @discardableResult
    public func reconfig(
        joining: [String], leaving: [String], version: Int64? = nil
    ) async throws(ClientError) -> NodeData {
        try await ask(.reconfig(joining: joining, leaving: leaving, version: version))
    }

    /// Puts other members in place of all.
    @discardableResult
    public func reconfig(
        members: [String], version: Int64? = nil
    ) async throws(ClientError) -> NodeData {
        try await ask(.reconfig(members: members, version: version))
    }
}

// MARK: watches

extension ZooKeeper {
    /// The data, and a one-shot watch for when it changes or the node is deleted.
    public func getDataAndWatch(_ path: Path) async throws(ClientError) -> Watched<NodeData> {
        try await ask(.getDataAndWatch(path))
    }

    /// Whether the node is there, and a one-shot watch for when it is created, deleted, or its data
    /// changes.
    public func existsAndWatch(_ path: Path) async throws(ClientError) -> Watched<Stat?> {
        try await ask(.existsAndWatch(path))
    }

    /// The children, and a one-shot watch for when one is created or deleted, or the node is deleted.
    public func getChildrenAndWatch(
        _ path: Path
    ) async throws(ClientError) -> Watched<NodeChildren> {
        try await ask(.getChildrenAndWatch(path))
    }

    /// The ensemble's configuration, and a one-shot watch for when it changes.
    public func getConfigAndWatch() async throws(ClientError) -> Watched<NodeData> {
        try await ask(.getConfigAndWatch())
    }

    /// A watch that stays, on a node that need not exist, or on a whole tree.
    public func addWatch(
        _ path: Path, mode: AddWatchMode = .persistent
    ) async throws(ClientError) -> Watch {
        try await ask(.addWatch(path, mode: mode))
    }

    /// Ends all watches of this session on the path that are of the kind. Dropping a ``Watch`` ends
    /// that one.
    ///
    /// - Throws: `.noWatcher` if the server had none.
    public func removeWatches(
        _ path: Path, kind: WatchKind = .any
    ) async throws(ClientError) {
        try await ask(.removeWatches(path, kind: kind))
    }

    /// Whether the server has such a watch of this connection.
    public func checkWatches(
        _ path: Path, kind: WatchKind = .any
    ) async throws(ClientError) -> Bool {
        try await ask(.checkWatches(path, kind: kind))
    }
}
