import AviaryServer
import AviaryWire
import Foundation
import Glibc
import Testing

@testable import AviaryStorage

struct PosixFilesTests {
    @Test func `two servers cannot use one directory`() throws {
        let directory = try TemporaryDirectory()
        var first = try directory.files()
        try first.lock()
        try first.lock()
        var second = try directory.files()
        do throws(StorageError) {
            try second.lock()
            Issue.record("the second lock was granted")
        } catch {
            #expect(error.code == .inUse)
            #expect(error.message.contains(directory.path))
        }
        try first.create("a")
    }

    @Test func `a lock ends with its owner`() throws {
        let directory = try TemporaryDirectory()
        do {
            var first = try directory.files()
            try first.lock()
        }
        var second = try directory.files()
        try second.lock()
    }

    @Test func `the directory is made, and known by one name`() throws {
        let directory = try TemporaryDirectory()
        let deep = try PosixFiles(directory: "\(directory.path)/a/b/version-2/")
        #expect(deep.directory == "\(directory.path)/a/b/version-2")
        try FileManager.default.createSymbolicLink(
            atPath: "\(directory.path)/link", withDestinationPath: "\(directory.path)/a")
        let linked = try PosixFiles(directory: "\(directory.path)/link/b/version-2")
        #expect(linked.directory == deep.directory)
    }

    @Test func `files are written, extended, cut, renamed and removed`() throws {
        let directory = try TemporaryDirectory()
        var files = try directory.files()
        try files.create("a")
        let hello = Array("hello".utf8)
        try files.write(hello.raw, to: "a", at: 3)
        #expect(try files.read("a", at: 0, count: 100) == [0, 0, 0] + hello)
        #expect(try files.read("a", at: 4, count: 2) == Array("el".utf8))
        #expect(try files.read("a", at: 100, count: 2) == [])
        try files.extend("a", to: 9000)
        #expect(try files.list() == [FileEntry(name: "a", size: 9000)])
        try files.truncate("a", to: 5)
        try files.sync("a")
        try files.rename("a", to: "b")
        try files.syncDirectory()
        #expect(directory["b"] == [0, 0, 0] + hello.prefix(2))
        try files.create("b")
        #expect(try files.list() == [FileEntry(name: "b", size: 0)])
        try files.remove("b")
        #expect(try files.list() == [])
    }

    @Test func `what is on the disk leaves the page cache but for its end`() throws {
        let directory = try TemporaryDirectory()
        var files = try directory.files()
        let piece = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }
        for name in ["a", "control"] {
            try files.create(name)
            for n in 0..<80 {
                try files.write(piece.raw, to: name, at: n * piece.count)
                if name == "a" { try files.sync(name) }
            }
        }
        try files.sync("control")
        // A file system in memory has no other place for them.
        guard try PageCache.dropsPages(of: "\(directory.path)/control") else { return }
        let cached = try PageCache.byteCount(of: "\(directory.path)/a")
        #expect((1 << 20..<3 << 20).contains(cached))
        #expect(directory["a"] == [[UInt8]](repeating: piece, count: 80).flatMap { $0 })
    }

    @Test func `an error names the file and what the system said`() throws {
        let directory = try TemporaryDirectory()
        var files = try directory.files()
        do throws(StorageError) {
            _ = try files.read("missing", at: 0, count: 1)
            Issue.record("a file that is not there was read")
        } catch {
            #expect(error.code == .failed)
            #expect(error.file == "missing")
            #expect(error.cause == "No such file or directory")
            #expect(error.message.contains("\(directory.path)/missing"))
        }
        #expect(throws: StorageError.self) { try files.remove("missing") }
    }

    @Test func `files of the wrong directory are refused`() throws {
        let data = try TemporaryDirectory()
        let logs = try TemporaryDirectory()
        for (place, name) in [(data, "log.1"), (logs, "snapshot.1")] {
            place[name] = []
            var files = try data.files()
            var logFiles = try logs.files()
            do throws(StorageError) {
                _ = try Recovered(&files, &logFiles)
                Issue.record("\(name) was accepted")
            } catch {
                #expect(error.code == .misplaced)
                #expect(error.file == name)
            }
            place[name] = nil
        }
    }
}

/// What the kernel keeps of a file in memory.
private enum PageCache {
    static func byteCount(of path: String) throws -> Int {
        let descriptor = open(path, O_RDONLY)
        defer { close(descriptor) }
        let size = Int(lseek(descriptor, 0, SEEK_END))
        let page = Int(getpagesize())
        let address = try #require(mmap(nil, size, PROT_READ, MAP_SHARED, descriptor, 0))
        defer { munmap(address, size) }
        var isThere = [UInt8](repeating: 0, count: (size + page - 1) / page)
        try #require(mincore(address, size, &isThere) == 0)
        return isThere.count { $0 & 1 == 1 } * page
    }

    /// Whether its pages, which are all on the disk, are gone once they are told to go.
    static func dropsPages(of path: String) throws -> Bool {
        let descriptor = open(path, O_RDONLY)
        defer { close(descriptor) }
        posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
        return try byteCount(of: path) == 0
    }
}
