public import AviaryWire

/// Why something asked of a ``ZooKeeper`` did not come about, and whether it may have been done.
public struct ClientError: Error, Hashable, Sendable {
    /// What happened.
    public enum Code: Hashable, Sendable {
        /// The server refused the request; nothing was changed.
        case refused(ZooKeeperError)
        /// The server refused the request for a reason that this client has no name for.
        case refusedWithUnknownCode(Int32)
        /// The connection broke before the reply came.
        case connectionLost
        /// The time given to the request, or to waiting, is over.
        case timedOut
        /// The task that waited was cancelled.
        case cancelled
        /// The session is over: its ephemeral nodes and watches are gone.
        case sessionExpired
        /// The session was closed by this client.
        case closed
        /// The server does not believe the credentials.
        case authenticationFailed
        /// Too many requests wait for their replies.
        case queueFull
        /// What was asked for cannot be; nothing was sent.
        case invalidArgument
        /// The server's answer cannot be read.
        case protocolViolation
    }

    /// Whether the request had an effect.
    public enum Outcome: Hashable, Sendable {
        /// It had none, and will have none.
        case notDone
        /// A write was on its way when its reply was lost: read, to know whether it was done.
        case unknown
    }

    public let code: Code
    public let outcome: Outcome
    /// The request's name, as the method's: "setData".
    public let operation: String?
    public let path: Path?
    /// The index of the operation of a multi that was refused.
    public let failedOperation: Int?
    private let detail: String?

    package init(
        _ code: Code, _ outcome: Outcome = .notDone, operation: String? = nil, path: Path? = nil,
        failedOperation: Int? = nil, detail: String? = nil
    ) {
        self.code = code
        self.outcome = outcome
        self.operation = operation
        self.path = path
        self.failedOperation = failedOperation
        self.detail = detail
    }

    /// The server's reason, if it refused: `catch where error.refusal == .noNode`.
    public var refusal: ZooKeeperError? {
        if case .refused(let reason) = code { reason } else { nil }
    }

    package init(serverCode: Int32, operation: String?, path: Path?, failedOperation: Int? = nil) {
        self.init(
            Code(serverCode: serverCode), operation: operation, path: path,
            failedOperation: failedOperation)
    }
}

extension ClientError.Code {
    init(serverCode: Int32) {
        switch ZooKeeperError(rawValue: serverCode) {
        case .sessionExpired: self = .sessionExpired
        case let reason?: self = .refused(reason)
        case nil: self = .refusedWithUnknownCode(serverCode)
        }
    }
}

extension ClientError: CustomStringConvertible {
    public var description: String { message }

    /// What happened and what to do.
    public var message: String {
        var text = operation ?? "the session"
        if let path { text += " \(path)" }
        if let failedOperation { text += " (operation \(failedOperation))" }
        text += ": \(detail ?? explanation)"
        if outcome == .unknown {
            text += "; it may have been done or not: read before you write again"
        }
        return text
    }

    private var explanation: String {
        switch code {
        case .refused(let reason): reason.explanation
        case .refusedWithUnknownCode(let code): "the server refused it with code \(code)"
        case .connectionLost: "the connection broke; the session goes on with another"
        case .timedOut: "no answer in the time given"
        case .cancelled: "cancelled"
        case .sessionExpired:
            "the session has expired, its ephemeral nodes are gone; begin a new one"
        case .closed: "the session was closed; begin a new one"
        case .authenticationFailed: "the server does not accept the credentials; correct them"
        case .queueFull:
            "too many requests are waiting; await some, or raise maximumOutstanding or "
                + "maximumQueuedBytes"
        case .invalidArgument: "this cannot be asked for"
        case .protocolViolation: "the server's answer cannot be read; is it a ZooKeeper server?"
        }
    }
}

extension ZooKeeperError {
    fileprivate var explanation: String {
        switch self {
        case .noNode: "there is no such node; for a create, there is no parent"
        case .nodeExists: "the node exists already"
        case .badVersion: "the version is another by now; read again"
        case .notEmpty: "the node has children; delete them first"
        case .noAuth: "the node's ACL does not allow it; authenticate with addAuth"
        case .invalidACL: "the ACL is not valid, or needs an authenticated client"
        case .badArguments: "the path or another argument is not valid"
        case .noChildrenForEphemerals: "ephemeral nodes cannot have children"
        case .notReadOnly: "the server is read-only; wait for one that is not"
        case .quotaExceeded: "a quota is exceeded; delete something or raise it"
        case .noWatcher: "there is no such watch"
        case .unimplemented: "the server does not know this request, or has it switched off"
        case .reconfigDisabled: "the server has reconfigEnabled=false"
        case .newConfigNoQuorum: "no quorum of the new configuration is in contact; start it first"
        case .reconfigInProgress: "another reconfiguration is under way; try again"
        case .throttledOp: "the server is throttling; try again later"
        case .authFailed: "the server does not accept the credentials"
        case .sessionClosedRequireAuth: "the server wants clients to authenticate first"
        case .ephemeralOnLocalSession: "a local session cannot have ephemeral nodes"
        case .marshallingError: "the server could not read the request, or it is not allowed there"
        default: "the server refused it: \(self) (\(rawValue))"
        }
    }
}
