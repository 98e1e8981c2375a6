import AviaryWire
import NIOCore

/// What a client asks for, with what has to be known to judge the answer.
struct ClientOperation {
    enum Request {
        /// The path of a sequential node is a beginning.
        case create(Path, data: [UInt8], CreateMode)
        case delete(Path)
        case setData(Path, data: [UInt8])
        /// Sets the data of two nodes, or of none.
        case multi(Path, Path, data: [UInt8])
        case sync(Path)
        case getData(Path, watch: Bool)
        case exists(Path, watch: Bool)
        case getChildren(Path, watch: Bool)
        case setWatches(data: [Path], exist: [Path], child: [Path], since: Zxid)
        case close
    }

    let xid: Int32
    let request: Request
    let invokedAt: Int64
    /// The highest zxid of a write that was answered, to anyone, before this was asked.
    let floor: Zxid
    /// For a sync: what was committed, and how many epochs had begun, when it was asked.
    let committed: Zxid
    let epochs: Int

    var isWrite: Bool {
        switch request {
        case .create, .delete, .setData, .multi: true
        case .sync, .getData, .exists, .getChildren, .setWatches, .close: false
        }
    }

    var code: OpCode {
        switch request {
        case .create: .create2
        case .delete: .delete
        case .setData: .setData
        case .multi: .multi
        case .sync: .sync
        case .getData: .getData
        case .exists: .exists
        case .getChildren: .getChildren2
        case .setWatches: .setWatches
        case .close: .closeSession
        }
    }

    func write(to frame: inout ByteBuffer) {
        RequestHeader(xid: xid, type: code.rawValue).write(to: &frame)
        switch request {
        case .create(let path, let data, let mode):
            frame.writeJute(path)
            frame.writeJute(data)
            ACL.writeList(ACL.openToAll, to: &frame)
            frame.writeInteger(mode.rawValue)
        case .delete(let path):
            frame.writeJute(path)
            frame.writeInteger(Self.anyVersion)
        case .setData(let path, let data): Self.writeSetData(path, data, to: &frame)
        case .multi(let first, let second, let data):
            for path in [first, second] {
                MultiHeader(type: OpCode.setData.rawValue, done: false, error: -1).write(to: &frame)
                Self.writeSetData(path, data, to: &frame)
            }
            MultiHeader.end.write(to: &frame)
        case .sync(let path): frame.writeJute(path)
        case .getData(let path, let watch), .exists(let path, let watch),
            .getChildren(let path, let watch):
            frame.writeJute(path)
            frame.writeBool(watch)
        case .setWatches(let data, let exist, let child, let since):
            frame.writeInteger(since.rawValue)
            for list in [data, exist, child] { frame.writeVector(list) { $0.writeJute($1) } }
        case .close: break
        }
    }

    private static let anyVersion: Int32 = -1

    private static func writeSetData(_ path: Path, _ data: [UInt8], to frame: inout ByteBuffer) {
        frame.writeJute(path)
        frame.writeJute(data)
        frame.writeInteger(anyVersion)
    }
}
