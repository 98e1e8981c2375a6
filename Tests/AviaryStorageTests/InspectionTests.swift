import AviaryWire
import Testing

@testable import AviaryCore
@testable import AviaryStorage

/// What the tools find without changing anything, and what they show of trees.
struct InspectionTests {
    private static let all = [
        "01-history-quorum1", "01b-history-standalone", "02-after-restart", "03-torn-tail",
        "03b-torn-tail-in-padding", "05-snapshot-bad-checksum", "05b-snapshot-truncated",
        "09-history-written-by-3.8.0", "10-history-no-digest-no-close-body", "12-empty-last-log",
        "06-snapshot-gz", "06-snapshot-snappy",
    ]

    // MARK: Recovery without a change

    @Test(arguments: all)
    func `a rehearsal changes no file and finds what a recovery does`(name: String) throws {
        let directory = try StorageFixture(name).copy()
        directory["tmp.snapshot.7"] = [1, 2, 3]
        let names = directory.names
        let contents = names.map { directory[$0] }
        var recovery = Recovery(.tests)
        let files = ReadOnlyFiles(try directory.files())
        let rehearsed = try recovery.rehearse(snapshots: files, logs: files).snapshot
        #expect(directory.names == names)
        #expect(names.map { directory[$0] } == contents)
        let isTorn = name.hasPrefix("03") || name.hasPrefix("12")
        #expect(recovery.repairs.contains { $0.action != .shorten } == isTorn)
        #expect(same(rehearsed, try directory.recover().tree.snapshot))
    }

    @Test func `files that are only read refuse every change`() throws {
        let directory = try TemporaryDirectory()
        directory["a"] = [1]
        var files = ReadOnlyFiles(try directory.files())
        #expect(throws: StorageError.self) { try files.create("b") }
        #expect(throws: StorageError.self) { try files.write([2].raw, to: "a", at: 0) }
        #expect(throws: StorageError.self) { try files.extend("a", to: 2) }
        #expect(throws: StorageError.self) { try files.truncate("a", to: 0) }
        #expect(throws: StorageError.self) { try files.rename("a", to: "b") }
        #expect(throws: StorageError.self) { try files.remove("a") }
        #expect(directory.names == ["a"])
        #expect(directory["a"] == [1])
    }

    // MARK: Trees

    @Test(arguments: 1...20)
    func `a sorted walk has every node, each followed by its children in order`(seed: Int) {
        let history = RandomHistory(seed: UInt64(seed), count: 200)
        let snapshot = history.tree.snapshot
        var paths: [Path] = []
        var walk = snapshot.sorted
        while walk.next() != nil { paths.append(Path(walk.path)) }
        #expect(paths.count == snapshot.nodeCount)
        #expect(zip(paths, paths.dropFirst()).allSatisfy { $0.precedesInWalk($1) })
        let names = paths.map { $0.description.split(separator: "/").map(String.init) }
        #expect(zip(names, names.dropFirst()).allSatisfy { $0.lexicographicallyPrecedes($1) })
    }

    @Test func `a node is followed by what is below it, whatever its siblings are called`() {
        var tree = DataTree(hashSeed: 1, extendedTypes: true)
        let paths: [Path] = ["/a", "/a/z", "/a-b", "/a.b", "/a.b/c", "/ab", "/b"]
        for path in paths.sorted() {
            tree.load(path: path.bytes, data: nil, acl: ACL.openToAll, stat: StatPersisted())
        }
        var found: [Path] = []
        var walk = tree.snapshot.sorted
        while walk.next() != nil { found.append(Path(walk.path)) }
        #expect(
            found.filter { !$0.bytes.starts(with: ReservedPath.zookeeper.bytes) } == [Path([])]
                + paths)
        #expect(zip(found, found.dropFirst()).allSatisfy { $0.precedesInWalk($1) })
    }

    @Test(arguments: 1...20)
    func `a difference is what dictionaries of the nodes would say`(seed: Int) {
        let history = RandomHistory(seed: UInt64(seed), count: 150)
        let first = RandomHistory.tree(after: history.entries[..<100]).snapshot
        let second = history.tree.snapshot
        var found: [String: String] = [:]
        TreeDifference.forEach(between: first, and: second) { difference in
            switch difference {
            case .onlyInFirst(let path): found[path.description] = "-"
            case .onlyInSecond(let path): found[path.description] = "+"
            case .changed(let path, let fields):
                #expect(!fields.isEmpty)
                found[path.description] = "~"
            }
        }
        var expected: [String: String] = [:]
        let (left, right) = (first.views, second.views)
        for path in Set(left.keys).union(right.keys) {
            var one = left[path]
            var other = right[path]
            // Two ways to see the children, which are nodes of their own.
            one?.children = []
            other?.children = []
            let kept = first.persisted[path == "/" ? "" : path]
            if one == nil {
                expected[path] = "+"
            } else if other == nil {
                expected[path] = "-"
            } else if kept != second.persisted[path == "/" ? "" : path]
                || one?.data != other?.data || one?.acl != other?.acl
            {
                expected[path] = "~"
            }
        }
        #expect(found == expected)
        var none = 0
        TreeDifference.forEach(between: first, and: first) { _ in none += 1 }
        #expect(none == 0)
    }

    @Test func `the largest nodes and subtrees are those with the most data`() {
        let history = RandomHistory(seed: 12, count: 300)
        let snapshot = history.tree.snapshot
        let views = snapshot.views
        let largest = LargestNodes(4, of: snapshot)
        let sizes = views.values.map { $0.data?.count ?? 0 }.sorted(by: >)
        #expect(largest.byData.map(\.dataBytes) == Array(sizes.prefix(4)))
        #expect(largest.subtrees.first?.path == .root)
        #expect(largest.subtrees.first?.dataBytes == sizes.reduce(0, +))
        #expect(largest.subtrees.first?.nodes == views.count)
        for item in largest.subtrees {
            let below = views.filter { Path([UInt8]($0.key.utf8)).isAtOrBelow(item.path) }
            #expect(below.count == item.nodes)
            #expect(below.values.reduce(0) { $0 + ($1.data?.count ?? 0) } == item.dataBytes)
        }
    }

    // MARK: Times

    @Test(
        arguments: [
            ("1970-01-01", 0), ("1970-01-01T00:00:00Z", 0), ("1795227057153", 1_795_227_057_153),
            ("2026-11-21T02:10:57.153Z", 1_795_227_057_153),
            ("2026-11-21T03:10:57.153+01:00", 1_795_227_057_153),
            ("2026-11-20 21:40:57.153-0430", 1_795_227_057_153),
            ("2024-02-29T12:00", 1_709_208_000_000), ("2000-03-01T00:00:00.5Z", 951_868_800_500),
        ] as [(String, Int64)])
    func `a time is read as it is meant`(text: String, milliseconds: Int64) {
        #expect(Timestamp(text)?.milliseconds == milliseconds)
        #expect(Timestamp(Timestamp(milliseconds: milliseconds).text)?.milliseconds == milliseconds)
    }

    @Test(
        arguments: [
            "", "yesterday", "2026-02-30", "2026-13-01", "2026-11-21T", "2026-11-21T25:00",
            "2026-11-21T02:10:57.Z", "2026-11-21T02:10:57+1", "2026-11-21T02:10:57Zx", "20261121T",
        ])
    func `what is no time is refused`(text: String) {
        #expect(Timestamp(text) == nil)
    }
}
