import AviaryCore
import AviaryWire

/// What is to be put right in the last log, once everything could be read.
package struct LogRepair: Hashable, Sendable {
    package enum Action: Hashable, Sendable {
        /// It holds no entry.
        case remove
        /// An entry was not written to its end.
        case cut
        /// Only the end mark of the last entry is missing; `offset` is behind it.
        case mark
        /// All entries are whole; the room that was reserved is given back.
        case shorten
    }

    package let action: Action
    let log: LogFile
    package let offset: Int

    package var file: String { log.name }

    /// Why a start ends if other logs follow this one; nil if it goes on.
    ///
    /// The end of an earlier log may be torn: the server that went on after the crash had not
    /// acknowledged that entry. It may not be missing as a whole.
    func refusal(in directory: String) -> StorageError? {
        let what: String
        switch action {
        case .shorten, .cut: return nil
        case .mark: what = "lacks its last end mark"
        case .remove: what = "is empty"
        }
        return StorageError(
            .corrupt,
            "\(directory)/\(log.name) \(what) at offset \(offset) but other logs follow it; restore "
                + "it, or move all later logs away to go on without them",
            file: log.name, offset: offset)
    }
}

/// What a log was found to be.
private struct LogEnd {
    let log: LogFile
    let repair: LogRepair?

    var hasEntries: Bool { (repair?.offset ?? log.size) > LogFormat.headerByteCount }
}

extension Recovery {
    /// Applies what the logs have after the snapshot.
    ///
    /// Source: FileTxnLog.getLogFiles and FileTxnSnapLog.fastForwardFromEdits, ZooKeeper 3.9.5.
    mutating func replay<Files: FileSystem & ~Copyable>(
        _ logs: [LogFile], into tree: inout DataTree, _ files: borrowing Files
    ) throws(StorageError) -> [LogRepair] {
        let start = logs.lastIndex { $0.zxid <= tree.lastProcessedZxid } ?? 0
        var ends: [LogEnd] = []
        for log in logs.dropFirst(start) {
            if let limit = settings.limit, tree.lastProcessedZxid >= limit { break }
            self.logs.append(ReplayedLog(name: log.name))
            ends.append(LogEnd(log: log, repair: try replay(log, into: &tree, files)))
        }
        return try repairs(of: ends, in: files.directory)
    }

    /// The last log that holds anything is where the last write was; those behind it go.
    ///
    /// A member may have begun a log for an epoch of which it holds nothing in the end, and go on with
    /// what was before that epoch, in a log with a lower name.
    private mutating func repairs(
        of ends: [LogEnd], in directory: String
    ) throws(StorageError) -> [LogRepair] {
        var ends = ends
        var repairs: [LogRepair] = []
        while let end = ends.last, !end.hasEntries {
            if let repair = end.repair, repair.action == .cut { repairs.append(repair) }
            repairs.append(LogRepair(action: .remove, log: end.log, offset: 0))
            ends.removeLast()
        }
        guard let last = ends.popLast() else { return repairs }
        if let repair = last.repair { repairs.append(repair) }
        for end in ends {
            guard let repair = end.repair else { continue }
            if let refusal = repair.refusal(in: directory) { throw refusal }
            if repair.action == .cut {
                notes.append("\(end.log.name) ends in a torn entry at \(repair.offset)")
            }
        }
        return repairs
    }

    private mutating func replay<Files: FileSystem & ~Copyable>(
        _ log: LogFile, into tree: inout DataTree, _ files: borrowing Files
    ) throws(StorageError) -> LogRepair? {
        let limit = settings.limit ?? Zxid(.max)
        var reader = LogReader(log)
        return try reader.readAll(files) { entry, offset, reader throws(StorageError) in
            if entry.header.zxid > limit { return false }
            if settings.historyLimit > 0 { remember(entry.header.zxid, reader) }
            try apply(entry, of: log, at: offset, to: &tree, files)
            // What is behind the limit may be damaged.
            return entry.header.zxid < limit
        }
    }

    /// Keeps an entry for the history.
    ///
    /// Of what is before the snapshot, only its own epoch counts: one leader made all of that, in
    /// order. What the log has of an earlier epoch may never have been committed, if the snapshot came
    /// from another server.
    private mutating func remember(_ zxid: Zxid, _ reader: LogReader) {
        if let last = recent.last, zxid <= last { return }
        if let start, zxid <= start.zxid && zxid.epoch != start.zxid.epoch { return }
        recent.append(LoggedEntry(zxid: zxid, payload: reader.payload))
    }

    private mutating func apply<Files: FileSystem & ~Copyable>(
        _ entry: LogEntry, of log: LogFile, at offset: Int, to tree: inout DataTree,
        _ files: borrowing Files
    ) throws(StorageError) {
        let zxid = entry.header.zxid
        let last = tree.lastProcessedZxid
        if zxid <= last { return }
        let expected = zxid.successor(of: last)
        guard zxid == expected else {
            throw StorageError(
                .missing,
                "\(files.directory)/\(log.name) goes on with \(zxid) at offset \(offset) where "
                    + "\(expected) should follow \(last): the transactions between are missing; "
                    + "restore the logs or the snapshot that held them", file: log.name,
                offset: offset)
        }
        tree.apply(entry.header, entry.txn)
        replayed += 1
        logs[logs.count - 1].count += 1
        digests.replayed(entry, tree.digest)
    }

    // MARK: Putting the last log right

    mutating func carryOut<Files: FileSystem & ~Copyable>(
        _ repairs: [LogRepair], _ files: inout Files
    ) throws(StorageError) {
        for repair in repairs {
            let name = repair.log.name
            switch repair.action {
            case .remove:
                try files.remove(name)
                notes.append("removed \(name), which holds no transaction")
            case .cut: try cut(repair, &files)
            case .mark:
                let mark = [LogFormat.terminator]
                try files.write(mark.raw, to: name, at: repair.offset - 1)
                try files.truncate(name, to: repair.offset)
                notes.append("completed the last entry of \(name), which lacked its end mark")
            case .shorten: try files.truncate(name, to: repair.offset)
            }
            if repair.action == .remove { continue }
            try files.sync(name)
            try files.close(name)
        }
    }

    /// Ends a log before an entry that was not written to its end, and keeps what is cut off.
    private mutating func cut<Files: FileSystem & ~Copyable>(
        _ repair: LogRepair, _ files: inout Files
    ) throws(StorageError) {
        let name = repair.log.name
        let copy = FileNames.torn(name, at: repair.offset)
        var window = FileWindow(name: name, size: repair.log.size)
        let end = try window.endOfContent(files, from: repair.offset) ?? repair.offset
        try files.create(copy)
        var offset = repair.offset
        while offset < end, try window.fill(files, from: offset, count: 1) {
            let pieceEnd = min(window.end, end)
            let piece = window.read(offset..<pieceEnd) { [UInt8](copying: $0) }
            try files.write(piece.raw, to: copy, at: offset - repair.offset)
            offset = pieceEnd
        }
        try files.sync(copy)
        try files.close(copy)
        try files.syncDirectory()
        try files.truncate(name, to: repair.offset)
        notes.append(
            "cut an entry that was not written to its end, and so not acknowledged, off \(name) at "
                + "offset \(repair.offset); kept it as \(copy)")
    }
}

extension Zxid {
    /// What has to be here if it follows another without a gap: the next one, or the first of a later
    /// epoch, which has the counter 1.
    func successor(of last: Zxid) -> Zxid {
        epoch == last.epoch ? last.next : Zxid(epoch: epoch, counter: 1)
    }

    private init(epoch: UInt32, counter: UInt32) {
        self.init(Int64(bitPattern: UInt64(epoch) << 32 | UInt64(counter)))
    }
}
