import AviaryWire

extension Operation {
    /// The operation on the path that the server knows.
    package func prefixed(by chroot: Path?) -> Operation {
        guard let chroot else { return self }
        return mapPaths { $0.prefixed(by: chroot) }
    }

    /// Nil if all paths are such that a server would take them, else what is wrong.
    package var complaint: String? {
        switch self {
        case .create(_, let request): complaintAbout(request)
        case .multi(let request), .multiRead(let request):
            request.operations.lazy.compactMap(\.complaint).first
        default: path.flatMap(complaintAbout)
        }
    }

    private func mapPaths(_ change: (Path) -> Path) -> Operation {
        switch self {
        case .create(let code, let request): return .create(code, request.mapPath(change))
        case .delete(let request): return .delete(request.mapPath(change))
        case .setData(let request): return .setData(request.mapPath(change))
        case .setACL(let request): return .setACL(request.mapPath(change))
        case .multi(let request): return .multi(request.mapPaths(change))
        case .multiRead(let request): return .multiRead(request.mapPaths(change))
        default: return mapReadPaths(change)
        }
    }

    private func mapReadPaths(_ change: (Path) -> Path) -> Operation {
        switch self {
        case .exists(let path, let watch): return .exists(change(path), watch: watch)
        case .getData(let path, let watch): return .getData(change(path), watch: watch)
        case .getChildren(let path): return .getChildren(change(path))
        case .getChildren2(let path, let watch): return .getChildren2(change(path), watch: watch)
        case .getACL(let path): return .getACL(change(path))
        case .sync(let path): return .sync(change(path))
        case .getEphemerals(let path): return .getEphemerals(change(path))
        case .getAllChildrenNumber(let path): return .getAllChildrenNumber(change(path))
        case .checkWatches(let request): return .checkWatches(request.mapPath(change))
        case .removeWatches(let request): return .removeWatches(request.mapPath(change))
        case .addWatch(let request): return .addWatch(request.mapPath(change))
        default: return self
        }
    }
}

/// A request's record that names one path.
private protocol PathRecord {
    var path: Path { get set }
}

extension PathRecord {
    fileprivate func mapPath(_ change: (Path) -> Path) -> Self {
        var record = self
        record.path = change(path)
        return record
    }
}

extension CreateRequest: PathRecord {}
extension VersionRequest: PathRecord {}
extension SetDataRequest: PathRecord {}
extension SetACLRequest: PathRecord {}
extension WatchRequest: PathRecord {}

extension MultiRequest {
    fileprivate func mapPaths(_ change: (Path) -> Path) -> MultiRequest {
        MultiRequest(operations: operations.map { $0.mapPath(change) })
    }
}

extension MultiRequest.Operation {
    fileprivate func mapPath(_ change: (Path) -> Path) -> MultiRequest.Operation {
        switch self {
        case .create(let code, let request): return .create(code, request.mapPath(change))
        case .delete(let request): return .delete(request.mapPath(change))
        case .setData(let request): return .setData(request.mapPath(change))
        case .check(let request): return .check(request.mapPath(change))
        case .getData(let path, let watch): return .getData(change(path), watch: watch)
        case .getChildren(let path, let watch): return .getChildren(change(path), watch: watch)
        }
    }

    fileprivate var complaint: String? {
        switch self {
        case .create(_, let request): complaintAbout(request)
        case .delete(let request), .check(let request): complaintAbout(request.path)
        case .setData(let request): complaintAbout(request.path)
        case .getData(let path, _), .getChildren(let path, _): complaintAbout(path)
        }
    }
}

private func complaintAbout(_ path: Path) -> String? {
    path.isValid ? nil : "\"\(path)\" is not a valid path: write /name/name, without . or .."
}

/// A sequential node's name is complete only with its number.
private func complaintAbout(_ request: CreateRequest) -> String? {
    guard let mode = CreateMode(rawValue: request.flags) else { return "no such mode of create" }
    if mode.isTTL {
        guard let ttl = request.ttlMilliseconds, (1...NodeOwner.maximumTTL).contains(ttl) else {
            return "the mode needs a ttl from 1 ms to \(NodeOwner.maximumTTL) ms"
        }
    } else if request.ttlMilliseconds != nil {
        return "a ttl needs the mode persistentWithTTL or persistentSequentialWithTTL"
    }
    let path = mode.isSequential ? Path(request.path.bytes + [UInt8(ascii: "0")]) : request.path
    return complaintAbout(path)
}
