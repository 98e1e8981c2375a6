import AviaryFuzzing
import Foundation
import Testing

/// What the fuzzer has found worth keeping, and inputs near it. `Scripts/fuzz` looks further.
@Suite(.serialized) struct CorpusTests {
    private static let mutationsPerTarget = 2000

    @Test(arguments: FuzzTarget.allCases)
    func `no input of the corpus breaks what must hold`(target: FuzzTarget) throws {
        let corpus = try Corpus(target)
        #expect(!corpus.inputs.isEmpty)
        for input in corpus.inputs { try corpus.run(input) }
        corpus.forgetLast()
    }

    @Test(arguments: FuzzTarget.allCases)
    func `no input near the corpus breaks what must hold`(target: FuzzTarget) throws {
        let corpus = try Corpus(target)
        for seed in 0..<Self.mutationsPerTarget {
            var mutator = SeededMutator(seed: UInt64(seed))
            let input = corpus.inputs[seed % corpus.inputs.count]
            try corpus.run(
                mutator.mutate(input, with: corpus.inputs, upTo: target.maximumByteCount))
        }
        corpus.forgetLast()
    }

    @Test func `frames keep what they were made of`() {
        let bytes: [UInt8] = [0, 0, 0, 1, 7, 0, 0, 0, 0, 0, 0, 0, 9, 1, 2]
        let list = FrameList(bytes)
        #expect(list.frames == [[7], []])
        #expect(list.bytes == bytes)
    }
}

/// The inputs of one target in `Tests/Fixtures/fuzz`.
private struct Corpus {
    let target: FuzzTarget
    /// Sorted by name.
    let inputs: [[UInt8]]
    /// A target that finds something stops the process: here is the input that it had.
    private let last: URL

    init(_ target: FuzzTarget) throws {
        self.target = target
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let folder = tests.appending(path: "Fixtures/fuzz/\(target.rawValue)")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter {
            $0 != "found"
        }
        inputs = try names.sorted().map { name in
            [UInt8](try Data(contentsOf: folder.appending(path: name)))
        }
        last = FileManager.default.temporaryDirectory
            .appending(path: "aviary-fuzz-\(target.rawValue)-last-input")
    }

    func run(_ input: [UInt8]) throws {
        try Data(input).write(to: last)
        target.run(input)
    }

    func forgetLast() { try? FileManager.default.removeItem(at: last) }
}
