public import AviaryWire

/// Operations that are done all or not at all, under one transaction.
///
/// ```swift
/// var multi = Multi()
/// let job = multi.create("/jobs/job-", mode: .persistentSequential)
/// multi.check("/leader", version: 3)
/// let results = try await zk.multi(multi)
/// print(results[job].path)
/// ```
public struct Multi: Sendable {
    /// Where an operation's result will be found.
    public struct Result<Value: Sendable>: Hashable, Sendable {
        let index: Int
    }

    package private(set) var operations: [MultiRequest.Operation] = []

    public init() {}

    public var isEmpty: Bool { operations.isEmpty }
    public var count: Int { operations.count }

    @discardableResult
    public mutating func create(
        _ path: Path, _ data: [UInt8]? = [], acl: [ACL] = ACL.openToAll,
        mode: CreateMode = .persistent, ttl: Duration? = nil
    ) -> Result<CreatedNode> {
        let (code, request) = createRequest(path, data, acl, mode, ttl)
        return add(.create(code, request))
    }

    /// `version`: the one the node must have; nil for any.
    public mutating func delete(_ path: Path, version: Int32? = nil) {
        operations.append(.delete(VersionRequest(path: path, version: version ?? -1)))
    }

    /// `version`: the one the node must have; nil for any.
    @discardableResult
    public mutating func setData(
        _ path: Path, _ data: [UInt8]?, version: Int32? = nil
    ) -> Result<Stat> {
        add(.setData(SetDataRequest(path: path, data: data, version: version ?? -1)))
    }

    /// Nothing is done unless the node is there and has the version; -1 for any.
    public mutating func check(_ path: Path, version: Int32) {
        operations.append(.check(VersionRequest(path: path, version: version)))
    }

    private mutating func add<Value>(_ operation: MultiRequest.Operation) -> Result<Value> {
        operations.append(operation)
        return Result(index: operations.count - 1)
    }
}

/// What the operations of a multi that was done came to.
public struct MultiResults: Sendable {
    private let replies: [MultiReply]
    private let chroot: Path?
    /// The transaction.
    public let zxid: Zxid

    init(replies: [MultiReply], zxid: Zxid, chroot: Path?) {
        self.replies = replies
        self.zxid = zxid
        self.chroot = chroot
    }

    /// The index and code of the operation that failed, and all others with it.
    var failure: (index: Int, code: Int32)? {
        var first: (index: Int, code: Int32)?
        for (index, reply) in replies.enumerated() {
            guard case .error(let code) = reply, code != 0 else { continue }
            if first == nil || first?.code == ZooKeeperError.runtimeInconsistency.rawValue {
                first = (index, code)
            }
        }
        return first
    }

    /// Whether there is a reply of the right kind for each operation.
    func answers(_ operations: [MultiRequest.Operation]) -> Bool {
        replies.count == operations.count
            && zip(replies, operations).allSatisfy { $0.answers($1) }
    }

    /// - Precondition: the result is one of the multi's own.
    public subscript(_ result: Multi.Result<CreatedNode>) -> CreatedNode {
        guard case .created(let path, let stat) = replies[result.index] else {
            preconditionFailure("the result is of another multi")
        }
        return CreatedNode(path: path.stripped(of: chroot), stat: stat ?? Stat())
    }

    /// - Precondition: the result is one of the multi's own.
    public subscript(_ result: Multi.Result<Stat>) -> Stat {
        guard case .dataSet(let stat) = replies[result.index] else {
            preconditionFailure("the result is of another multi")
        }
        return stat
    }
}

/// Several reads in one request. They are not of one moment: writes may come between them.
public struct MultiRead: Sendable {
    /// Where a read's result will be found.
    public struct Result<Value: Sendable>: Hashable, Sendable {
        let index: Int
    }

    package private(set) var operations: [MultiRequest.Operation] = []

    public init() {}

    public mutating func getData(_ path: Path) -> Result<NodeData> {
        operations.append(.getData(path, watch: false))
        return Result(index: operations.count - 1)
    }

    public mutating func getChildren(_ path: Path) -> Result<[String]> {
        operations.append(.getChildren(path, watch: false))
        return Result(index: operations.count - 1)
    }
}

/// What the reads of a multiRead came to, each for itself.
public struct MultiReadResults: Sendable {
    private let replies: [MultiReply]
    private let operations: [MultiRequest.Operation]

    init(replies: [MultiReply], operations: [MultiRequest.Operation]) {
        self.replies = replies
        self.operations = operations
    }

    /// Whether there is a reply of the right kind for each operation.
    var isComplete: Bool {
        replies.count == operations.count
            && zip(replies, operations).allSatisfy { $0.isError || $0.answers($1) }
    }

    /// - Precondition: the result is one of the multiRead's own.
    public subscript(_ result: MultiRead.Result<NodeData>) -> Result<NodeData, ClientError> {
        switch replies[result.index] {
        case .data(let reply): .success(NodeData(reply))
        case .error(let code): .failure(error(code, "getData", result.index))
        default: preconditionFailure("the result is of another multiRead")
        }
    }

    /// - Precondition: the result is one of the multiRead's own.
    public subscript(_ result: MultiRead.Result<[String]>) -> Result<[String], ClientError> {
        switch replies[result.index] {
        case .children(let names): .success(names.map(\.description))
        case .error(let code): .failure(error(code, "getChildren", result.index))
        default: preconditionFailure("the result is of another multiRead")
        }
    }

    private func error(_ code: Int32, _ operation: String, _ index: Int) -> ClientError {
        var path: Path?
        switch operations[index] {
        case .getData(let read, _), .getChildren(let read, _): path = read
        case .create, .delete, .setData, .check: break
        }
        return ClientError(
            serverCode: code, operation: operation, path: path, failedOperation: index)
    }
}

extension MultiReply {
    fileprivate var isError: Bool {
        if case .error = self { true } else { false }
    }

    fileprivate func answers(_ operation: MultiRequest.Operation) -> Bool {
        switch (self, operation) {
        case (.created, .create), (.deleted, .delete), (.checked, .check), (.dataSet, .setData),
            (.data, .getData), (.children, .getChildren):
            true
        default: false
        }
    }
}
