public import AviaryWire

extension Request where Reply == CreatedNode {
    /// A new node. Null data is not the same as empty data.
    ///
    /// `ttl`: for the modes with a time to live: how long the node outlives its last
    ///   change while it has no children.
    public static func create(
        _ path: Path, _ data: [UInt8]? = [], acl: [ACL] = ACL.openToAll,
        mode: CreateMode = .persistent, ttl: Duration? = nil
    ) -> Request {
        let (code, request) = createRequest(path, data, acl, mode, ttl)
        return Request(.create(code, request)) { (reader, context) throws(WireError) in
            let reply = try CreateReply(from: &reader)
            return CreatedNode(path: reply.path.stripped(of: context.chroot), stat: reply.stat)
        }
    }
}

func createRequest(
    _ path: Path, _ data: [UInt8]?, _ acl: [ACL], _ mode: CreateMode, _ ttl: Duration?
) -> (OpCode, CreateRequest) {
    let code: OpCode =
        switch mode {
        case .container: .createContainer
        case .persistentWithTTL, .persistentSequentialWithTTL: .createTTL
        case .persistent, .ephemeral, .persistentSequential, .ephemeralSequential: .create2
        }
    let request = CreateRequest(
        path: path, data: data, acl: acl, flags: mode.rawValue, ttlMilliseconds: ttl?.milliseconds)
    return (code, request)
}

extension Request where Reply == Void {
    /// `version`: the one the node must have; nil for any.
    public static func delete(_ path: Path, version: Int32? = nil) -> Request {
        Request(.delete(VersionRequest(path: path, version: version ?? -1))) { _, _ in }
    }

    /// Waits until the server has everything that was committed before: a read behind it sees it.
    public static func sync(_ path: Path = .root) -> Request {
        Request(.sync(path)) { _, _ in }
    }

    /// Adds an identity to the connection, and to each that follows it.
    public static func addAuth(scheme: String, _ credential: [UInt8]) -> Request {
        Request(.auth(AuthPacket(scheme: ByteString(scheme), auth: credential))) { _, _ in }
    }

    /// Ends all watches of this session on the path that are of the kind.
    public static func removeWatches(_ path: Path, kind: WatchKind = .any) -> Request {
        Request(.removeWatches(WatchRequest(path: path, type: kind.rawValue))) { _, _ in }
    }
}

extension Request where Reply == Stat {
    /// `version`: the one the node must have; nil for any.
    public static func setData(
        _ path: Path, _ data: [UInt8]?, version: Int32? = nil
    ) -> Request {
        let request = SetDataRequest(path: path, data: data, version: version ?? -1)
        return Request(.setData(request)) { (reader, _) throws(WireError) in
            try Stat(from: &reader)
        }
    }

    /// `version`: the `aversion` that the node must have; nil for any.
    public static func setACL(
        _ path: Path, _ acl: [ACL], version: Int32? = nil
    ) -> Request {
        let request = SetACLRequest(path: path, acl: acl, version: version ?? -1)
        return Request(.setACL(request)) { (reader, _) throws(WireError) in
            try Stat(from: &reader)
        }
    }
}

extension Request where Reply == MultiResults {
    /// All of the operations, or none.
    public static func multi(_ operations: Multi) -> Request {
        let request = MultiRequest(operations: operations.operations)
        var multi = Request(.multi(request)) { (reader, context) throws(WireError) in
            MultiResults(
                replies: try MultiReply.readList(from: &reader), zxid: context.zxid,
                chroot: context.chroot)
        }
        multi.complaint = { results in
            if let (index, code) = results.failure { return .refused(index: index, code: code) }
            return results.answers(request.operations) ? nil : .unreadable
        }
        return multi
    }
}

extension Request where Reply == NodeData {
    /// Changes the ensemble's members: `server.N=host:port:port;port` to come in, ids to go out.
    ///
    /// `version`: that of the configuration the change is meant for; nil for any.
    public static func reconfig(
        joining: [String], leaving: [String], version: Int64? = nil
    ) -> Request {
        reconfig(
            ReconfigRequest(
                joining: joining.isEmpty ? nil : ByteString(joining.joined(separator: ",")),
                leaving: leaving.isEmpty ? nil : ByteString(leaving.joined(separator: ",")),
                members: nil, currentConfigID: version ?? -1))
    }

    /// Puts other members in place of all.
    public static func reconfig(members: [String], version: Int64? = nil) -> Request {
        reconfig(
            ReconfigRequest(
                joining: nil, leaving: nil,
                members: ByteString(members.joined(separator: ",")),
                currentConfigID: version ?? -1))
    }

    private static func reconfig(_ request: ReconfigRequest) -> Request {
        Request(.reconfig(request)) { (reader, _) throws(WireError) in
            NodeData(try DataReply(from: &reader))
        }
    }
}

extension Duration {
    var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds.multipliedReportingOverflow(by: 1000).partialValue
            &+ attoseconds / 1_000_000_000_000_000
    }
}
