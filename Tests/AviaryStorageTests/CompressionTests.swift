import Foundation
import Testing

@testable import AviaryCore
@testable import AviaryStorage
@testable import AviaryWire

struct CompressionTests {
    /// Runs, noise, and text that repeats at every distance.
    private func samples() -> [[UInt8]] {
        var random = SeededRandom(seed: 3)
        let noise = (0..<40_000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let words = (0..<9000).flatMap { _ in [UInt8]("/node-\(random.below(300))".utf8) }
        let run = [UInt8](repeating: 7, count: 65_536)
        return [[], [1], [1, 2, 3, 4], run, Array(noise.prefix(61)), noise, words]
    }

    @Test func `what snappy packs it unpacks, in blocks of any content`() throws {
        for sample in samples() {
            for start in stride(from: 0, to: max(1, sample.count), by: 65_536) {
                let block = sample[start..<min(sample.count, start + 65_536)]
                let packed = Snappy.compress(block)
                #expect(try Snappy.decompress(packed.raw, limit: 65_536) == Array(block))
            }
        }
        #expect(Snappy.compress(samples()[3][...]).count < 4000)
    }

    @Test func `a damaged block is refused, and never gives more than its limit`() {
        var random = SeededRandom(seed: 4)
        for sample in samples() where !sample.isEmpty {
            let packed = Snappy.compress(sample.prefix(65_536))
            for _ in 0..<200 {
                var damaged = packed
                damaged[random.below(damaged.count)] = UInt8(random.below(256))
                if random.below(4) == 0 { damaged.removeLast(random.below(damaged.count)) }
                if let bytes = try? Snappy.decompress(damaged.raw, limit: 65_536) {
                    #expect(bytes.count <= 65_536)
                }
            }
        }
    }

    @Test(arguments: SnapshotCompression.allCases)
    func `a snapshot is written and read back, however it is packed`(
        compression: SnapshotCompression
    ) throws {
        let history = RandomHistory(seed: 5, count: 2000)
        let directory = try TemporaryDirectory()
        var store = SnapshotStore(
            files: try directory.files(), logFiles: try directory.files(),
            compression: compression)
        try store.write(history.tree.snapshot)
        let recovered = try directory.recover()
        #expect(same(recovered.tree.snapshot, history.tree.snapshot))
        #expect(recovered.recovery.start?.name.hasSuffix(compression.suffix) == true)
        try store.purge(keeping: 1)
        #expect(try directory.recover().recovery.start != nil)
    }

    @Test(arguments: [SnapshotCompression.gz, .snappy])
    func `a compressed snapshot with a byte changed is passed over`(
        compression: SnapshotCompression
    ) throws {
        let history = RandomHistory(seed: 6, count: 300)
        let directory = try TemporaryDirectory()
        var store = SnapshotStore(files: try directory.files(), logFiles: try directory.files())
        try store.write(RandomHistory.tree(after: []).snapshot)
        var packed = SnapshotStore(
            files: try directory.files(), logFiles: try directory.files(),
            compression: compression)
        try packed.write(history.tree.snapshot)
        let name = FileNames.snapshot(history.tree.lastProcessedZxid, compression)
        var random = SeededRandom(seed: 7)
        let whole = try #require(directory[name])
        for _ in 0..<40 {
            var damaged = whole
            damaged[random.below(damaged.count)] ^= UInt8(1 + random.below(255))
            directory[name] = damaged
            let recovered = try directory.recover()
            // A byte of gzip's head may tell nothing.
            let isSame = same(recovered.tree.snapshot, history.tree.snapshot)
            #expect(isSame || recovered.tree.lastProcessedZxid == .zero)
        }
    }
}
