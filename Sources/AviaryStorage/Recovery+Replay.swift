import AviaryCore
import AviaryWire

/// What is to be put right in the last log, once everything could be read.
struct LogRepair: Hashable, Sendable {
    enum Action: Hashable, Sendable {
        /// Nothing was written to it.
        case remove
        /// An entry was not written to its end.
        case cut
        /// Only the end mark of the last entry is missing; `offset` is behind it.
        case mark
        /// All entries are whole; the room that was reserved is given back.
        case shorten
    }

    let action: Action
    let log: LogFile
    let offset: Int
}

extension Recovery {
    /// Applies what the logs have after the snapshot.
    ///
    /// Source: FileTxnLog.getLogFiles and FileTxnSnapLog.fastForwardFromEdits, ZooKeeper 3.9.5.
    mutating func replay<Files: FileSystem & ~Copyable>(
        _ logs: [LogFile], into tree: inout DataTree, _ files: borrowing Files
    ) throws(StorageError) -> [LogRepair] {
        let start = logs.lastIndex { $0.zxid <= tree.lastProcessedZxid } ?? 0
        var repairs: [LogRepair] = []
        for log in logs.dropFirst(start) {
            let repair = try replay(log, into: &tree, files)
            if log == logs.last {
                if let repair { repairs.append(repair) }
            } else if let repair {
                try checkEarlier(repair, files)
            }
        }
        return repairs
    }

    private mutating func replay<Files: FileSystem & ~Copyable>(
        _ log: LogFile, into tree: inout DataTree, _ files: borrowing Files
    ) throws(StorageError) -> LogRepair? {
        var reader = LogReader(log)
        guard try reader.checkHeader(files) else {
            return LogRepair(action: .remove, log: log, offset: 0)
        }
        while true {
            let offset = reader.offset
            switch try reader.next(files) {
            case .entry(let entry): try apply(entry, of: log, at: offset, to: &tree, files)
            case .unmarked(let entry):
                try apply(entry, of: log, at: offset, to: &tree, files)
                return LogRepair(action: .mark, log: log, offset: reader.offset)
            case .torn: return LogRepair(action: .cut, log: log, offset: offset)
            case .end:
                if offset == log.size { return nil }
                return LogRepair(action: .shorten, log: log, offset: offset)
            }
        }
    }

    /// A log that others follow stays as it is. Its end may be torn: the server that went on after
    /// the crash had not acknowledged that entry. It may not be missing as a whole.
    private mutating func checkEarlier<Files: FileSystem & ~Copyable>(
        _ repair: LogRepair, _ files: borrowing Files
    ) throws(StorageError) {
        let name = repair.log.name
        switch repair.action {
        case .shorten: return
        case .cut: notes.append("\(name) ends in a torn entry at \(repair.offset)")
        case .mark, .remove:
            let what = repair.action == .mark ? "lacks its last end mark" : "is empty"
            throw StorageError(
                .corrupt,
                "\(files.directory)/\(name) \(what) at offset \(repair.offset) but other logs "
                    + "follow it; restore it, or move all later logs away to go on without them",
                file: name, offset: repair.offset)
        }
    }

    private mutating func apply<Files: FileSystem & ~Copyable>(
        _ entry: LogEntry, of log: LogFile, at offset: Int, to tree: inout DataTree,
        _ files: borrowing Files
    ) throws(StorageError) {
        let zxid = entry.header.zxid
        let last = tree.lastProcessedZxid
        if zxid <= last { return }
        // An epoch's first transaction has the counter 1.
        let expected = zxid.epoch == last.epoch ? last.next : Zxid(epoch: zxid.epoch, counter: 1)
        guard zxid == expected else {
            throw StorageError(
                .missing,
                "\(files.directory)/\(log.name) goes on with \(zxid) at offset \(offset) where "
                    + "\(expected) should follow \(last): the transactions between are missing; "
                    + "restore the logs or the snapshot that held them", file: log.name,
                offset: offset)
        }
        _ = tree.apply(entry.header, entry.txn, firing: &events)
        events.removeAll(keepingCapacity: true)
        replayed += 1
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
                notes.append("removed \(name), which was never begun")
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
    fileprivate init(epoch: UInt32, counter: UInt32) {
        self.init(Int64(bitPattern: UInt64(epoch) << 32 | UInt64(counter)))
    }
}
