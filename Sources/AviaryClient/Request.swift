public import AviaryWire

/// Something to ask a server for, and how its reply is read: `zk.submit(.getData("/a"))`.
public struct Request<Reply: Sendable>: Sendable {
    package let operation: Operation
    /// The chroot is not put before the path.
    let isAbsolute: Bool
    /// An error of the server that is a reply like others; 0 for none.
    let expectedError: Int32
    /// The watch that the server sets along with it.
    let watch: WatchRegistration?
    let decode: @Sendable (inout JuteReader, ReplyContext) throws(WireError) -> Reply
    /// What is wrong with a reply that could be read.
    var complaint: (@Sendable (Reply) -> ReplyComplaint?)?

    init(
        _ operation: Operation, isAbsolute: Bool = false, expectedError: ZooKeeperError? = nil,
        watch: WatchRegistration? = nil,
        decode: @escaping @Sendable (inout JuteReader, ReplyContext) throws(WireError) -> Reply
    ) {
        self.operation = operation
        self.isAbsolute = isAbsolute
        self.expectedError = expectedError?.rawValue ?? 0
        self.watch = watch
        self.decode = decode
    }
}

/// Why a reply that could be read is no success.
enum ReplyComplaint: Hashable, Sendable {
    case unreadable
    /// An operation of a multi was refused, and so all of them.
    case refused(index: Int, code: Int32)
}

/// What reading a reply takes besides its bytes.
struct ReplyContext {
    /// 0, or the error that the request expects.
    var error: Int32
    var zxid: Zxid
    var chroot: Path?
    /// There if the request sets one.
    var watch: Watch?

    func requiredWatch() -> Watch {
        guard let watch else { preconditionFailure("a request that watches has a watch") }
        return watch
    }
}

/// The watch that a request sets if it succeeds.
package enum WatchRegistration: Hashable, Sendable {
    /// Of exists: one for data if the node is there, else one for its creation.
    case exists
    case data
    case children
    case persistent
    case recursive
}

/// A node that was created.
public struct CreatedNode: Hashable, Sendable {
    /// With its number, if the node is sequential.
    public var path: Path
    public var stat: Stat
}

/// A node's data, and what is known of the node.
public struct NodeData: Hashable, Sendable {
    public var data: [UInt8]
    /// Whether the node was given no data at all, which is not the same as empty data.
    public var isNull: Bool
    public var stat: Stat

    /// The data as UTF-8; what is not valid becomes U+FFFD.
    public var text: String { String(decoding: data, as: UTF8.self) }

    init(_ reply: DataReply) {
        data = reply.data ?? []
        isNull = reply.data == nil
        stat = reply.stat
    }
}

/// The names of a node's children, in no order, and what is known of the node.
public struct NodeChildren: Hashable, Sendable {
    public var names: [String]
    public var stat: Stat
}

/// A node's access control list, and what is known of the node.
public struct NodeACL: Hashable, Sendable {
    public var acl: [ACL]
    public var stat: Stat
}

/// A value that was read, and the watch that was set in the same moment: no change is between them.
public struct Watched<Value: Sendable>: Sendable {
    public let value: Value
    public let watch: Watch
}
