import AviaryWire

/// The paths that have a quota, that is a `zookeeper_limits` node below `/zookeeper/quota`.
struct QuotaTable: Sendable {
    static let limitsName = [UInt8]("zookeeper_limits".utf8)
    static let statsName = [UInt8]("zookeeper_stats".utf8)

    private var roots: Set<Path> = []

    var isEmpty: Bool { roots.isEmpty }

    mutating func add(_ root: Path) { roots.insert(root) }
    mutating func remove(_ root: Path) { roots.remove(root) }

    /// The deepest quota root at or above a path.
    func root(of path: Path) -> Path? {
        if roots.isEmpty { return nil }
        var candidate: Path? = path
        while let path = candidate, path != .root {
            if roots.contains(path) { return path }
            candidate = path.parent
        }
        return nil
    }

    /// The path whose quota a node below `/zookeeper/quota` is about, if its name is the given one.
    static func root(named name: [UInt8], at path: Path) -> Path? {
        let prefix = ReservedPath.quota.bytes
        let count = path.bytes.count
        guard path.bytes.starts(with: prefix), count > prefix.count + name.count + 1,
            path.bytes.suffix(name.count + 1) == [UInt8(ascii: "/")] + name
        else { return nil }
        return Path(Array(path.bytes[prefix.count..<count - name.count - 1]))
    }

    static func statsPath(of root: Path) -> Path {
        Path(ReservedPath.quota.bytes + root.bytes).child(statsName)
    }

    static func limitsPath(of root: Path) -> Path {
        Path(ReservedPath.quota.bytes + root.bytes).child(limitsName)
    }
}

/// The text of a quota's nodes: `count=1,bytes=2`, and hard limits after an odd `=`.
///
/// Source: StatsTrack, ZooKeeper 3.9.5.
struct QuotaText: Hashable, Sendable {
    var count: Int64 = -1
    var bytes: Int64 = -1
    var countHardLimit: Int64 = -1
    var byteHardLimit: Int64 = -1

    init(count: Int64, bytes: Int64) {
        self.count = count
        self.bytes = bytes
    }

    /// Nil if the text cannot be understood.
    init?(_ text: [UInt8]) {
        let separators: Set<UInt8> = [UInt8(ascii: ","), UInt8(ascii: ";")]
        for item in text.split(whereSeparator: separators.contains) {
            let parts = item.split(
                separator: UInt8(ascii: "="), omittingEmptySubsequences: false)
            guard parts.count >= 2,
                let value = Int64(String(decoding: parts[1], as: UTF8.self))
                    ?? (parts[1].isEmpty ? -1 : nil)
            else { return nil }
            switch String(decoding: parts[0], as: UTF8.self) {
            case "count": count = value
            case "bytes": bytes = value
            case "countHardLimit": countHardLimit = value
            case "byteHardLimit": byteHardLimit = value
            default: break
            }
        }
    }

    /// What a statistics node holds.
    var usage: [UInt8] { [UInt8]("count=\(count),bytes=\(bytes)".utf8) }
}

// MARK: - Keeping count

extension DataTree {
    /// Notes that a node came.
    mutating func countQuota(ofCreated path: RawSpan, bytes: Int) {
        if Self.isQuotaNode(path) {
            noteQuotaNode(created: Path([UInt8](copying: path)))
        } else {
            countQuota(at: path, nodes: 1, bytes: bytes)
        }
    }

    /// Notes that a node went.
    mutating func countQuota(ofDeleted path: RawSpan, bytes: Int) {
        if Self.isQuotaNode(path) {
            noteQuotaNode(deleted: Path([UInt8](copying: path)))
        } else {
            countQuota(at: path, nodes: -1, bytes: -bytes)
        }
    }

    /// Whether a path is below `/zookeeper/quota`.
    private static func isQuotaNode(_ path: RawSpan) -> Bool {
        let prefix = ReservedPath.quota.bytes
        return path.byteCount > prefix.count
            && path.extracting(first: prefix.count).isEqual(to: prefix.raw)
    }

    /// Notes that a node came, went or changed its size.
    mutating func countQuota(at path: RawSpan, nodes countChange: Int64, bytes bytesChange: Int) {
        if quotas.isEmpty { return }
        let path = Path([UInt8](copying: path))
        if path.bytes.starts(with: ReservedPath.zookeeper.bytes) { return }
        guard let root = quotas.root(of: path),
            let id = find(QuotaTable.statsPath(of: root)),
            var usage = QuotaText(data(of: id) ?? [])
        else { return }
        // A client may have written any number there.
        usage.count &+= countChange
        usage.bytes &+= Int64(bytesChange)
        setQuotaUsage(usage, of: id)
    }

    /// A created quota node starts the counting.
    private mutating func noteQuotaNode(created path: Path) {
        if let root = QuotaTable.root(named: QuotaTable.limitsName, at: path) { quotas.add(root) }
        if QuotaTable.root(named: QuotaTable.statsName, at: path) != nil {
            recountQuota(statsPath: path)
        }
    }

    private mutating func noteQuotaNode(deleted path: Path) {
        if let root = QuotaTable.root(named: QuotaTable.limitsName, at: path) {
            quotas.remove(root)
        }
    }

    /// Finds the quotas of a tree that was loaded, and counts what they are about.
    package mutating func recountQuotas() {
        guard let top = find(ReservedPath.quota) else { return }
        var found: [NodeID] = []
        forEachDescendant(of: top) { found.append($0) }
        for id in found { noteQuotaNode(created: path(of: id)) }
    }

    private mutating func recountQuota(statsPath: Path) {
        guard let root = QuotaTable.root(named: QuotaTable.statsName, at: statsPath),
            let statsID = find(statsPath)
        else { return }
        var usage = QuotaText(count: 0, bytes: 0)
        if let id = find(root) {
            usage = QuotaText(count: 1, bytes: Int64(nodes[id].dataLength))
            forEachDescendant(of: id) { descendant in
                usage.count += 1
                usage.bytes += Int64(nodes[descendant].dataLength)
            }
        }
        setQuotaUsage(usage, of: statsID)
    }

    /// Changes the data alone: no version, no time, no watch, and the digest does not cover it.
    private mutating func setQuotaUsage(_ usage: QuotaText, of id: NodeID) {
        approximateDataSize -= nodes[id].dataLength
        nodes[id].setData(usage.usage.raw)
        approximateDataSize += nodes[id].dataLength
    }
}
