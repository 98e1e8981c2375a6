import AviaryWire

/// Copies files from one directory to another, a piece at a time.
enum FileCopy {
    private static let pieceByteCount = 1 << 20

    /// Copies the first bytes of a file, durably but for its name.
    static func copy<Source: FileSystem & ~Copyable, Target: FileSystem & ~Copyable>(
        _ file: String, byteCount: Int, from source: borrowing Source, to target: inout Target
    ) throws(StorageError) {
        try target.create(file)
        var offset = 0
        while offset < byteCount {
            let wanted = min(pieceByteCount, byteCount - offset)
            let piece = try source.read(file, at: offset, count: wanted)
            guard piece.count == wanted else {
                throw StorageError(
                    .failed, "\(source.directory)/\(file) became shorter while it was copied",
                    file: file, offset: offset)
            }
            try target.write(piece.raw, to: file, at: offset)
            offset += wanted
        }
        try target.sync(file)
        try target.close(file)
    }

    /// Copies those of the files an ensemble's member keeps its epochs in that are there.
    ///
    /// The accepted epoch is raised first and the current one after it, so that they are read in the
    /// other order: the copy never has a current epoch that was not accepted.
    ///
    /// - Returns: the names of what was copied.
    static func copyEpochs<Source: FileSystem & ~Copyable, Target: FileSystem & ~Copyable>(
        from source: borrowing Source, to target: inout Target
    ) throws(StorageError) -> [String] {
        var copied: [String] = []
        for name in EpochFiles.names {
            guard let entry = try source.list().first(where: { $0.name == name }) else { continue }
            try copy(name, byteCount: entry.size, from: source, to: &target)
            copied.append(name)
        }
        return copied
    }
}
