import AviaryWire

extension ServerCore {
    /// Lists the ephemerals that the session will have when this is applied, and takes them out of
    /// what later writes will find.
    ///
    /// A session may have very many, so those that no outstanding write has touched get no record
    /// each: they are known to go by their owner.
    /// Source: PrepRequestProcessor.pRequest2Txn, case closeSession, ZooKeeper 3.9.5.
    mutating func prepareCloseSession(_ id: SessionID, zxid: Zxid) -> Txn {
        let owner = NodeOwner.session(id)
        let touched = outstanding.records(of: owner)
        var paths: [Path] = []
        var digest: UInt64 = 0
        // The children that go, by parent; siblings come one after the other more often than not.
        var parent: (path: ArraySlice<UInt8>, count: Int32) = ([], 0)
        for id in (tree.ephemerals[id] ?? []).sorted() {
            let path = tree.path(of: id)
            // Touched, or no longer this session's: another may have made it anew since.
            let span = path.bytes.raw
            if outstanding.find(span, hash: tree.hasher.hash(span)) != nil { continue }
            paths.append(path)
            digest &+= tree.digestValue(of: id)
            let parentPath = path.bytes[..<(path.parentLength ?? 0)]
            if parentPath != parent.path {
                loseChildren(parent.count, of: Array(parent.path), zxid: zxid)
                parent = (parentPath, 0)
            }
            parent.count += 1
        }
        loseChildren(parent.count, of: Array(parent.path), zxid: zxid)
        for (path, state) in touched where state.exists {
            paths.append(path)
            loseChildren(1, of: Array(path.bytes[..<(path.parentLength ?? 0)]), zxid: zxid)
            var gone = state
            gone.exists = false
            note(gone, at: path.bytes.raw, before: state, zxid: zxid)
        }
        outstanding.end(owner, digest: digest, zxid: zxid)
        // A transaction that nobody can read ends an ensemble (ZOOKEEPER-4306). Without the list every
        // server, Apache's too, finds the same nodes by their owner.
        let txn = Txn.closeSession(ephemerals: paths)
        let byteCount = LogEntry.frameByteCount + txn.byteCount(type: .closeSession)
        let isTooLong = byteCount > settings.maximumTransactionBytes
        return isTooLong ? .closeSession(ephemerals: []) : txn
    }

    private mutating func loseChildren(_ count: Int32, of path: [UInt8], zxid: Zxid) {
        guard count > 0, let before = state(of: path.raw) else { return }
        var parent = before
        parent.stat.pzxid = zxid
        parent.numChildren -= count
        note(parent, at: path.raw, before: before, zxid: zxid)
    }
}
