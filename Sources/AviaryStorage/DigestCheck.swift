import AviaryWire

/// Compares the tree's digest with what snapshot and log say of it.
struct DigestCheck: Sendable {
    /// Before this the tree of a fuzzy snapshot matches nothing; nil if that is not known.
    private var comparedFrom: Zxid? = .zero
    private var mismatches = 0
    private var first: Zxid?

    mutating func begin(_ zxid: Zxid, _ trailer: SnapshotReader.Trailer, _ digest: UInt64) {
        // In a fuzzy snapshot the transaction after that of its digest may have been half applied.
        comparedFrom = trailer.digestZxid.map { $0 == zxid ? $0 : $0.next }
        if trailer.digestZxid == zxid { compare(trailer.digest, digest, after: zxid) }
    }

    mutating func replayed(_ entry: LogEntry, _ digest: UInt64) {
        guard let expected = entry.digest, expected.version == TxnDigest.currentVersion,
            let comparedFrom, entry.header.zxid >= comparedFrom
        else { return }
        compare(expected.treeDigest, digest, after: entry.header.zxid)
    }

    private mutating func compare(_ expected: UInt64, _ found: UInt64, after zxid: Zxid) {
        if expected == found { return }
        mismatches += 1
        if first == nil { first = zxid }
    }

    var notes: [String] {
        guard let first else { return [] }
        return [
            "the tree differs from what other servers had after \(mismatches) transactions, first "
                + "after \(first)"
        ]
    }
}
