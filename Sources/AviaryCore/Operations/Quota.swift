package import AviaryWire

/// A limit that a write passes.
package struct QuotaExcess: Hashable, Sendable {
    package enum Limit: String, Sendable {
        case count
        case bytes
        case countHardLimit
        case byteHardLimit
    }

    /// The path that has the quota.
    package let root: Path
    package let limit: Limit
    package let allowed: Int64
    package let wanted: Int64
}

extension ServerCore {
    /// Refuses what would pass a hard limit, if quotas are enforced; otherwise, and for soft limits,
    /// the operator is told.
    ///
    /// Looks at what is applied, not at what is outstanding.
    /// Source: ZooKeeperServer.checkQuota, 3.9.5.
    mutating func checkQuota(
        at path: RawSpan, nodes: Int, bytes: Int, for asker: Asker
    ) throws(ZooKeeperError) {
        if tree.quotas.isEmpty { return }
        guard let root = tree.quotas.root(of: Path([UInt8](copying: path))),
            let limitsID = tree.find(QuotaTable.limitsPath(of: root))
        else { return }
        guard let text = tree.data(of: limitsID), let limits = QuotaText(text) else {
            if settings.enforceQuota { throw .marshallingError }
            return
        }
        var usage = QuotaText(count: 0, bytes: 0)
        if let statsID = tree.find(QuotaTable.statsPath(of: root)) {
            usage = QuotaText(tree.data(of: statsID) ?? []) ?? usage
        }
        // A client may have written any number there.
        usage.count &+= Int64(nodes)
        usage.bytes &+= Int64(bytes)
        let countExcess = nodes > 0 ? limits.countExcess(of: usage.count, root) : nil
        guard let excess = countExcess ?? limits.byteExcess(of: usage.bytes, root) else { return }
        tell(excess, at: asker.time)
        if settings.enforceQuota && excess.limit.isHard {
            statistics.quotaExceeded[ByteString(Array(root.topName)), default: 0] += 1
            throw .quotaExceeded
        }
    }

    /// At most once a minute for each quota, as a client that is over one goes on writing.
    private mutating func tell(_ excess: QuotaExcess, at time: Int64) {
        let minute: Int64 = 60_000
        if let last = quotaNoticeTimes[excess.root], time - last < minute { return }
        quotaNoticeTimes[excess.root] = time
        notices.append(.quotaExceeded(excess))
    }
}

extension QuotaExcess.Limit {
    fileprivate var isHard: Bool { self == .countHardLimit || self == .byteHardLimit }
}

extension QuotaText {
    fileprivate func countExcess(of wanted: Int64, _ root: Path) -> QuotaExcess? {
        QuotaExcess(
            root, wanted, soft: (.count, count), hard: (.countHardLimit, countHardLimit))
    }

    fileprivate func byteExcess(of wanted: Int64, _ root: Path) -> QuotaExcess? {
        QuotaExcess(root, wanted, soft: (.bytes, bytes), hard: (.byteHardLimit, byteHardLimit))
    }
}

extension QuotaExcess {
    /// Nil if it is none. A hard limit takes the place of the soft one; -1 is no limit.
    fileprivate init?(
        _ root: Path, _ wanted: Int64, soft: (Limit, Int64), hard: (Limit, Int64)
    ) {
        let (limit, allowed) = hard.1 > -1 ? hard : soft
        guard allowed > -1, wanted > allowed else { return nil }
        self.init(root: root, limit: limit, allowed: allowed, wanted: wanted)
    }
}
