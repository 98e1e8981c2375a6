import AviaryClient

extension Command {
    /// What works on a node and all below it.
    static let treeCommands = [deleteall, tree, du, find]

    private static let deleteall = Command(
        "deleteall", "path [-b batch size]",
        "Deletes a node and all below it; on a terminal, says how many and asks first.",
        options: [
            CommandOption("b", "size", "how many deletes at a time, all of which succeed or none"),
            CommandOption("yes", "do not ask"),
            CommandOption("dry-run", "say how many, delete none"),
        ], minimumArguments: 1
    ) { shell, invocation async throws(ShellError) in
        let batch: Int? = try invocation.number("b", orSay: "-b argument must be an int value")
        if let batch, batch < 1 { throw ShellError("-b needs a size from 1 on") }
        let top = try invocation.path(0)
        let paths = try await TreeWalk.paths(shell, top)
        let count = Words.count(paths.count, "node")
        if invocation.has("dry-run") {
            shell.answer(.number(top, "wouldDelete", paths.count))
            return
        }
        if let input = shell.input, !invocation.has("yes") {
            let question = "Delete \(count), \(top.shown) and all below it? [y/N] "
            guard await input.confirm(question) else {
                shell.console.line("Nothing was deleted.")
                return
            }
        }
        try await shell.delete(paths, batch: batch ?? 1000)
        if shell.form != .plain || shell.input != nil {
            shell.answer(.text("Deleted \(count)", "message"))
        }
    }

    private static let tree = Command(
        "tree", "[--depth count] [-s] [path]", "Draws a node and those below it.",
        options: [
            CommandOption("depth", "count", "so many levels below the node"),
            CommandOption("s", "with bytes and versions"),
        ]
    ) { shell, invocation async throws(ShellError) in
        let top = invocation.arguments.isEmpty ? Path.root : try invocation.path(0)
        let depth: Int = try invocation.number("depth", orSay: "--depth needs a number") ?? .max
        let nodes = try await TreeWalk.nodes(shell, top)
        let levels = depth == .max ? Int.max : top.depth + depth
        shell.drawTree(
            nodes.filter { $0.path.depth <= levels }, total: nodes.count,
            withStat: invocation.has("s"))
    }

    private static let du = Command(
        "du", "[--depth count] [path]",
        "Prints how many nodes and bytes are below each child, the largest first.",
        options: [CommandOption("depth", "count", "levels to tell apart; 1 if not given")]
    ) { shell, invocation async throws(ShellError) in
        let top = invocation.arguments.isEmpty ? Path.root : try invocation.path(0)
        let depth: Int = try invocation.number("depth", orSay: "--depth needs a number") ?? 1
        let nodes = try await TreeWalk.nodes(shell, top)
        shell.printUsage(top, Usage.of(nodes, below: top, depth: max(0, min(depth, 1000))))
    }

    private static let find = Command(
        "find", "[--name pattern] [--data text] [--ephemeral] [--larger bytes] [path]",
        "Prints the paths of nodes below a node that are all that the options say.",
        options: [
            CommandOption("name", "pattern", "the last name matches; * is any text, ? any letter"),
            CommandOption("data", "text", "the data holds this text"),
            CommandOption("ephemeral", "a session owns it"),
            CommandOption("owner", "session", "this session owns it, as 0x10000115791007f"),
            CommandOption("larger", "bytes", "there is more data than that"),
            CommandOption("empty", "there are no children"),
        ]
    ) { shell, invocation async throws(ShellError) in
        let top = invocation.arguments.isEmpty ? Path.root : try invocation.path(0)
        let wanted = try NodeFilter(invocation)
        let found = try await TreeWalk.nodes(shell, top).filter { wanted.accepts($0.path, $0.stat) }
        try await shell.printFound(found, text: invocation.value("data"))
    }
}

/// What `find` looks for, of what needs no look at the data.
private struct NodeFilter {
    private let pattern: [Character]?
    private let isEphemeral: Bool
    private let owner: Int64?
    private let larger: Int32?
    private let isEmpty: Bool

    init(_ invocation: Invocation) throws(ShellError) {
        pattern = invocation.value("name").map(Array.init)
        isEphemeral = invocation.has("ephemeral")
        isEmpty = invocation.has("empty")
        larger = try invocation.number("larger", orSay: "--larger needs a number of bytes")
        if let text = invocation.value("owner") {
            let digits = text.hasPrefix("0x") ? text.dropFirst(2) : text[...]
            guard let number = UInt64(digits, radix: 16) else {
                throw ShellError("--owner needs a session, as 0x10000115791007f")
            }
            owner = Int64(bitPattern: number)
        } else {
            owner = nil
        }
    }

    func accepts(_ path: Path, _ stat: Stat) -> Bool {
        if let pattern, !Glob.matches(pattern[...], Array(path.lastComponent)[...]) { return false }
        if let owner, stat.ephemeralOwner != owner { return false }
        if let larger, stat.dataLength <= larger { return false }
        if isEmpty && stat.numChildren > 0 { return false }
        return !isEphemeral || stat.isEphemeral
    }
}

extension Stat {
    /// Owned by a session: not a container, nor a node with a time to live, which are marked there.
    var isEphemeral: Bool {
        let owner = UInt64(bitPattern: ephemeralOwner)
        return owner != 0 && owner != 1 << 63 && owner >> 56 != 0xff
    }
}

/// Patterns with `*` and `?`.
enum Glob {
    static func matches(
        _ pattern: ArraySlice<Character>, _ text: ArraySlice<Character>
    ) -> Bool {
        var pattern = pattern
        var text = text
        // Where to go back to: what follows the last star, and where it was tried.
        var retry: (pattern: ArraySlice<Character>, text: ArraySlice<Character>)?
        while true {
            if pattern.first == "*" {
                pattern.removeFirst()
                retry = (pattern, text)
            } else if let letter = text.first, pattern.first == "?" || pattern.first == letter {
                pattern.removeFirst()
                text.removeFirst()
            } else if text.isEmpty && pattern.isEmpty {
                return true
            } else if let back = retry, !back.text.isEmpty {
                retry = (back.pattern, back.text.dropFirst())
                pattern = back.pattern
                text = back.text.dropFirst()
            } else {
                return false
            }
        }
    }
}

/// How much is below a node, itself included.
struct Usage {
    let path: Path
    var nodes = 0
    var bytes: Int64 = 0

    /// Of the nodes down to the depth, the largest first, and of the top, last.
    static func of(
        _ nodes: [(path: Path, stat: Stat)], below top: Path, depth: Int
    ) -> [Usage] {
        var total = Usage(path: top)
        var open: [Usage] = []
        var closed: [Usage] = []
        for (path, stat) in nodes {
            while let last = open.last, !path.isWithin(last.path) {
                closed.append(last)
                open.removeLast()
            }
            if path != top && path.depth - top.depth <= depth { open.append(Usage(path: path)) }
            for index in open.indices { open[index].add(stat) }
            total.add(stat)
        }
        closed += open
        return closed.sorted { ($0.bytes, $0.nodes, $1.path) > ($1.bytes, $1.nodes, $0.path) }
            + [total]
    }

    private mutating func add(_ stat: Stat) {
        nodes += 1
        bytes += Int64(stat.dataLength)
    }
}

extension Shell {
    /// As zkCli.sh does: the deepest first, in multis, several under way.
    fileprivate func delete(_ paths: [Path], batch: Int) async throws(ShellError) {
        let reversed = Array(paths.reversed())
        let starts = stride(from: 0, to: reversed.count, by: batch).map { $0 }
        var isWhole = true
        var pending: [Pending<MultiResults>] = []
        for start in starts {
            var multi = Multi()
            for path in reversed[start..<min(start + batch, reversed.count)] { multi.delete(path) }
            pending.append(client.submit(.multi(multi)))
            if pending.count == 10 { isWhole = await succeeded(pending.removeFirst()) && isWhole }
        }
        for answer in pending { isWhole = await succeeded(answer) && isWhole }
        if !isWhole { throw ShellError("Failed to delete some node(s) in the subtree!") }
    }

    private func succeeded(_ pending: Pending<MultiResults>) async -> Bool {
        do throws(ClientError) {
            _ = try await pending.value
            return true
        } catch {
            return false
        }
    }

    fileprivate func drawTree(
        _ nodes: [(path: Path, stat: Stat)], total: Int, withStat: Bool
    ) {
        if form == .json {
            for (path, stat) in nodes {
                console.json { json in
                    json.beginObject()
                    json.add("path", path)
                    json.add(stat)
                    json.endObject()
                }
            }
            return
        }
        guard let top = nodes.first?.path else { return }
        for (index, (path, stat)) in nodes.enumerated() {
            let indent = String(repeating: "  ", count: path.depth - top.depth)
            let name = index == 0 ? path.shown : Path.shown(Array(path.lastComponent.utf8))
            var line = indent + (stat.numChildren > 0 ? console.bold(name) : name)
            if stat.isEphemeral { line += " " + console.good("ephemeral") }
            if withStat {
                line += console.dim(
                    "  \(Words.count(Int(stat.dataLength), "byte")), version \(stat.version)")
            }
            console.line(line)
        }
        let hidden = nodes.count == total ? "" : ", \(nodes.count) of them shown"
        console.line(console.dim("\(Words.count(total, "node"))\(hidden)"))
    }

    fileprivate func printUsage(_ top: Path, _ usages: [Usage]) {
        if form == .json {
            for usage in usages {
                console.json { json in
                    json.beginObject()
                    json.add("path", usage.path)
                    json.add("nodes", usage.nodes)
                    json.add("bytes", usage.bytes)
                    json.endObject()
                }
            }
            return
        }
        var table = TextTable([("BYTES", .right), ("NODES", .right), ("PATH", .left)])
        for usage in usages { table.add(["\(usage.bytes)", "\(usage.nodes)", usage.path.shown]) }
        console.lines(table.lines(emphasize: console.bold))
    }

    fileprivate func printFound(
        _ found: [(path: Path, stat: Stat)], text: String?
    ) async throws(ShellError) {
        guard let text else {
            for (path, _) in found { printFound(path) }
            return
        }
        let needle = Array(text.utf8)
        var walk = Pipelined(found.map(\.path)) { [client] in client.submit(.getData($0)) }
        while let (path, data) = try await walk.next() {
            if data.data.holds(needle) { printFound(path) }
        }
    }

    private func printFound(_ path: Path) {
        if form == .json {
            console.json { json in
                json.beginObject()
                json.add("path", path)
                json.endObject()
            }
        } else {
            console.line(path.description)
        }
    }
}

extension [UInt8] {
    fileprivate func holds(_ needle: [UInt8]) -> Bool {
        if needle.isEmpty { return true }
        if needle.count > count { return false }
        return (0...(count - needle.count)).contains { self[$0...].starts(with: needle) }
    }
}
