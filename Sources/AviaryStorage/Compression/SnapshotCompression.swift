import AviaryWire

/// How a snapshot is packed; its name says so.
///
/// Source: SnapStream, ZooKeeper 3.9.5 (`snapshot.compression.method`).
package enum SnapshotCompression: String, Hashable, Sendable, CaseIterable {
    case none = ""
    case gz
    case snappy

    /// What follows the zxid in the file's name.
    var suffix: String { self == .none ? "" : ".\(rawValue)" }
}

/// Packs the pieces of a snapshot as they are written.
struct SnapshotCompressor {
    private enum Method {
        case gz(Gzip)
        case snappy
    }

    private let method: Method
    /// What does not fill a block yet.
    private var rest: [UInt8] = []

    /// Nil for a snapshot that is not packed.
    init?(_ compression: SnapshotCompression) {
        switch compression {
        case .none: return nil
        case .gz: method = .gz(Gzip())
        case .snappy: method = .snappy
        }
    }

    /// What stands before the first piece.
    var head: [UInt8] {
        if case .snappy = method { return SnappyStream.head }
        return []
    }

    /// - Returns: what is to be written next; it may be nothing.
    mutating func add(_ bytes: [UInt8], isLast: Bool) -> [UInt8] {
        switch method {
        case .gz(let stream): return stream.add(bytes, isLast: isLast)
        case .snappy:
            rest += bytes
            var output: [UInt8] = []
            var start = 0
            while rest.count - start >= SnappyStream.blockByteCount
                || (isLast && start < rest.count)
            {
                let end = min(rest.count, start + SnappyStream.blockByteCount)
                let block = Snappy.compress(rest[start..<end])
                output += SnappyStream.length(block.count) + block
                start = end
            }
            rest.removeFirst(start)
            return output
        }
    }
}

/// The stream of snappy-java around the blocks: a head, then each block with its length before it.
enum SnappyStream {
    static let magic: [UInt8] = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]
    /// The magic, a version, and the least version that can read it.
    static let head = magic + length(1) + length(1)
    /// Uncompressed.
    static let blockByteCount = 32 << 10
    /// What is taken for a block when it is read.
    static let maximumBlockByteCount = 1 << 20

    static func length(_ count: Int) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(count >> $0 & 0xff) }
    }
}

/// All that a compressed snapshot holds.
///
/// It is held in memory while it is read: the sections behind the tree are told by how many bytes are
/// left.
struct DecompressedSnapshot: Sendable {
    private var pieces: [[UInt8]] = []
    /// Where each piece begins.
    private var starts: [Int] = []
    private(set) var count = 0

    private static let readByteCount = 1 << 20

    /// Nil for a snapshot that is not compressed.
    init?<Files: FileSystem & ~Copyable>(
        _ file: SnapshotFile, _ files: borrowing Files
    ) throws(StorageError) {
        switch file.compression {
        case .none: return nil
        case .gz: try readGzip(file, files)
        case .snappy: try readSnappy(file, files)
        }
    }

    /// Fewer bytes than asked for at the end, and only there.
    func read(at offset: Int, count: Int) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(min(count, max(0, self.count - offset)))
        var index = (starts.partitioningIndex { $0 > offset }) - 1
        var offset = offset
        while result.count < count, pieces.indices.contains(index) {
            let inside = offset - starts[index]
            let part = pieces[index].dropFirst(inside).prefix(count - result.count)
            result += part
            offset += part.count
            index += 1
        }
        return result
    }

    private mutating func add(_ piece: [UInt8]) {
        if piece.isEmpty { return }
        starts.append(count)
        pieces.append(piece)
        count += piece.count
    }

    private mutating func readGzip<Files: FileSystem & ~Copyable>(
        _ file: SnapshotFile, _ files: borrowing Files
    ) throws(StorageError) {
        let stream = Gunzip()
        var offset = 0
        while offset < file.size && !stream.isAtEnd {
            let bytes = try files.read(file.name, at: offset, count: Self.readByteCount)
            offset += bytes.count
            if bytes.isEmpty || !stream.add(bytes, { add($0) }) { break }
        }
        if !stream.isAtEnd { throw damage(file, files, offset) }
    }

    private mutating func readSnappy<Files: FileSystem & ~Copyable>(
        _ file: SnapshotFile, _ files: borrowing Files
    ) throws(StorageError) {
        var window = FileWindow(name: file.name, size: file.size)
        let headCount = SnappyStream.head.count
        guard try window.fill(files, from: 0, count: headCount),
            window.read(0..<SnappyStream.magic.count, { [UInt8](copying: $0) })
                == SnappyStream.magic
        else { throw damage(file, files, 0) }
        var offset = headCount
        while offset < file.size {
            guard try window.fill(files, from: offset, count: 4) else {
                throw damage(file, files, offset)
            }
            let length = Int(window.integer(at: offset, as: UInt32.self))
            guard length <= SnappyStream.maximumBlockByteCount,
                try window.fill(files, from: offset + 4, count: length)
            else { throw damage(file, files, offset) }
            do throws(Snappy.Damage) {
                add(
                    try window.read(offset + 4..<offset + 4 + length) {
                        bytes throws(Snappy.Damage) in
                        try Snappy.decompress(bytes, limit: SnappyStream.maximumBlockByteCount)
                    })
            } catch {
                throw damage(file, files, offset)
            }
            offset += 4 + length
        }
    }

    private func damage<Files: FileSystem & ~Copyable>(
        _ file: SnapshotFile, _ files: borrowing Files, _ offset: Int
    ) -> StorageError {
        StorageError(
            .corrupt,
            "\(files.directory)/\(file.name) cannot be decompressed from offset \(offset) on",
            file: file.name, offset: offset)
    }
}

extension [Int] {
    /// The first index whose element is so; those before it are not, and those after it are.
    fileprivate func partitioningIndex(_ isSo: (Int) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isSo(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
