package import AviaryWire

/// A transaction, and where it stands.
package struct LogRecord: Hashable, Sendable {
    package let file: String
    /// Of the entry in its file, in bytes.
    package let offset: Int
    package let entry: LogEntry
}

/// Goes through the transaction logs of a directory, also while a server writes them.
package struct LogCursor: Sendable {
    private var reader: LogReader?
    private var current: LogFile?
    private var ahead: [LogFile]
    /// Whether the header of the current file was seen.
    private var isBegun = false
    /// An entry without its end mark may still get it; until then it is not shown.
    private let isFollowing: Bool
    /// The newest log that was listed.
    private var newest: LogFile?
    /// How files ended, where they did not end behind a whole entry.
    package private(set) var ends: [LogRepair] = []

    /// - Parameters:
    ///   - names: of the files to read; nil is all logs.
    ///   - zxid: logs that end before it are left out.
    ///   - following: `refresh` will be called for what is appended later.
    package init<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files, names: [String]? = nil, from zxid: Zxid = .zero,
        following: Bool = false
    ) throws(StorageError) {
        let all = try LogFile.settled(in: files)
        let chosen = names.map { names in all.filter { names.contains($0.name) } } ?? all
        ahead = Array(chosen.dropFirst(chosen.lastIndex { $0.zxid <= zxid } ?? 0))
        isFollowing = following
        newest = ahead.last
    }

    /// The next transaction; nil if there is none, or none yet.
    ///
    /// - Throws: `corrupt`, and the place stays as it is, so that it can be tried again.
    package mutating func next<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files
    ) throws(StorageError) -> LogRecord? {
        while let file = current ?? advance() {
            guard var reader = try begin(file, files) else {
                if isFollowing && ahead.isEmpty { return nil }
                end(LogRepair(action: .remove, log: file, offset: 0))
                continue
            }
            let offset = reader.offset
            let next = try reader.next(files)
            switch next {
            case .entry(let entry):
                self.reader = reader
                return LogRecord(file: file.name, offset: offset, entry: entry)
            case .unmarked(let entry):
                if isFollowing && ahead.isEmpty { return nil }
                end(LogRepair(action: .mark, log: file, offset: reader.offset))
                return LogRecord(file: file.name, offset: offset, entry: entry)
            case .torn, .end:
                if isFollowing && ahead.isEmpty { return nil }
                let isTorn = if case .torn = next { true } else { false }
                end(LogRepair(action: isTorn ? .cut : .shorten, log: file, offset: offset))
            }
        }
        return nil
    }

    private mutating func advance() -> LogFile? {
        if ahead.isEmpty { return nil }
        current = ahead.removeFirst()
        reader = nil
        isBegun = false
        return current
    }

    /// The reader of a file behind its header; nil if the file has none yet.
    private mutating func begin<Files: FileSystem & ~Copyable>(
        _ file: LogFile, _ files: borrowing Files
    ) throws(StorageError) -> LogReader? {
        var reader = self.reader ?? LogReader(file)
        if !isBegun {
            isBegun = try reader.checkHeader(files)
            if !isBegun { return nil }
        }
        self.reader = reader
        return reader
    }

    private mutating func end(_ repair: LogRepair) {
        if repair.action != .shorten { ends.append(repair) }
        current = nil
        reader = nil
    }

    // MARK: Following

    /// Takes in what was written since; false if that is nothing.
    package mutating func refresh<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files
    ) throws(StorageError) -> Bool {
        let logs = try LogFile.settled(in: files)
        let later = logs.filter { log in newest.map { log.zxid > $0.zxid } ?? true }
        ahead += later
        newest = later.last ?? newest
        guard let current else { return !later.isEmpty }
        guard let now = logs.first(where: { $0.name == current.name }) else {
            // It was purged; what it held beyond this place is in later logs only.
            end(LogRepair(action: .shorten, log: current, offset: 0))
            return !later.isEmpty
        }
        let offset = reader?.offset ?? LogFormat.headerByteCount
        let isLonger = isBegun ? try hasContent(now, at: offset, files) : true
        self.current = now
        reader = isBegun ? LogReader(now, at: offset) : nil
        return isLonger || !later.isEmpty
    }

    /// A look at the first bytes: the zeros that a server reserves are not read each time.
    private func hasContent<Files: FileSystem & ~Copyable>(
        _ file: LogFile, at offset: Int, _ files: borrowing Files
    ) throws(StorageError) -> Bool {
        let bytes = try files.read(file.name, at: offset, count: LogFormat.prefixByteCount)
        return bytes.contains { $0 != 0 }
    }
}

package enum LogName {
    /// The names of a directory's logs, by ascending zxid.
    package static func all<Files: FileSystem & ~Copyable>(
        in files: borrowing Files
    ) throws(StorageError) -> [String] {
        LogFile.sorted(try files.list()).map(\.name)
    }

    /// What an operator should hear who named a directory without logs: they may be elsewhere.
    package static func noteThatNoneIs(in directory: String) -> String {
        "there is no log in \(directory); if the server has a dataLogDir, name it with --log-dir"
    }
}
