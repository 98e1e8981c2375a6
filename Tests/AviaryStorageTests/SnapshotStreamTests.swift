import AviaryWire
import Foundation
import NIOCore
import Testing

@testable import AviaryCore
@testable import AviaryStorage

/// The tree as a leader sends it, and as servers of Apache ZooKeeper 3.9.5 sent it.
struct SnapshotStreamTests {
    /// What stood between a SNAP and the next packet in `Tests/Fixtures/quorum-wire`.
    private struct Recording {
        let bytes: [UInt8]
        let sessions: Int
        let nodes: Int
        let lists: Int

        static func all() throws -> [Recording] {
            let tests = URL(filePath: #filePath).deletingLastPathComponent()
                .deletingLastPathComponent()
            let folder = tests.appending(path: "Fixtures/quorum-wire")
            let files = try FileManager.default.contentsOfDirectory(
                at: folder, includingPropertiesForKeys: nil)
            return try files.filter { $0.pathExtension == "jsonl" }.flatMap { file in
                try String(contentsOf: file, encoding: .utf8).split(separator: "\n").compactMap {
                    try Recording(line: $0)
                }
            }
        }

        private init?(line: Substring) throws {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
            guard let fields = object as? [String: Any], let hex = fields["hex"] as? String,
                let message = fields["msg"] as? [String: Any],
                message["type"] as? String == "SNAPSHOT_STREAM"
            else { return nil }
            var digits = Substring(hex)
            var bytes: [UInt8] = []
            while let byte = UInt8(digits.prefix(2), radix: 16) {
                bytes.append(byte)
                digits = digits.dropFirst(2)
            }
            self.bytes = bytes
            sessions = message["sessions"] as? Int ?? -1
            nodes = message["nodes"] as? Int ?? -1
            lists = message["acls"] as? Int ?? -1
        }
    }

    private static func write(_ snapshot: TreeSnapshot, pieces: Int = 1 << 16) -> [UInt8] {
        var writer = SnapshotStreamWriter(snapshot)
        var stream: [UInt8] = []
        var buffer = ByteBuffer()
        while writer.writeNext(to: &buffer, atLeast: pieces) {
            stream += buffer.readableBytesView
            buffer.clear()
        }
        return stream + buffer.readableBytesView
    }

    /// Feeds a stream in pieces of sizes that `next` chooses; `behind` bytes are of something else.
    private static func read(
        _ stream: [UInt8], behind: [UInt8] = [], zxid: Zxid, next: () -> Int
    ) throws(StorageError) -> TreeSnapshot? {
        var reader = SnapshotStreamReader(hashSeed: 42, extendedTypes: true)
        var buffer = ByteBuffer()
        var fed = 0
        let all = stream + behind
        while fed < all.count {
            let end = min(fed + next(), all.count)
            buffer.writeBytes(all[fed..<end])
            fed = end
            guard try reader.take(&buffer) else {
                if fed >= stream.count { return nil }
                continue
            }
            #expect(fed >= stream.count)
            #expect(Array(buffer.readableBytesView) == Array(all[stream.count..<fed]))
            let byteCount = reader.byteCount
            #expect(byteCount == stream.count)
            let tree = reader.finish(zxid: zxid)
            tree.checkInvariants()
            return tree.snapshot
        }
        return nil
    }

    /// The lists of all nodes, which the views hold too, by what the table has.
    private static func lists(_ snapshot: TreeSnapshot) -> Set<[ACL]> {
        Set(snapshot.acls.keyed.map(\.list))
    }

    @Test(arguments: [1, 2, 3, 4])
    func `a tree is the same after it was sent in any pieces`(seed: UInt64) throws {
        let history = RandomHistory(seed: seed, count: 300)
        let snapshot = history.tree.snapshot
        var random = SeededRandom(seed: seed)
        let stream = Self.write(snapshot)
        #expect(stream == Self.write(snapshot, pieces: 1))
        #expect(stream == Self.write(snapshot, pieces: .max))
        for most in [1, 7, 1000, stream.count + 10] {
            let behind: [UInt8] = [0, 0, 0, 2, 9, 9, 9]
            let tree = try Self.read(stream, behind: behind, zxid: snapshot.zxid) {
                1 + random.below(most)
            }
            let received = try #require(tree)
            #expect(same(received, snapshot), "\(most)")
            #expect(Self.lists(received) == Self.lists(snapshot))
        }
    }

    @Test func `a tree of nothing but what every server has is sent whole`() throws {
        let snapshot = DataTree(hashSeed: 1, extendedTypes: true).snapshot
        let tree = try Self.read(Self.write(snapshot), zxid: .zero) { 1 }
        #expect(try same(#require(tree), snapshot))
    }

    @Test func `pieces are as long as asked for, and no longer than a record more`() throws {
        let history = RandomHistory(seed: 9, count: 200)
        var writer = SnapshotStreamWriter(history.tree.snapshot)
        var buffer = ByteBuffer()
        var pieces = 0
        while writer.writeNext(to: &buffer, atLeast: 500) {
            #expect(buffer.readableBytes >= 500)
            #expect(buffer.readableBytes < 500 + 20200)
            buffer.clear()
            pieces += 1
        }
        #expect(pieces > 5)
        // Asking again adds nothing.
        let rest = buffer.readableBytes
        let goesOn = writer.writeNext(to: &buffer, atLeast: 500)
        #expect(!goesOn)
        #expect(buffer.readableBytes == rest)
    }

    @Test func `H.47: what Apache sent is read and sent on with the same content`() throws {
        let recordings = try Recording.all()
        #expect(recordings.count == 3)
        for recording in recordings {
            var random = SeededRandom(seed: 5)
            for most in [1, 40, 1 << 20] {
                let tree = try Self.read(
                    recording.bytes, behind: [1, 2, 3], zxid: Zxid(0x1_0000_0000)
                ) { 1 + random.below(most) }
                let received = try #require(tree)
                #expect(received.sessions.count == recording.sessions)
                // The recording's own count leaves out the root or not; the tree is the judge.
                #expect(received.nodeCount == recording.nodes)
                #expect(received.acls.keyed.count <= recording.lists)
                let again = Self.write(received)
                // Siblings and keys may be in another order, but no byte is more or less unless a
                // list was not used.
                if received.acls.keyed.count == recording.lists {
                    #expect(again.count == recording.bytes.count)
                }
                let second = try Self.read(again, zxid: received.zxid) { 4096 }
                #expect(try same(#require(second), received))
            }
        }
    }

    @Test func `H.47: no beginning of a stream is taken for the whole`() throws {
        for recording in try Recording.all() {
            var reader = SnapshotStreamReader(hashSeed: 42, extendedTypes: true)
            var buffer = ByteBuffer()
            for (index, byte) in recording.bytes.enumerated() {
                buffer.writeInteger(byte)
                let isWhole = try reader.take(&buffer)
                #expect(isWhole == (index == recording.bytes.count - 1))
            }
        }
    }

    /// Whether a stream is refused, whatever it is cut into.
    private static func isRefused(_ stream: [UInt8], maximumLength: Int = 1 << 20) -> Bool {
        [1, 1 << 20].allSatisfy { size in
            var reader = SnapshotStreamReader(
                hashSeed: 42, extendedTypes: true, maximumLength: maximumLength)
            var buffer = ByteBuffer()
            for start in stride(from: 0, to: stream.count, by: size) {
                buffer.writeBytes(stream[start..<min(start + size, stream.count)])
                do throws(StorageError) {
                    _ = try reader.take(&buffer)
                } catch {
                    return error.code == .corrupt && !error.message.isEmpty
                }
            }
            return false
        }
    }

    /// A stream of no sessions and no lists, with these nodes.
    private static func stream(
        nodes: [(path: String, data: Int)], end: String? = "BenWasHere"
    ) -> [UInt8] {
        var buffer = ByteBuffer()
        buffer.writeInteger(Int64(0))
        for node in nodes {
            buffer.writeJute(Array(node.path.utf8))
            buffer.writeJute([UInt8](repeating: 7, count: node.data))
            buffer.writeInteger(Int64(-1))
            StatPersisted().write(to: &buffer)
        }
        if let end {
            buffer.writeJute(Array("/".utf8))
            buffer.writeJute(Array(end.utf8))
        }
        return Array(buffer.readableBytesView)
    }

    @Test func `H.47: a wrong signature is refused as soon as its length is there`() {
        #expect(!Self.isRefused(Self.stream(nodes: [("", 0)])))
        #expect(Self.isRefused(Self.stream(nodes: [("", 0)], end: "BenWasHerf")))
        #expect(Self.isRefused(Self.stream(nodes: [("", 0)], end: "Ben")))
        let long = Self.stream(nodes: [("", 0)], end: "BenWasHereToo")
        #expect(Self.isRefused(long))
        #expect(Self.isRefused(Array(long.dropLast(13))))
    }

    @Test func `nodes that make no tree are refused`() {
        let trees: [[(path: String, data: Int)]] = [
            [], [("/a", 0)], [("", 0), ("", 0)], [("", 0), ("/a/b", 0)], [("", 0), ("a", 0)],
            [("", 0), ("/a", 0), ("/a", 0)], [("", 0), ("//", 0)], [("", 0), ("//a", 0)],
            [("", 0), ("/a", 0), ("/a/", 0)], [("", 0), ("/a", 0), ("/a//b", 0)],
        ]
        for nodes in trees { #expect(Self.isRefused(Self.stream(nodes: nodes)), "\(nodes)") }
        #expect(!Self.isRefused(Self.stream(nodes: [("", 0), ("/a", 0), ("/a/b", 0)])))
    }

    @Test func `H.47: lengths and counts are bounded before anything is kept for them`() {
        func ints(_ values: Int32...) -> [UInt8] {
            values.flatMap { value in
                (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
            }
        }
        #expect(Self.isRefused(ints(-1)))
        #expect(Self.isRefused(ints(0, -2)))
        // A count alone costs nothing: what it promises has to come.
        #expect(!Self.isRefused(ints(.max)))
        #expect(!Self.isRefused(ints(0, .max)))
        // The list of the first key has too many entries, or one whose scheme is too long.
        #expect(Self.isRefused(ints(0, 1, 0, 5, .max)))
        #expect(Self.isRefused(ints(0, 1, 0, 5, 1, 31, .max, 0)))
        // A path, and the data of the root.
        #expect(Self.isRefused(ints(0, 0, .max)))
        #expect(Self.isRefused(ints(0, 0, -1)))
        #expect(Self.isRefused(ints(0, 0, -7)))
        #expect(Self.isRefused(ints(0, 0, 0, .max)))
        #expect(Self.isRefused(ints(0, 0, 0, -2)))
        let nodes = [(path: "", data: 100)]
        #expect(!Self.isRefused(Self.stream(nodes: nodes), maximumLength: 100))
        #expect(Self.isRefused(Self.stream(nodes: nodes), maximumLength: 99))
        // Entries that are each short, in a list without an end.
        let list = ints(0, 1, 0, 5, 50) + [UInt8](repeating: 0, count: 12 * 49)
        #expect(Self.isRefused(list, maximumLength: 100))
        #expect(!Self.isRefused(list, maximumLength: 1000))
    }

    @Test func `no flipped bit stops the process`() throws {
        let history = RandomHistory(seed: 3, count: 60, isSmall: true)
        let stream = Self.write(history.tree.snapshot)
        var refused = 0
        for position in stream.indices {
            for bit in [0x01, 0x80, 0xff] as [UInt8] {
                var damaged = stream
                damaged[position] ^= bit
                do throws(StorageError) {
                    _ = try Self.read(damaged, zxid: Zxid(60)) { 4096 }
                } catch {
                    refused += 1
                }
            }
        }
        #expect(refused > stream.count / 10)
    }
}
