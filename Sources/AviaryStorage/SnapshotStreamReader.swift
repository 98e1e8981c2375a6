package import AviaryCore
package import AviaryWire
package import NIOCore

/// Reads the tree that a leader sends after the packet SNAP, as it comes.
///
/// The stream has neither checksum nor length: its signature tells that all of it came, and the
/// records have to make a tree. Source: Learner.syncWithLeader, ZooKeeper 3.9.5.
package struct SnapshotStreamReader: ~Copyable, Sendable {
    private var tree: DataTree
    private var loader = SnapshotLoader()
    private var stage = Stage.sessionCount
    /// The longest path, data, scheme or identity, in bytes.
    private let maximumLength: Int
    /// What was taken so far.
    package private(set) var byteCount = 0
    /// What is wrong with the last record.
    private var damage: String?

    private enum Stage: Hashable, Sendable {
        case sessionCount
        /// More than none are left.
        case sessions(left: Int32)
        case listCount
        case lists(left: Int32)
        case nodes
        case signature
        case whole
    }

    /// - Parameters:
    ///   - hashSeed: random, so that paths cannot be chosen to collide.
    ///   - maximumLength: of one string or buffer, in bytes: `jute.maxbuffer` and its extra size. No
    ///     record may be longer than a path and data of this length.
    package init(
        hashSeed: UInt64, extendedTypes: Bool,
        maximumLength: Int = QuorumPacketDecoder.defaultMaximumLength
    ) {
        precondition(maximumLength >= SnapshotStreamFormat.signature.count, "a signature fits in")
        tree = DataTree(emptyWithHashSeed: hashSeed, extendedTypes: extendedTypes)
        self.maximumLength = maximumLength
    }

    /// Nodes that name an access control list which the stream did not have; a transaction that
    /// follows should set it. Only the super user may use them before.
    package var nodesWithoutList: Int { loader.nodesWithoutList }

    /// Takes all whole records, and leaves the part of one that has come: more is to be added to it.
    ///
    /// - Returns: true when the signature was read. What is behind it is left.
    /// - Throws: `corrupt` as soon as it is clear that this is no snapshot. The link and this value
    ///   are of no use then.
    package mutating func take(_ bytes: inout ByteBuffer) throws(StorageError) -> Bool {
        while stage != .whole {
            let count: Int
            do throws(WireError) {
                count = try takeRecord(
                    bytes.readableBytesSpan.extracting(
                        first: min(bytes.readableBytes, recordLimit)))
            } catch {
                try checkThatMoreHelps(after: error, bytes.readableBytes)
                return false
            }
            bytes.moveReaderIndex(forwardBy: count)
            byteCount += count
            if let damage { throw refusal(damage) }
        }
        return true
    }

    /// The tree, once the signature was read.
    ///
    /// Nodes of sessions that are not in the table stay: only what the ensemble decides changes a
    /// member's tree. What Apache's leader sends may hold some of what was decided after its zxid;
    /// until that was applied again the digest fits nothing.
    ///
    /// - Parameter zxid: that of the SNAP.
    package consuming func finish(zxid: Zxid) -> DataTree {
        precondition(stage == .whole, "a tree is whole when its signature was read")
        precondition(damage == nil, "a stream that was refused gives no tree")
        tree.finishLoading(zxid: zxid)
        tree.recountQuotas()
        return tree
    }

    // MARK: Records

    /// A path, data, and what else a node has.
    private var recordLimit: Int { 2 * maximumLength + 128 }

    /// - Returns: how many bytes the record took.
    private mutating func takeRecord(_ bytes: RawSpan) throws(WireError) -> Int {
        var reader = JuteReader(bytes)
        switch stage {
        case .sessionCount:
            let count = try reader.readInt()
            if count < 0 { damage = "has a negative number of sessions" }
            stage = count > 0 ? .sessions(left: count) : .listCount
        case .sessions(let left):
            load(try SnapshotRecord.session(from: &reader))
            stage = left > 1 ? .sessions(left: left - 1) : .listCount
        case .listCount:
            let count = try reader.readInt()
            if count < 0 { damage = "has a negative number of access control lists" }
            stage = count > 0 ? .lists(left: count) : .nodes
        case .lists(let left):
            load(try SnapshotRecord.list(from: &reader))
            stage = left > 1 ? .lists(left: left - 1) : .nodes
        case .nodes:
            if let node = try SnapshotNode(from: &reader) {
                load(node)
            } else {
                if !loader.hasRoot { damage = "has no root" }
                stage = .signature
            }
        case .signature:
            if try reader.readBuffer() == SnapshotStreamFormat.signature {
                stage = .whole
            } else {
                damage = "does not end with its signature"
            }
        case .whole: break
        }
        return reader.position
    }

    private mutating func load(_ record: SnapshotRecord) {
        damage = loader.load(record, into: &tree)
    }

    /// No checksum vouches for a path, so that the tree is asked whether it can be one.
    private mutating func load(_ node: SnapshotNode) {
        let path = node.path
        if max(path.count, node.data?.count ?? 0) > maximumLength {
            damage = "has a node that is too long"
        } else if path.last == Self.slash || path.starts(with: [Self.slash, Self.slash]) {
            damage = "has a node without a name"
        } else if !path.isEmpty && tree.find(path.raw) != nil {
            damage = "has a node twice"
        } else {
            load(.node(node))
        }
    }

    private static let slash = UInt8(ascii: "/")

    /// Returns if the rest of the record may still come.
    private func checkThatMoreHelps(
        after error: WireError, _ readableByteCount: Int
    ) throws(StorageError) {
        let limit = stage == .signature ? SnapshotStreamFormat.signature.count : maximumLength
        let isHopeful =
            switch error {
            case .truncated: true
            case .lengthOutOfBounds(let length): length >= 0 && Int(length) <= limit
            case .unexpectedNull, .unknownType: false
            }
        if !isHopeful { throw refusal("cannot be read", cause: "\(error)") }
        if readableByteCount >= recordLimit {
            throw refusal("has a record of more than \(recordLimit) bytes")
        }
    }

    private func refusal(_ what: String, cause: String? = nil) -> StorageError {
        let reason = cause.map { " (\($0))" } ?? ""
        return StorageError(
            .corrupt,
            "the snapshot that the leader sent \(what)\(reason), at offset \(byteCount); another is "
                + "asked for; if it comes again, see that jute.maxbuffer is the same on all servers",
            offset: byteCount, cause: cause)
    }
}
