package import AviaryCore
package import AviaryWire

/// What a leader may ask of a learner's past.
extension TransactionLog where Files: ~Copyable {
    /// Drops everything after a transaction, from log and snapshots.
    ///
    /// What is later goes from its end on, first the snapshots and then the log: after a crash there
    /// is what was before, or a beginning of it that ends no earlier than it should. The tree is to
    /// be recovered anew.
    /// Source: FileTxnLog.truncate, ZooKeeper 3.9.5, which keeps the snapshots and so what it was to
    /// drop (H.1), and does not see whether the transaction is there at all.
    ///
    /// - Throws: `missing`, with nothing changed, if log and snapshots do not lead to exactly this
    ///   transaction. After any error the server must not go on with what it has in memory.
    package mutating func truncate(
        after zxid: Zxid, in snapshots: inout SnapshotStore<Files>
    ) throws(StorageError) {
        try roll()
        try snapshots.removeAll(after: zxid)
        try cut(after: zxid)
        restart(after: zxid)
    }

    /// Makes a snapshot that a leader sent all there is; the log begins anew behind it.
    ///
    /// A crash leaves either all that was there before or the snapshot alone.
    ///
    /// - Throws: if the disk fails. It may be tried again, but nothing else may be done before it has
    ///   succeeded: the old log may be gone.
    /// - Parameter didWrite: called with the bytes of each piece, so that it can take its time.
    package mutating func replace(
        with snapshot: TreeSnapshot, in snapshots: inout SnapshotStore<Files>,
        didWrite: (Int) -> Void = { _ in }
    ) throws(StorageError) {
        try roll()
        try snapshots.install(snapshot, didWrite: didWrite)
        restart(after: snapshot.zxid)
    }

    /// - Precondition: no file is open.
    private mutating func cut(after zxid: Zxid) throws(StorageError) {
        let logs = LogFile.sorted(try files.list())
        // The newest first, each for good: a log that is missing among others ends the next start.
        for log in logs.reversed() where log.zxid > zxid {
            try files.remove(log.name)
            try files.syncDirectory()
        }
        for log in logs.reversed() where log.zxid <= zxid {
            let end = try end(of: log, after: zxid)
            if end > LogFormat.headerByteCount {
                try files.truncate(log.name, to: end)
                try files.sync(log.name)
                try files.close(log.name)
                break
            }
            // Begun, and never written to.
            try files.remove(log.name)
        }
        try files.syncDirectory()
    }

    /// Where in a log the last entry ends that is to stay.
    private func end(of log: LogFile, after zxid: Zxid) throws(StorageError) -> Int {
        var reader = LogReader(log)
        guard try reader.checkHeader(files) else { return 0 }
        while true {
            let start = reader.offset
            guard case .entry(let entry) = try reader.next(files), entry.header.zxid <= zxid else {
                return start
            }
            // What is behind it may be damaged.
            if entry.header.zxid == zxid { return reader.offset }
        }
    }
}
