package import AviaryWire
package import NIOCore

/// A request as it goes on the wire.
package enum Operation: Hashable, Sendable {
    /// The op code is create2, createContainer or createTTL.
    case create(OpCode, CreateRequest)
    case delete(VersionRequest)
    case exists(Path, watch: Bool)
    case getData(Path, watch: Bool)
    case getChildren(Path)
    case getChildren2(Path, watch: Bool)
    case setData(SetDataRequest)
    case getACL(Path)
    case setACL(SetACLRequest)
    case sync(Path)
    case multi(MultiRequest)
    case multiRead(MultiRequest)
    case reconfig(ReconfigRequest)
    case checkWatches(WatchRequest)
    case removeWatches(WatchRequest)
    case addWatch(WatchRequest)
    case getEphemerals(Path)
    case getAllChildrenNumber(Path)
    case whoAmI
    case auth(AuthPacket)
    case setWatches(SetWatchesRequest)
    case sasl([UInt8])
    case ping
    case closeSession

    package var opCode: OpCode {
        switch self {
        case .create(let code, _): code
        case .delete: .delete
        case .exists: .exists
        case .getData: .getData
        case .getChildren: .getChildren
        case .getChildren2: .getChildren2
        case .setData: .setData
        case .getACL: .getACL
        case .setACL: .setACL
        case .sync: .sync
        case .multi: .multi
        case .multiRead: .multiRead
        case .reconfig: .reconfig
        case .checkWatches: .checkWatches
        case .removeWatches: .removeWatches
        case .addWatch: .addWatch
        case .getEphemerals: .getEphemerals
        case .getAllChildrenNumber: .getAllChildrenNumber
        case .whoAmI: .whoAmI
        case .auth: .auth
        case .setWatches(let request): request.persistent == nil ? .setWatches : .setWatches2
        case .sasl: .sasl
        case .ping: .ping
        case .closeSession: .closeSession
        }
    }

    /// The request record, without its header.
    package func write(to buffer: inout ByteBuffer) {
        switch self {
        case .create(_, let request): request.write(to: &buffer)
        case .delete(let request): request.write(to: &buffer)
        case .exists(let path, let watch), .getData(let path, let watch),
            .getChildren2(let path, let watch):
            buffer.writeJute(path)
            buffer.writeBool(watch)
        case .getChildren(let path):
            buffer.writeJute(path)
            buffer.writeBool(false)
        case .setData(let request): request.write(to: &buffer)
        case .setACL(let request): request.write(to: &buffer)
        case .getACL(let path), .sync(let path), .getEphemerals(let path),
            .getAllChildrenNumber(let path):
            buffer.writeJute(path)
        case .multi(let request), .multiRead(let request): request.write(to: &buffer)
        case .reconfig(let request): request.write(to: &buffer)
        case .checkWatches(let request), .removeWatches(let request), .addWatch(let request):
            request.write(to: &buffer)
        case .auth(let packet): packet.write(to: &buffer)
        case .setWatches(let request): request.write(to: &buffer)
        case .sasl(let token): buffer.writeJute(token)
        case .whoAmI, .ping, .closeSession: break
        }
    }

    /// The path that is the request's own; a multi has none.
    package var path: Path? {
        switch self {
        case .create(_, let request): request.path
        case .delete(let request): request.path
        case .exists(let path, _), .getData(let path, _), .getChildren2(let path, _),
            .getChildren(let path), .getACL(let path), .sync(let path), .getEphemerals(let path),
            .getAllChildrenNumber(let path):
            path
        case .setData(let request): request.path
        case .setACL(let request): request.path
        case .checkWatches(let request), .removeWatches(let request), .addWatch(let request):
            request.path
        case .multi, .multiRead, .reconfig, .whoAmI, .auth, .setWatches, .sasl, .ping,
            .closeSession:
            nil
        }
    }

    /// About how many bytes it will take, for what waits unsent.
    package var byteCount: Int {
        switch self {
        case .create(_, let request): 64 + request.path.bytes.count + (request.data?.count ?? 0)
        case .setData(let request): 64 + request.path.bytes.count + (request.data?.count ?? 0)
        case .multi(let request), .multiRead(let request):
            request.operations.reduce(64) { $0 + $1.byteCount }
        default: 64 + (path?.bytes.count ?? 0)
        }
    }
}

extension MultiRequest.Operation {
    fileprivate var byteCount: Int {
        switch self {
        case .create(_, let request): 64 + request.path.bytes.count + (request.data?.count ?? 0)
        case .setData(let request): 64 + request.path.bytes.count + (request.data?.count ?? 0)
        case .delete(let request), .check(let request): 64 + request.path.bytes.count
        case .getData(let path, _), .getChildren(let path, _): 64 + path.bytes.count
        }
    }
}

extension OpCode {
    /// Whether a request whose reply was lost may have changed something.
    package var isWrite: Bool {
        switch self {
        case .create, .create2, .createContainer, .createTTL, .delete, .deleteContainer, .setData,
            .setACL, .multi, .reconfig, .closeSession, .createSession:
            true
        case .notification, .exists, .getData, .getACL, .getChildren, .sync, .ping, .getChildren2,
            .check, .checkWatches, .removeWatches, .multiRead, .auth, .setWatches, .sasl,
            .getEphemerals, .getAllChildrenNumber, .setWatches2, .addWatch, .whoAmI, .error:
            false
        }
    }
}
