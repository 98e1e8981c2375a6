import AviaryServer
import AviaryWire
import Foundation
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
