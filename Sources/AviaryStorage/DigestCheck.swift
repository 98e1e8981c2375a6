import AviaryWire

/// Compares the tree's digest with what snapshot and log say of it.
struct DigestCheck: Sendable {
    /// Before this the tree of a fuzzy snapshot matches nothing; nil if that is not known.
    private var comparedFrom: Zxid? = .zero
    /// The tree of a snapshot does not match the snapshot's own digest. Part of the next transaction
    /// may be in it; then that one puts it right.
    private var suspect: Zxid?
    private var mismatches = 0
    private var first: Zxid?

    mutating func begin(_ zxid: Zxid, _ trailer: SnapshotReader.Trailer, _ digest: UInt64) {
        comparedFrom = trailer.digestZxid?.next
        if trailer.digestZxid == zxid && trailer.digest != digest { suspect = zxid }
    }

    mutating func replayed(_ entry: LogEntry, _ digest: UInt64) {
        guard let expected = entry.digest, expected.version == TxnDigest.currentVersion,
            let comparedFrom, entry.header.zxid >= comparedFrom
        else { return }
        if expected.treeDigest == digest {
            suspect = nil
        } else {
            mismatches += 1
            if first == nil { first = entry.header.zxid }
        }
    }

    var notes: [String] {
        let mismatches = suspect == nil ? mismatches : mismatches + 1
        guard let first = suspect ?? first else { return [] }
        return [
            "the tree differs from what other servers had after \(mismatches) transactions, first "
                + "after \(first)"
        ]
    }
}
