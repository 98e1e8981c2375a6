import Glibc

/// Why a file cannot be used; reads on from the file's name.
package struct TextFileError: Error {
    package var reason: String
    /// There is no such file.
    package var isMissing = false
}

/// Reads a whole file of UTF-8 text, of at most a mebibyte: it is a configuration, not data.
package func readTextFile(_ path: String) throws(TextFileError) -> String {
    let limit = 1 << 20
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
        let isMissing = errno == ENOENT
        throw TextFileError(reason: "cannot be opened: \(lastError)", isMissing: isMissing)
    }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16_384)
    while true {
        let count = unsafe chunk.withUnsafeMutableBytes { buffer in
            unsafe read(descriptor, buffer.baseAddress, buffer.count)
        }
        if count < 0 && errno == EINTR { continue }
        guard count >= 0 else { throw TextFileError(reason: "cannot be read: \(lastError)") }
        guard count > 0 else { break }
        bytes += chunk.prefix(count)
        guard bytes.count <= limit else {
            throw TextFileError(reason: "is longer than \(limit) bytes; is it the right file?")
        }
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
        throw TextFileError(reason: "is not UTF-8 text; save it as UTF-8")
    }
    return text
}

private var lastError: String {
    unsafe String(cString: strerror(errno))
}
