import AviaryWire

/// Reads a log file entry by entry, a window at a time.
///
/// Where Apache takes anything odd for the end of the file, this looks behind it: intact entries
/// after a damaged one are not given up in silence.
/// Source: FileTxnLog.FileTxnIterator.next, ZooKeeper 3.9.5.
struct LogReader: Sendable {
    let name: String
    private let size: Int
    private var window: [UInt8] = []
    private var windowStart = 0
    /// Where the next entry begins.
    private(set) var offset = LogFormat.headerByteCount

    private static let windowByteCount = 1 << 20

    enum Next {
        case entry(LogEntry)
        /// Zeros, or nothing at all.
        case end
        /// An entry that was not written to its end.
        case torn
    }

    init(name: String, size: Int) {
        self.name = name
        self.size = size
    }

    /// The first entry of a file, nil if it has none.
    static func firstEntry<Files: FileSystem & ~Copyable>(
        of name: String, in files: borrowing Files
    ) throws(StorageError) -> LogEntry? {
        guard let entry = try files.list().first(where: { $0.name == name }) else { return nil }
        var reader = LogReader(name: name, size: entry.size)
        guard try reader.checkHeader(files), case .entry(let first) = try reader.next(files) else {
            return nil
        }
        return first
    }

    /// - Returns: false if the file ends before the header does.
    mutating func checkHeader<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files
    ) throws(StorageError) -> Bool {
        guard try fill(files, from: 0, count: LogFormat.headerByteCount) else { return false }
        guard integer(at: 0, as: Int32.self) == LogFormat.magic else {
            throw damage(files, "does not begin as a transaction log does")
        }
        return true
    }

    mutating func next<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files
    ) throws(StorageError) -> Next {
        guard try fill(files, from: offset, count: LogFormat.prefixByteCount) else {
            return offset == size ? .end : .torn
        }
        let checksum = integer(at: offset, as: Int64.self)
        let length = Int(integer(at: offset + 8, as: Int32.self))
        if length == 0 { return checksum == 0 ? .end : .torn }
        guard length > 0 else { throw damage(files, "has an entry of negative length") }
        let payload = offset + LogFormat.prefixByteCount
        guard try fill(files, from: offset, count: length + LogFormat.frameByteCount) else {
            return .torn
        }
        let bytes = Array(window[payload - windowStart..<payload - windowStart + length])
        let isWhole = Adler32.checksum(bytes.raw) == checksum
        guard window[payload - windowStart + length] == LogFormat.terminator else {
            if isWhole, try isFollowedByEntry(files, at: payload + length + 1) {
                throw damage(files, "has lost the end mark of an entry that others follow")
            }
            return .torn
        }
        guard isWhole else {
            throw damage(files, "has an entry whose checksum does not match its bytes")
        }
        var reader = JuteReader(bytes.raw)
        do throws(WireError) {
            let entry = try LogEntry(from: &reader)
            offset = payload + length + 1
            return .entry(entry)
        } catch {
            throw damage(files, "has an entry that is no transaction (\(error))")
        }
    }

    /// Whether something with a right checksum stands at an offset.
    private mutating func isFollowedByEntry<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files, at start: Int
    ) throws(StorageError) -> Bool {
        guard try fill(files, from: start, count: LogFormat.prefixByteCount) else { return false }
        let checksum = integer(at: start, as: Int64.self)
        let length = Int(integer(at: start + 8, as: Int32.self))
        guard length > 0, try fill(files, from: start, count: length + LogFormat.frameByteCount)
        else { return false }
        let payload = start + LogFormat.prefixByteCount - windowStart
        return Adler32.checksum(Array(window[payload..<payload + length]).raw) == checksum
    }

    private func damage<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files, _ what: String
    ) -> StorageError {
        StorageError(
            .corrupt,
            "\(files.directory)/\(name) \(what), at offset \(offset); restore the file from a "
                + "backup, or move it and all later logs away to go on without what they hold")
    }

    // MARK: The window

    /// Sees that so many bytes from an offset are in the window.
    ///
    /// - Returns: false if the file is shorter.
    private mutating func fill<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files, from start: Int, count: Int
    ) throws(StorageError) -> Bool {
        if start >= windowStart && start + count <= windowStart + window.count { return true }
        guard start + count <= size else { return false }
        let wanted = min(max(count, Self.windowByteCount), size - start)
        window = try files.read(name, at: start, count: wanted)
        windowStart = start
        return window.count >= count
    }

    private func integer<Value: FixedWidthInteger>(at position: Int, as type: Value.Type) -> Value {
        let start = position - windowStart
        return window[start..<start + type.bitWidth / 8].reduce(0) { $0 << 8 | Value($1) }
    }
}
