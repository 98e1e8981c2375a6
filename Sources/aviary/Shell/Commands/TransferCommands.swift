import AviaryClient
import AviaryServer
import Glibc

extension Command {
    /// Subtrees into files and back.
    static let transferCommands = [export, importTree]

    private static let export = Command(
        "export", "path [file]",
        "Writes a node and all below it as JSON lines, for 'import'; ephemeral nodes are left out.",
        minimumArguments: 1
    ) { shell, invocation async throws(ShellError) in
        let top = try invocation.path(0)
        let records = try await ExportedNode.read(shell, top)
        var writer = [UInt8]()
        for record in records {
            writer += record.json
            writer.append(UInt8(ascii: "\n"))
        }
        guard let file = invocation.argument(1) else {
            if !writer.isEmpty { shell.console.line(Array(writer.dropLast())) }
            return
        }
        try WholeFile.write(writer, to: file)
        shell.console.error("Exported \(Words.count(records.count, "node")) to \(file)")
    }

    private static let importTree = Command(
        "import", "[--overwrite] [--dry-run] path file",
        "Makes the nodes of an export below path, which stands for the node that was exported.",
        options: [
            CommandOption("overwrite", "replace data and ACL of nodes that exist"),
            CommandOption("dry-run", "say what would be done, do nothing"),
        ], minimumArguments: 2
    ) { shell, invocation async throws(ShellError) in
        let top = try invocation.path(0)
        let bytes = try WholeFile.read(invocation[1])
        var records: [ExportedNode] = []
        for (index, line) in bytes.split(separator: UInt8(ascii: "\n")).enumerated() {
            guard let record = ExportedNode(line) else {
                throw ShellError(
                    "\(invocation[1]), line \(index + 1): this is not a line of an export")
            }
            records.append(record)
        }
        try await shell.importNodes(
            records, below: top, overwrite: invocation.has("overwrite"),
            dryRun: invocation.has("dry-run"))
    }
}

extension Shell {
    fileprivate func importNodes(
        _ records: [ExportedNode], below top: Path, overwrite: Bool, dryRun: Bool
    ) async throws(ShellError) {
        let targets = try records.map { record throws(ShellError) in
            try ShellPath.checked(record.target(below: top))
        }
        var exists: Set<Path> = []
        var walk = Pipelined(targets) { [client] in client.submit(.exists($0)) }
        while let (path, stat) = try await walk.next() {
            if stat != nil { exists.insert(path) }
        }
        if !overwrite, let first = targets.first(where: { exists.contains($0) && $0 != .root }) {
            throw ShellError(
                "\(first) exists already; nothing was imported. Take another path, or --overwrite")
        }
        let replaced = targets.count { exists.contains($0) }
        if dryRun {
            answer(
                .text(
                    "Would create \(Words.count(targets.count - replaced, "node")) and replace "
                        + "\(replaced)", "message"))
            return
        }
        var pending: ArraySlice<Pending<CreatedNode>> = []
        for (record, target) in zip(records, targets) {
            if exists.contains(target) {
                try await replace(target, with: record)
                continue
            }
            // Carried out in this order: a parent before its children.
            pending.append(client.submit(record.creation(at: target)))
            if pending.count == 256 { try await finish(pending.removeFirst()) }
        }
        for answer in pending { try await finish(answer) }
        answer(
            .text(
                "Created \(Words.count(targets.count - replaced, "node")), replaced \(replaced)",
                "message"))
    }

    private func finish(_ pending: Pending<CreatedNode>) async throws(ShellError) {
        do throws(ClientError) {
            _ = try await pending.value
        } catch {
            throw ShellError(error)
        }
    }

    private func replace(_ target: Path, with record: ExportedNode) async throws(ShellError) {
        _ = try await ask(.setData(target, record.data))
        if target != .root { _ = try await ask(.setACL(target, record.acl)) }
    }
}

/// A file as a whole.
enum WholeFile {
    private static let longest = 1 << 30

    static func read(_ file: String) throws(ShellError) -> [UInt8] {
        let descriptor = unsafe open(file, O_RDONLY)
        if descriptor < 0 { throw failure("read", file) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        while true {
            let piece = unsafe [UInt8](unsafeUninitializedCapacity: 1 << 16) { room, count in
                count = unsafe max(0, Glibc.read(descriptor, room.baseAddress, room.count))
            }
            if piece.isEmpty { return bytes }
            bytes += piece
            if bytes.count > longest {
                throw ShellError("\(file) is longer than 1 GiB; import it in parts")
            }
        }
    }

    static func write(_ bytes: [UInt8], to file: String) throws(ShellError) {
        let descriptor = unsafe open(file, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        if descriptor < 0 { throw failure("write", file) }
        defer { close(descriptor) }
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { raw in
                unsafe Glibc.write(
                    descriptor, raw.baseAddress?.advanced(by: written), raw.count - written)
            }
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { throw failure("write", file) }
            written += count
        }
    }

    private static func failure(_ verb: String, _ file: String) -> ShellError {
        let reason = unsafe String(cString: strerror(errno))
        return ShellError("cannot \(verb) \(file): \(reason)")
    }
}
