import AviaryClient

/// Goes through all nodes below one, a level at a time, many requests under way at once.
@ShellActor
enum TreeWalk {
    /// The node and all below it, parents first; those that go meanwhile are left out.
    static func paths(_ shell: Shell, _ top: Path) async throws(ShellError) -> [Path] {
        _ = try await shell.ask(.getChildren(top))
        var all = [top]
        var level = [top]
        while !level.isEmpty {
            var next: [Path] = []
            var walk = Pipelined(level) { [client = shell.client] in
                client.submit(.getChildren($0))
            }
            while let (path, names) = try await walk.next() {
                next += names.sorted(by: Shell.isOrdered).map { path / $0 }
            }
            all += next
            level = next
        }
        return all
    }

    /// The same with their stats, in the order of a tree that is printed: a node, then all below its
    /// first child.
    static func nodes(
        _ shell: Shell, _ top: Path
    ) async throws(ShellError) -> [(path: Path, stat: Stat)] {
        let paths = try await paths(shell, top)
        var nodes: [(path: Path, stat: Stat)] = []
        var walk = Pipelined(paths) { [client = shell.client] in client.submit(.exists($0)) }
        while let (path, stat) = try await walk.next() {
            if let stat { nodes.append((path, stat)) }
        }
        return nodes.sorted { isBefore($0.path, $1.path) }
    }

    /// By names, so that `/a/b` comes before `/a-b`: a slash is less than any byte.
    static func isBefore(_ left: Path, _ right: Path) -> Bool {
        let slash = UInt8(ascii: "/")
        return left.bytes.lexicographicallyPrecedes(right.bytes) { first, second in
            if first == second { return false }
            if first == slash { return true }
            return second != slash && first < second
        }
    }
}

extension Path {
    /// How many names it has.
    var depth: Int { self == .root ? 0 : bytes.count { $0 == UInt8(ascii: "/") } }

    /// Whether it is the other or below it.
    func isWithin(_ other: Path) -> Bool {
        if other == .root || self == other { return true }
        return bytes.starts(with: other.bytes) && bytes[other.bytes.count] == UInt8(ascii: "/")
    }
}
