import AviaryClient

/// Why a command of the shell failed: what goes to standard error, and the exit code.
struct ShellError: Error {
    let message: String
    let exitCode: Int32

    init(_ message: String, exitCode: Int32 = 1) {
        self.message = message
        self.exitCode = exitCode
    }

    static func usage(_ command: Command) -> ShellError {
        ShellError("\(command.name) \(command.usage)")
    }

    /// zkCli.sh's words for the server's refusals, the client's own for the rest.
    init(_ error: ClientError) {
        switch error.code {
        case .refused(let reason): self.init(Self.text(reason, error.path))
        case .connectionLost: self.init(Self.code(.connectionLoss, error.path))
        case .sessionExpired: self.init(Self.code(.sessionExpired, error.path))
        case .authenticationFailed: self.init(Self.code(.authFailed, error.path))
        default: self.init(error.message)
        }
    }

    /// Source: org.apache.zookeeper.cli.CliWrapperException.getMessage, 3.9.5.
    private static func text(_ reason: ZooKeeperError, _ path: Path?) -> String {
        let name = path?.description ?? "null"
        return switch reason {
        case .noNode: "Node does not exist: \(name)"
        case .noChildrenForEphemerals: "Ephemerals cannot have children: \(name)"
        case .nodeExists: "Node already exists: \(name)"
        case .notEmpty: "Node not empty: \(name)"
        case .notReadOnly: "Not a read-only call: \(name)"
        case .invalidACL: "Acl is not valid : \(name)"
        case .noAuth: "Insufficient permission : \(name)"
        case .badArguments: "Arguments are not valid : \(name)"
        case .badVersion: "version No is not valid : \(name)"
        case .quotaExceeded: "Quota has exceeded : \(name)"
        default: code(reason, path)
        }
    }

    static func code(_ reason: ZooKeeperError, _ path: Path?) -> String {
        "KeeperErrorCode = \(reason.zooKeeperName)" + (path.map { " for \($0)" } ?? "")
    }
}

extension ZooKeeperError {
    /// Source: org.apache.zookeeper.KeeperException.getCodeMessage, 3.9.5.
    var zooKeeperName: String {
        switch self {
        case .systemError: "SystemError"
        case .runtimeInconsistency: "RuntimeInconsistency"
        case .dataInconsistency: "DataInconsistency"
        case .connectionLoss: "ConnectionLoss"
        case .marshallingError: "MarshallingError"
        case .unimplemented: "Unimplemented"
        case .operationTimeout: "OperationTimeout"
        case .badArguments: "BadArguments"
        case .newConfigNoQuorum: "NewConfigNoQuorum"
        case .reconfigInProgress: "ReconfigInProgress"
        case .apiError: "APIError"
        case .noNode: "NoNode"
        case .noAuth: "NoAuth"
        case .badVersion: "BadVersion"
        case .noChildrenForEphemerals: "NoChildrenForEphemerals"
        case .nodeExists: "NodeExists"
        case .notEmpty: "Directory not empty"
        case .sessionExpired: "Session expired"
        case .invalidACL: "InvalidACL"
        case .authFailed: "AuthFailed"
        case .sessionMoved: "Session moved"
        case .notReadOnly: "Not a read-only call"
        case .ephemeralOnLocalSession: "Ephemeral node on local session"
        case .noWatcher: "No such watcher"
        case .reconfigDisabled: "Reconfig is disabled"
        case .sessionClosedRequireAuth: "Session closed because client failed to authenticate"
        case .quotaExceeded: "Quota has exceeded"
        case .throttledOp: "Op throttled due to high load"
        case .unknownSession, .requestTimeout: "Unknown error \(rawValue)"
        }
    }
}
