import AviaryServer
import AviaryStorage
import AviaryWire
import Glibc

/// A directory of data that is made under a temporary name, and gets its own when it is whole.
struct NewDirectory {
    /// What it is to be called.
    let path: String
    /// What it is called until then.
    let temporaryPath: String

    init(_ path: String) {
        let trimmed = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        self.path = trimmed
        temporaryPath = "\(trimmed).unfinished-\(getpid())"
    }

    /// The name of a file in a directory that is not free, or the path itself; nil if it is free.
    static func whatIsIn(_ path: String, besides allowed: [String] = []) -> String? {
        switch FileKind(path) {
        case .absent: return nil
        case .file: return path
        case .directory: break
        }
        guard let handle = unsafe opendir(path) else { return path }
        defer { unsafe closedir(handle) }
        while let entry = unsafe readdir(handle) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
                    unsafe String(cString: $0)
                }
            }
            if name != "." && name != ".." && !allowed.contains(name) { return name }
        }
        return nil
    }

    /// Gives the directory its name, durably.
    func complete() throws(StorageError) {
        if unsafe rename(temporaryPath, path) != 0 {
            throw Self.failed("rename \(temporaryPath) to \(path)")
        }
        let slash = path.lastIndex(of: "/")
        let parent = slash.map { String(path[..<$0]) } ?? "."
        let descriptor = unsafe open(parent.isEmpty ? "/" : parent, O_RDONLY | O_DIRECTORY)
        if descriptor < 0 { throw Self.failed("open \(parent)") }
        defer { close(descriptor) }
        if fsync(descriptor) != 0 { throw Self.failed("sync \(parent)") }
    }

    /// Removes what was made under the temporary name; what cannot be removed is named.
    ///
    /// - Parameter inner: the directory in it that has the files; nil if they are in itself.
    func abandon(inner: String?) {
        let folder = inner.map { "\(temporaryPath)/\($0)" } ?? temporaryPath
        while let name = Self.whatIsIn(folder), name != folder {
            if unsafe unlink("\(folder)/\(name)") != 0 { break }
        }
        if inner != nil { unsafe rmdir(folder) }
        if unsafe rmdir(temporaryPath) != 0 && errno != ENOENT {
            writeToStandardError("aviary: \(temporaryPath) could not be removed; remove it\n")
        }
    }

    private static func failed(_ what: String) -> StorageError {
        let reason = unsafe String(cString: strerror(errno))
        return StorageError(.failed, "cannot \(what): \(reason)", cause: reason)
    }
}
