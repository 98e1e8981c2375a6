import AviaryStorage
import AviaryWire

/// A directory that takes everything and keeps nothing.
struct NullFiles: FileSystem {
    var directory: String { "nowhere" }

    func list() throws(StorageError) -> [FileEntry] { [] }
    func read(_ file: String, at offset: Int, count: Int) throws(StorageError) -> [UInt8] { [] }
    mutating func create(_ file: String) throws(StorageError) {}
    mutating func write(
        _ bytes: RawSpan, to file: String, at offset: Int
    ) throws(StorageError) {}
    mutating func extend(_ file: String, to size: Int) throws(StorageError) {}
    mutating func truncate(_ file: String, to size: Int) throws(StorageError) {}
    mutating func sync(_ file: String) throws(StorageError) {}
    mutating func syncDirectory() throws(StorageError) {}
    mutating func rename(_ file: String, to name: String) throws(StorageError) {}
    mutating func remove(_ file: String) throws(StorageError) {}
    mutating func close(_ file: String) throws(StorageError) {}
}
