package import AviaryStorage
import AviaryWire
import Glibc

/// The files of one directory of the machine.
package struct PosixFiles: FileSystem, ~Copyable, Sendable {
    /// Absolute, and without symbolic links.
    package let directory: String
    /// Those that are being written.
    private var written: [String: WrittenFile] = [:]
    /// Held as long as the directory is ours.
    private var lockDescriptor: CInt = -1

    /// Makes the directory if it is not there, and the ones above it.
    package init(directory: String) throws(StorageError) {
        self.directory = try Self.usableDirectory(directory)
    }

    /// For files that are only read: nothing is made, and no right to write is needed.
    package init(reading directory: String) throws(StorageError) {
        self.directory = try Self.canonicalPath(
            directory, rights: R_OK | X_OK,
            remedy: "name a directory that is there, and that you may read")
    }

    deinit {
        for file in written.values { Glibc.close(file.descriptor) }
        if lockDescriptor >= 0 { Glibc.close(lockDescriptor) }
    }

    /// Keeps other servers out of the directory until this value is gone.
    package mutating func lock() throws(StorageError) {
        if lockDescriptor >= 0 { return }
        let descriptor = unsafe open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if descriptor < 0 { throw failed("open", "") }
        if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            let code = errno
            Glibc.close(descriptor)
            if code != EWOULDBLOCK {
                throw Self.error(code, "cannot lock \(directory)", "use a file system that can")
            }
            throw StorageError(
                .inUse,
                "another server uses \(directory); stop it, or give this one its own dataDir")
        }
        lockDescriptor = descriptor
    }

    package func list() throws(StorageError) -> [FileEntry] {
        guard let handle = unsafe opendir(directory) else { throw failed("list", "") }
        defer { unsafe closedir(handle) }
        var entries: [FileEntry] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(handle) else {
                if errno != 0 { throw failed("list", "") }
                return entries
            }
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
                    unsafe String(cString: $0)
                }
            }
            var info = stat()
            if unsafe fstatat(dirfd(handle), name, &info, 0) != 0 {
                // Removed since it was listed.
                if errno == ENOENT { continue }
                throw failed("look at", name)
            }
            if info.st_mode & S_IFMT == S_IFREG {
                entries.append(FileEntry(name: name, size: Int(info.st_size)))
            }
        }
    }

    package func read(
        _ file: String, at offset: Int, count: Int
    ) throws(StorageError) -> [UInt8] {
        let descriptor = unsafe open(path(file), O_RDONLY | O_CLOEXEC)
        if descriptor < 0 { throw failed("open", file) }
        defer { Glibc.close(descriptor) }
        var code: CInt = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = 0
            while filled < count {
                let rest = unsafe UnsafeMutableRawBufferPointer(
                    rebasing: UnsafeMutableRawBufferPointer(buffer)[filled...])
                let result = unsafe pread(
                    descriptor, rest.baseAddress, rest.count, off_t(offset + filled))
                if result == 0 { return }
                if result < 0 {
                    if errno == EINTR { continue }
                    code = errno
                    return
                }
                filled += result
            }
        }
        if code != 0 {
            throw Self.error(code, "cannot read \(path(file))", "check the disk", file: file)
        }
        return bytes
    }

    package mutating func create(_ file: String) throws(StorageError) {
        try close(file)
        let descriptor = unsafe open(path(file), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        if descriptor < 0 { throw failed("create", file) }
        written[file] = WrittenFile(descriptor)
    }

    package mutating func write(
        _ bytes: RawSpan, to file: String, at offset: Int
    ) throws(StorageError) {
        let descriptor = try descriptor(of: file)
        let code: CInt = unsafe bytes.withUnsafeBytes { buffer in
            var written = 0
            while written < buffer.count {
                let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[written...])
                let result = unsafe pwrite(
                    descriptor, rest.baseAddress, rest.count, off_t(offset + written))
                if result < 0 {
                    if errno == EINTR { continue }
                    return errno
                }
                written += result
            }
            return 0
        }
        if code != 0 {
            throw Self.error(
                code, "cannot write \(path(file))", "make room or check the disk", file: file)
        }
        written[file]?.wrote(bytes.byteCount, at: offset)
    }

    package mutating func extend(_ file: String, to size: Int) throws(StorageError) {
        let descriptor = try descriptor(of: file)
        while true {
            let code = posix_fallocate(descriptor, 0, off_t(size))
            if code == EINTR { continue }
            // A file with holes serves as well: when there is no more room, a write will say so.
            if code == 0 || ftruncate(descriptor, off_t(size)) == 0 { return }
            throw Self.error(
                code, "cannot reserve \(size) bytes for \(path(file))",
                "make room, or set a smaller preAllocSize", file: file)
        }
    }

    package mutating func truncate(_ file: String, to size: Int) throws(StorageError) {
        if ftruncate(try descriptor(of: file), off_t(size)) != 0 { throw failed("truncate", file) }
    }

    package mutating func sync(_ file: String) throws(StorageError) {
        let descriptor = try descriptor(of: file)
        while fdatasync(descriptor) != 0 {
            if errno != EINTR { throw failed("sync", file) }
        }
        written[file]?.synced()
    }

    package mutating func syncDirectory() throws(StorageError) {
        try Self.syncDirectory(directory)
    }

    package mutating func rename(_ file: String, to name: String) throws(StorageError) {
        try close(file)
        if unsafe Glibc.rename(path(file), path(name)) != 0 { throw failed("rename", file) }
    }

    package mutating func remove(_ file: String) throws(StorageError) {
        try close(file)
        if unsafe unlink(path(file)) != 0 { throw failed("remove", file) }
    }

    package mutating func close(_ file: String) throws(StorageError) {
        guard let closed = written.removeValue(forKey: file) else { return }
        if Glibc.close(closed.descriptor) != 0 { throw failed("close", file) }
    }

    // MARK: Inside

    private func path(_ file: String) -> String {
        file.isEmpty ? directory : "\(directory)/\(file)"
    }

    private mutating func descriptor(of file: String) throws(StorageError) -> CInt {
        if let open = written[file] { return open.descriptor }
        let descriptor = unsafe open(path(file), O_RDWR | O_CLOEXEC)
        if descriptor < 0 { throw failed("open", file) }
        written[file] = WrittenFile(descriptor)
        return descriptor
    }

    private func failed(_ operation: String, _ file: String) -> StorageError {
        Self.error(
            errno, "cannot \(operation) \(path(file))", "check the disk and its rights", file: file)
    }

    private static func error(
        _ code: CInt, _ what: String, _ remedy: String, file: String? = nil
    ) -> StorageError {
        let reason = unsafe String(cString: strerror(code))
        return StorageError(
            .failed, "\(what): \(reason); \(remedy)", file: file == "" ? nil : file, cause: reason)
    }

    private static func makeDirectory(_ directory: String) throws(StorageError) {
        var made = directory.hasPrefix("/") ? "/" : ""
        for part in directory.split(separator: "/") {
            let parent = made.isEmpty ? "." : made
            made += made.isEmpty || made.hasSuffix("/") ? "\(part)" : "/\(part)"
            if unsafe mkdir(made, 0o755) == 0 {
                try syncDirectory(parent)
            } else if errno != EEXIST {
                throw error(
                    errno, "cannot make the directory \(made)",
                    "make it, or name another with dataDir")
            }
        }
    }

    /// What a directory holds outlives a crash only after this.
    private static func syncDirectory(_ path: String) throws(StorageError) {
        let descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if descriptor < 0 { throw error(errno, "cannot open \(path)", "check its rights") }
        defer { Glibc.close(descriptor) }
        if fsync(descriptor) != 0 { throw error(errno, "cannot sync \(path)", "check the disk") }
    }

    /// The directory's canonical path, once it is there and can be written.
    private static func usableDirectory(_ directory: String) throws(StorageError) -> String {
        try makeDirectory(directory)
        return try canonicalPath(
            directory, rights: R_OK | W_OK | X_OK,
            remedy: "give the user that runs the server the right to write there")
    }

    private static func canonicalPath(
        _ directory: String, rights: CInt, remedy: String
    ) throws(StorageError) -> String {
        guard unsafe access(directory, rights) == 0, let path = unsafe realpath(directory, nil)
        else { throw error(errno, "cannot use the directory \(directory)", remedy) }
        defer { unsafe free(path) }
        return unsafe String(cString: path)
    }
}
