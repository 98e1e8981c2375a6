import AviaryWire
import NIOCore

/// Reads a log file entry by entry, a window at a time.
///
/// Where Apache takes anything odd for the end of the file, this looks behind it: no intact entry
/// is given up in silence, and none is hidden by one damaged byte.
/// Source: FileTxnLog.FileTxnIterator.next, ZooKeeper 3.9.5.
struct LogReader: Sendable {
    private let file: LogFile
    private var window: FileWindow
    /// Where the next entry begins.
    private(set) var offset: Int
    /// Of the last entry; in the window until the next one is read.
    private var payloadOffsets = 0..<0

    enum Next {
        case entry(LogEntry)
        /// A whole entry but for its end mark, and nothing behind it: the last write stopped there.
        case unmarked(LogEntry)
        /// Zeros, or nothing at all.
        case end
        /// An entry that was not written to its end.
        case torn
    }

    /// What the prefix of an entry claims; nothing of it is believed yet.
    private struct Frame {
        let checksum: Int64
        let payload: Range<Int>
        var end: Int { payload.upperBound + 1 }
    }

    /// - Parameter offset: where an entry begins.
    init(_ file: LogFile, at offset: Int = LogFormat.headerByteCount) {
        self.file = file
        self.offset = offset
        window = FileWindow(name: file.name, size: file.size)
    }

    /// The last entry's bytes as they stand in the file, without its frame.
    ///
    /// - Precondition: an entry was just read.
    var payload: ByteBuffer {
        precondition(!payloadOffsets.isEmpty, "an entry was read")
        return window.read(payloadOffsets) { bytes in
            var payload = ByteBuffer()
            payload.reserveCapacity(bytes.byteCount)
            payload.writeBytes(bytes)
            return payload
        }
    }

    /// Calls `body` for each entry of the file, with its offset and this reader, until that returns
    /// false.
    ///
    /// - Returns: what is to be put right at the end of the file if it is the last one; nil if there
    ///   is nothing, or `body` stopped.
    mutating func readAll<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files,
        _ body: (LogEntry, _ offset: Int, LogReader) throws(StorageError) -> Bool
    ) throws(StorageError) -> LogRepair? {
        guard try checkHeader(files) else {
            return LogRepair(action: .remove, log: file, offset: 0)
        }
        while true {
            let start = offset
            switch try next(files) {
            case .entry(let entry):
                if try !body(entry, start, self) { return nil }
            case .unmarked(let entry):
                if try !body(entry, start, self) { return nil }
                return LogRepair(action: .mark, log: file, offset: offset)
            case .torn: return LogRepair(action: .cut, log: file, offset: start)
            case .end:
                if start == file.size { return nil }
                return LogRepair(action: .shorten, log: file, offset: start)
            }
        }
    }

    /// Whether a file has any transaction in it.
    static func hasEntries<Files: FileSystem & ~Copyable>(
        _ file: LogFile, in files: borrowing Files
    ) throws(StorageError) -> Bool {
        var reader = LogReader(file)
        guard try reader.checkHeader(files) else { return false }
        switch try reader.next(files) {
        case .entry, .unmarked: return true
        case .end, .torn: return false
        }
    }

    /// - Returns: false if the file was never begun: it ends, or is all zeros, before the header is
    ///   complete.
    mutating func checkHeader<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files
    ) throws(StorageError) -> Bool {
        let header = LogFormat.header
        if try window.fill(files, from: 0, count: header.count),
            window.integer(at: 0, as: Int32.self) == LogFormat.magic
        {
            return true
        }
        guard let end = try window.endOfContent(files, from: 0) else { return false }
        if end < header.count, try window.fill(files, from: 0, count: end),
            window.read(0..<end, { [UInt8](copying: $0) }) == Array(header[..<end])
        {
            return false
        }
        throw damage(files, "does not begin as a transaction log does", at: 0)
    }

    mutating func next<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files
    ) throws(StorageError) -> Next {
        guard let frame = try frame(files),
            try window.fill(
                files, from: offset, count: frame.end - offset),
            window.byte(at: frame.payload.upperBound) == LogFormat.terminator
        else { return try judgeEnd(files) }
        guard isIntact(frame) else {
            throw damage(files, "has an entry whose checksum does not match its bytes")
        }
        return .entry(try take(frame, files))
    }

    /// Nil if there is no room for one, or its length is still zero.
    private mutating func frame<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files
    ) throws(StorageError) -> Frame? {
        guard try window.fill(files, from: offset, count: LogFormat.prefixByteCount) else {
            return nil
        }
        let length = Int(window.integer(at: offset + 8, as: Int32.self))
        if length == 0 { return nil }
        if length < 0 { throw damage(files, "has an entry of negative length") }
        let start = offset + LogFormat.prefixByteCount
        return Frame(
            checksum: window.integer(at: offset, as: Int64.self), payload: start..<start + length)
    }

    /// - Precondition: the payload is in the window.
    private func isIntact(_ frame: Frame) -> Bool {
        window.checksum(of: frame.payload) == frame.checksum
    }

    private mutating func take<Files: FileSystem & ~Copyable>(
        _ frame: Frame, _ files: borrowing Files
    ) throws(StorageError) -> LogEntry {
        do throws(WireError) {
            let (entry, _) = try window.decode(frame.payload) { reader throws(WireError) in
                try LogEntry(from: &reader)
            }
            offset = frame.end
            payloadOffsets = frame.payload
            return entry
        } catch {
            throw damage(files, "has an entry that is no transaction", cause: "\(error)")
        }
    }

    private func damage<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files, _ what: String, at place: Int? = nil, cause: String? = nil
    ) -> StorageError {
        let place = place ?? offset
        let reason = cause.map { " (\($0))" } ?? ""
        return StorageError(
            .corrupt,
            "\(files.directory)/\(window.name) \(what)\(reason), at offset \(place); restore the "
                + "file from a backup or let another server's data take its place; to go on "
                + "without what it held from there on, cut the file at \(place) and move all later "
                + "logs away",
            file: window.name, offset: place, cause: cause)
    }
}

// MARK: - Where the entries end

extension LogReader {
    /// What stands where no entry can be read: nothing, what a crash left of the last write, or
    /// damage.
    private mutating func judgeEnd<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files
    ) throws(StorageError) -> Next {
        guard let contentEnd = try window.endOfContent(files, from: offset) else { return .end }
        let frame = try frame(files)
        if let frame, frame.payload.upperBound <= window.size,
            try window.fill(files, from: offset, count: frame.payload.upperBound - offset),
            isIntact(frame)
        {
            if contentEnd <= frame.payload.upperBound { return .unmarked(try take(frame, files)) }
            throw damage(files, "has an entry whose end mark was damaged")
        }
        let claimedEnd = frame?.end ?? offset + LogFormat.prefixByteCount
        if contentEnd > claimedEnd, let intact = try findEntry(files, before: contentEnd) {
            throw damage(
                files, "has an entry that cannot be read, and an intact one behind it at \(intact)")
        }
        if try isOfAnotherLength(files, before: contentEnd) {
            throw damage(files, "has an entry whose length was damaged")
        }
        return .torn
    }

    /// Where behind the entry that cannot be read an intact one begins.
    private mutating func findEntry<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files, before contentEnd: Int
    ) throws(StorageError) -> Int? {
        var start = offset + 1
        while start + LogFormat.smallestEntryByteCount <= contentEnd {
            guard try window.fill(files, from: start, count: LogFormat.smallestEntryByteCount)
            else { return nil }
            let length = Int(window.integer(at: start + 8, as: Int32.self))
            let end = start + length + LogFormat.frameByteCount
            if window.integer(at: start, as: Int32.self) == 0,
                length >= LogFormat.smallestPayloadByteCount, end <= contentEnd,
                try window.fill(files, from: start, count: end - start),
                window.byte(at: end - 1) == LogFormat.terminator,
                isIntact(
                    Frame(
                        checksum: window.integer(at: start, as: Int64.self),
                        payload: start + LogFormat.prefixByteCount..<end - 1))
            {
                return start
            }
            start += 1
        }
        return nil
    }

    /// Whether the entry is whole if only its length were another: then that was damaged, and no
    /// write stopped in it.
    private mutating func isOfAnotherLength<Files: FileSystem & ~Copyable>(
        _ files: borrowing Files, before contentEnd: Int
    ) throws(StorageError) -> Bool {
        guard contentEnd - offset >= LogFormat.smallestEntryByteCount,
            try window.fill(files, from: offset, count: contentEnd - offset)
        else { return false }
        let checksum = window.integer(at: offset, as: Int64.self)
        var sums = Adler32()
        for place in offset + LogFormat.prefixByteCount..<contentEnd {
            if sums.value == checksum, window.byte(at: place) == LogFormat.terminator {
                return true
            }
            window.add(place..<place + 1, to: &sums)
        }
        return false
    }
}
