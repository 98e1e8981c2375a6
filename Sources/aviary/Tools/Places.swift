import ArgumentParser
import AviaryCore
import AviaryServer
import AviaryStorage
import AviaryWire
import Glibc

/// Files of a server that are only looked at.
typealias ServerFiles = ReadOnlyFiles<PosixFiles>

/// What a path on the command line names.
struct Place: Hashable {
    /// The directory of the files themselves, as in `/var/lib/aviary/version-2`.
    let directory: String
    /// Nil if the directory was named.
    let file: String?

    /// Below a dataDir or a dataLogDir.
    static let versionDirectory = "version-2"

    /// A file, a dataDir, or the directory `version-2` in it.
    init(_ path: String) throws(StorageError) {
        let trimmed = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        switch FileKind(trimmed) {
        case .directory:
            let inner = "\(trimmed)/\(Self.versionDirectory)"
            directory = FileKind(inner) == .directory ? inner : trimmed
            file = nil
        case .file:
            let slash = trimmed.lastIndex(of: "/")
            let parent = slash.map { String(trimmed[..<$0]) } ?? "."
            directory = parent.isEmpty ? "/" : parent
            file = slash.map { String(trimmed[trimmed.index(after: $0)...]) } ?? trimmed
        case .absent:
            throw StorageError(.failed, "\(path) is not there, or may not be looked at")
        }
    }

    /// A dataDir or a dataLogDir.
    static func directory(_ path: String) throws(StorageError) -> String {
        let place = try Place(path)
        if place.file != nil { throw StorageError(.failed, "\(path) is not a directory") }
        return place.directory
    }

    func open(_ progress: Progress) throws(StorageError) -> ServerFiles {
        try Self.open(directory, progress)
    }

    static func open(
        _ directory: String, _ progress: Progress
    ) throws(StorageError) -> ServerFiles {
        ReadOnlyFiles(try PosixFiles(reading: directory)) { progress.didRead($0) }
    }
}

enum FileKind: Hashable {
    case file
    case directory
    case absent

    init(_ path: String) {
        var info = stat()
        guard unsafe stat(path, &info) == 0 else {
            self = .absent
            return
        }
        self = info.st_mode & S_IFMT == S_IFDIR ? .directory : .file
    }
}

extension Recovery.Settings {
    /// Nodes with a time to live are taken for what they are, whatever the server allows.
    static var tools: Recovery.Settings {
        var settings = Recovery.Settings(hashSeed: .random(in: 1...UInt64.max))
        settings.extendedTypes = true
        return settings
    }
}

// MARK: - Arguments

/// A zxid or a session: `0x` and hexadecimal digits, or a decimal number.
struct HexadecimalArgument: ExpressibleByArgument {
    let value: Int64

    init?(argument: String) {
        if argument.hasPrefix("0x") || argument.hasPrefix("0X") {
            guard let bits = UInt64(argument.dropFirst(2), radix: 16) else { return nil }
            value = Int64(bitPattern: bits)
        } else if let number = Int64(argument) {
            value = number
        } else {
            return nil
        }
    }

    var zxid: Zxid { Zxid(value) }
    var session: SessionID { SessionID(value) }
}

struct TimeArgument: ExpressibleByArgument {
    let milliseconds: Int64

    init?(argument: String) {
        guard let time = Timestamp(argument) else { return nil }
        milliseconds = time.milliseconds
    }
}

struct PathArgument: ExpressibleByArgument {
    let path: Path

    init?(argument: String) {
        path = Path([UInt8](argument.utf8))
        if !path.isValid { return nil }
    }
}
