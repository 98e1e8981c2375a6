package import AviaryWire

/// What one transaction log holds, and what is wrong with it.
package struct LogCheck: Hashable, Sendable {
    package struct Finding: Hashable, Sendable {
        package enum Kind: String, Hashable, Sendable {
            /// Bytes are not what was written.
            case damaged
            /// The last entry was not written to its end.
            case torn
            /// The last entry is whole but for its end mark.
            case unmarked
            /// There is not even a header.
            case empty
            /// Transactions are missing before an entry.
            case gap
            /// An entry's zxid is not above the one before it.
            case order
            /// The file's name has another zxid than its first entry.
            case misnamed
        }

        package let kind: Kind
        /// In bytes.
        package let offset: Int
        /// What is there.
        package let message: String
        /// What a start does that comes to it.
        package let consequence: String
    }

    package let file: String
    /// In bytes.
    package let size: Int
    /// Transactions.
    package private(set) var count = 0
    package private(set) var first: TxnHeader?
    package private(set) var last: TxnHeader?
    /// Where the last whole entry ends; behind it are zeros, if all is well.
    package private(set) var contentEnd = 0
    package private(set) var findings: [Finding] = []

    /// Checks logs one after the other, and that each goes on where the one before it ends.
    ///
    /// - Parameters:
    ///   - names: of the files to check; nil is all logs.
    ///   - body: called with each log in order, as soon as it was read.
    package static func checkLogs<Files: FileSystem & ~Copyable>(
        in files: borrowing Files, names: [String]? = nil, _ body: (LogCheck) -> Void
    ) throws(StorageError) {
        let logs = LogFile.sorted(try files.list())
        /// The last zxid before the next entry; nil if that is not known.
        var previous: Zxid?
        for log in logs {
            if let names, !names.contains(log.name) {
                previous = nil
                continue
            }
            var check = LogCheck(file: log.name, size: log.size)
            try check.read(log, after: previous, isLast: log == logs.last, files)
            previous = check.endsUnknown ? nil : check.last?.zxid ?? previous
            body(check)
        }
    }

    private init(file: String, size: Int) {
        self.file = file
        self.size = size
    }

    /// Whether entries may have been lost behind the last one.
    private var endsUnknown: Bool { findings.contains { $0.kind == .damaged || $0.kind == .empty } }

    private mutating func read<Files: FileSystem & ~Copyable>(
        _ log: LogFile, after previous: Zxid?, isLast: Bool, _ files: borrowing Files
    ) throws(StorageError) {
        var reader = LogReader(log)
        var previous = previous
        do throws(StorageError) {
            let repair = try reader.readAll(files) { entry, offset, _ throws(StorageError) in
                take(entry.header, at: offset, of: log, after: previous)
                previous = max(entry.header.zxid, previous ?? entry.header.zxid)
                return true
            }
            contentEnd = repair?.offset ?? size
            if let repair { note(repair, isLast: isLast, in: files.directory) }
        } catch {
            if error.code != .corrupt { throw error }
            contentEnd = error.offset ?? reader.offset
            add(
                .damaged, at: contentEnd, error.message,
                "a start that needs this log is refused")
        }
    }

    private mutating func take(
        _ header: TxnHeader, at offset: Int, of log: LogFile, after previous: Zxid?
    ) {
        if first == nil {
            first = header
            if header.zxid != log.zxid {
                add(
                    .misnamed, at: offset,
                    "the first entry is \(header.zxid), the name says \(log.zxid)",
                    "a start may take it for a log that it does not need")
            }
        }
        count += 1
        last = header
        guard let previous else { return }
        let expected = header.zxid.successor(of: previous)
        if header.zxid <= previous {
            add(
                .order, at: offset, "\(header.zxid) stands behind \(previous)",
                "a start passes over it")
        } else if header.zxid != expected {
            add(
                .gap, at: offset,
                "\(header.zxid) stands where \(expected) should follow \(previous)",
                "a start that needs what is missing is refused")
        }
    }

    private mutating func note(_ repair: LogRepair, isLast: Bool, in directory: String) {
        let refusal = isLast ? nil : repair.refusal(in: directory)
        let consequence =
            refusal.map { _ in "a start that needs this log is refused, because others follow it" }
            ?? (isLast ? repair.order : "a start goes on with the next log")
        switch repair.action {
        case .shorten: return
        case .cut: add(.torn, at: repair.offset, "an entry was not written to its end", consequence)
        case .mark: add(.unmarked, at: repair.offset, "the last end mark is missing", consequence)
        case .remove: add(.empty, at: repair.offset, "the file was never begun", consequence)
        }
    }

    private mutating func add(
        _ kind: Finding.Kind, at offset: Int, _ message: String, _ consequence: String
    ) {
        findings.append(
            Finding(kind: kind, offset: offset, message: message, consequence: consequence))
    }
}

extension LogRepair {
    /// What a start does, in words.
    package var order: String {
        switch action {
        case .remove: "a start removes \(log.name), which holds no transaction"
        case .cut:
            "a start cuts an entry that was not written to its end off \(log.name) at offset "
                + "\(offset), and keeps it as \(FileNames.torn(log.name, at: offset))"
        case .mark: "a start writes the end mark of the last entry of \(log.name)"
        case .shorten:
            "a start gives back \(log.size - offset) bytes that were reserved behind \(log.name)"
        }
    }
}
