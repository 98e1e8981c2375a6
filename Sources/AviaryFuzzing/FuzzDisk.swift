import AviaryCore
import AviaryStorage
import AviaryWire

/// The files of one directory, in memory.
final class FuzzDisk {
    var files: [String: [UInt8]] = [:]

    /// What was recovered, and whether anything was odd about it.
    struct Recovered: ~Copyable {
        var tree: DataTree
        let hasDoubts: Bool
    }

    static func recover(_ disk: FuzzDisk) throws(StorageError) -> Recovered {
        var settings = Recovery.Settings(hashSeed: 42)
        settings.extendedTypes = true
        settings.trustsEmpty = true
        var recovery = Recovery(settings)
        var files = FuzzFiles(disk: disk)
        var logFiles = FuzzFiles(disk: disk)
        let tree = try recovery.recover(snapshots: &files, logs: &logFiles)
        return Recovered(
            tree: tree, hasDoubts: recovery.notes.contains { $0.contains("differs") })
    }

    fileprivate func bytes(of file: String) throws(StorageError) -> [UInt8] {
        guard let bytes = files[file] else { throw StorageError(.failed, "no file \(file)") }
        return bytes
    }
}

struct FuzzFiles: FileSystem, ~Copyable {
    let disk: FuzzDisk
    var directory: String { "memory" }

    func list() throws(StorageError) -> [FileEntry] {
        disk.files.sorted { $0.key < $1.key }.map { FileEntry(name: $0.key, size: $0.value.count) }
    }

    func read(_ file: String, at offset: Int, count: Int) throws(StorageError) -> [UInt8] {
        let bytes = try disk.bytes(of: file)
        must(offset >= 0 && count >= 0, "reads are of bytes that can be")
        must(count <= bytes.count, "no more is asked for than a file can have")
        return Array(bytes.dropFirst(offset).prefix(count))
    }

    mutating func create(_ file: String) throws(StorageError) { disk.files[file] = [] }

    mutating func write(_ bytes: RawSpan, to file: String, at offset: Int) throws(StorageError) {
        try extend(file, to: offset + bytes.byteCount)
        disk.files[file]?.replaceSubrange(
            offset..<offset + bytes.byteCount, with: [UInt8](copying: bytes))
    }

    mutating func extend(_ file: String, to size: Int) throws(StorageError) {
        let count = try disk.bytes(of: file).count
        must(size < 1 << 24, "files are not made longer than what is in them")
        if size > count {
            disk.files[file]?.append(contentsOf: [UInt8](repeating: 0, count: size - count))
        }
    }

    mutating func truncate(_ file: String, to size: Int) throws(StorageError) {
        let count = try disk.bytes(of: file).count
        if size < count { disk.files[file]?.removeLast(count - size) }
        try extend(file, to: size)
    }

    mutating func sync(_ file: String) throws(StorageError) {}

    mutating func syncDirectory() throws(StorageError) {}

    mutating func rename(_ file: String, to name: String) throws(StorageError) {
        disk.files[name] = try disk.bytes(of: file)
        disk.files[file] = nil
    }

    mutating func remove(_ file: String) throws(StorageError) { disk.files[file] = nil }

    mutating func close(_ file: String) throws(StorageError) {}
}
