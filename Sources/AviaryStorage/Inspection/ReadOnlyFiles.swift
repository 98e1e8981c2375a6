/// Another directory's files, of which none can be changed through this.
package struct ReadOnlyFiles<Base: FileSystem & ~Copyable>: FileSystem, ~Copyable {
    private let base: Base
    /// Called with the count of the bytes of each read.
    private let didRead: (Int) -> Void

    package init(_ base: consuming Base, didRead: @escaping (Int) -> Void = { _ in }) {
        self.base = base
        self.didRead = didRead
    }

    package var directory: String { base.directory }

    package func list() throws(StorageError) -> [FileEntry] { try base.list() }

    package func read(
        _ file: String, at offset: Int, count: Int
    ) throws(StorageError) -> [UInt8] {
        let bytes = try base.read(file, at: offset, count: count)
        didRead(bytes.count)
        return bytes
    }

    package mutating func create(_ file: String) throws(StorageError) { throw refusal(file) }

    package mutating func write(
        _ bytes: RawSpan, to file: String, at offset: Int
    ) throws(StorageError) { throw refusal(file) }

    package mutating func extend(_ file: String, to size: Int) throws(StorageError) {
        throw refusal(file)
    }

    package mutating func truncate(_ file: String, to size: Int) throws(StorageError) {
        throw refusal(file)
    }

    package mutating func sync(_ file: String) throws(StorageError) { throw refusal(file) }

    package mutating func syncDirectory() throws(StorageError) { throw refusal("") }

    package mutating func rename(_ file: String, to name: String) throws(StorageError) {
        throw refusal(file)
    }

    package mutating func remove(_ file: String) throws(StorageError) { throw refusal(file) }

    package mutating func close(_ file: String) throws(StorageError) {}

    private func refusal(_ file: String) -> StorageError {
        StorageError(
            .failed, "\(base.directory)/\(file) was opened to be read, and must not be changed",
            file: file)
    }
}
