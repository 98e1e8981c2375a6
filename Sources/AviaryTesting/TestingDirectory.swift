import FoundationEssentials

/// A directory of its own among the system's temporary ones.
struct TestingDirectory: Sendable {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory
            .appending(path: "aviary-testing-\(UUID().uuidString)")
        do {
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        } catch {
            throw TestingError(
                "cannot make \(url.path) for a server's data: \(error); free some room there, or "
                    + "set TMPDIR to a directory that can be written")
        }
        path = url.path
    }

    func remove() throws {
        try FileManager.default.removeItem(atPath: path)
    }
}
