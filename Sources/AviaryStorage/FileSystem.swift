/// The files of one directory, by name. The real one is `PosixFiles`; a simulated one can lose
/// what was not synced.
///
/// Offsets and sizes are in bytes.
package protocol FileSystem: ~Copyable {
    /// The directory, for messages; two values have the same only if they are of the same.
    var directory: String { get }
    /// The files in the directory, in no particular order.
    func list() throws(StorageError) -> [FileEntry]
    /// Fewer bytes than asked for at the end of the file, and only there.
    func read(_ file: String, at offset: Int, count: Int) throws(StorageError) -> [UInt8]
    /// Makes the file empty, whether or not it is there.
    mutating func create(_ file: String) throws(StorageError)
    mutating func write(_ bytes: RawSpan, to file: String, at offset: Int) throws(StorageError)
    /// Makes the file at least so long, the rest zeros, and reserves the space for it.
    mutating func extend(_ file: String, to size: Int) throws(StorageError)
    mutating func truncate(_ file: String, to size: Int) throws(StorageError)
    /// Returns when everything written to the file will outlive a crash.
    mutating func sync(_ file: String) throws(StorageError)
    /// Returns when every file's name will outlive a crash.
    mutating func syncDirectory() throws(StorageError)
    /// Takes the place of a file that has the name already.
    mutating func rename(_ file: String, to name: String) throws(StorageError)
    mutating func remove(_ file: String) throws(StorageError)
    /// No more is written to the file for now.
    mutating func close(_ file: String) throws(StorageError)
}

package struct FileEntry: Hashable, Sendable {
    package let name: String
    package let size: Int

    package init(name: String, size: Int) {
        self.name = name
        self.size = size
    }
}

/// What went wrong with the files, and what an operator can do.
package struct StorageError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// The operating system refused.
        case failed
        /// Another process has the directory.
        case inUse
        /// The bytes are not what was written.
        case corrupt
        /// Files that must be there are not.
        case missing
        /// A file is where it must not be.
        case misplaced
    }

    package let code: Code
    /// What happened, to which file, and what to do.
    package let message: String
    /// The file's name in its directory, if it is about one.
    package let file: String?
    /// Where in the file, in bytes.
    package let offset: Int?
    /// What the operating system or the decoder said.
    package let cause: String?

    package init(
        _ code: Code, _ message: String, file: String? = nil, offset: Int? = nil,
        cause: String? = nil
    ) {
        self.code = code
        self.message = message
        self.file = file
        self.offset = offset
        self.cause = cause
    }

    package var description: String { message }
}
