import AviaryClient

extension Command {
    static let quotaCommands = [setquota, listquota, delquota]

    private static let kinds:
        [(option: String, field: any WritableKeyPath<Quota, Int64> & Sendable)] = [
            ("n", \.count), ("b", \.bytes), ("N", \.countHardLimit), ("B", \.byteHardLimit),
        ]

    private static func options(_ value: String?) -> [CommandOption] {
        [
            CommandOption("n", value, group: "quota", "how many nodes; more is logged"),
            CommandOption("b", value, group: "quota", "how many bytes; more is logged"),
            CommandOption("N", value, group: "quota", "how many nodes; more is refused"),
            CommandOption("B", value, group: "quota", "how many bytes; more is refused"),
        ]
    }

    private static let setquota = Command(
        "setquota", "-n|-b|-N|-B val path",
        "Limits how many nodes or bytes a node and those below it may be.", options: options("val")
    ) { shell, invocation async throws(ShellError) in
        guard let kind = kinds.first(where: { invocation.has($0.option) }) else {
            throw ShellError(
                "Missing required option: [-n num soft quota, -b bytes soft quota, "
                    + "-N num hard quota, -B bytes hard quota]")
        }
        if invocation.arguments.isEmpty { throw .usage(invocation.command) }
        let value: Int64? = try invocation.number(
            kind.option, orSay: "NumberFormatException happens when parsing the option value")
        var quota = Quota()
        quota[keyPath: kind.field] = value ?? -1
        if "nN".contains(kind.option) && (value ?? 0) < 1 {
            throw ShellError("the num quota must be greater than zero")
        }
        if "bB".contains(kind.option) && (value ?? -1) < 0 {
            throw ShellError("the bytes quota must be greater than or equal to zero")
        }
        try await QuotaNodes(shell, invocation[0]).set(quota)
        if shell.form != .plain { shell.answer(.done) }
    }

    private static let listquota = Command(
        "listquota", "path", "Prints a node's quota and how much of it is used.",
        minimumArguments: 1
    ) { shell, invocation async throws(ShellError) in
        let nodes = QuotaNodes(shell, invocation[0])
        shell.console.error("absolute path is \(nodes.limitsText)")
        let limits = try await nodes.text(of: nodes.limitsText)
        guard let limits else {
            shell.console.error("quota for \(invocation[0]) does not exist.")
            return
        }
        shell.answer(.text("Output quota for \(invocation[0]) \(limits)", "quota"))
        if let used = try await nodes.text(of: nodes.statisticsText) {
            shell.answer(.text("Output stat for \(invocation[0]) \(used)", "used"))
        }
    }

    private static let delquota = Command(
        "delquota", "[-n|-b|-N|-B] path", "Lifts a node's quota, or one limit of it.",
        options: options(nil), minimumArguments: 1
    ) { shell, invocation async throws(ShellError) in
        let nodes = QuotaNodes(shell, invocation[0])
        guard let text = try await nodes.text(of: nodes.limitsText) else {
            shell.console.line("Quota does not exist for \(invocation[0])")
            return
        }
        if let kind = kinds.first(where: { invocation.has($0.option) }) {
            var quota = Quota(text)
            quota[keyPath: kind.field] = -1
            _ = try await shell.ask(.setData(Path(nodes.limitsText), Array(quota.text.utf8)))
        } else {
            try await nodes.delete()
        }
        if shell.form != .plain { shell.answer(.done) }
    }
}

/// Limits; -1 is none.
///
/// Source of the text: org.apache.zookeeper.StatsTrack.toString, 3.9.5.
struct Quota {
    var count: Int64 = -1
    var bytes: Int64 = -1
    var byteHardLimit: Int64 = -1
    var countHardLimit: Int64 = -1

    init() {}

    init(_ text: String) {
        for part in text.split(whereSeparator: { $0 == "," || $0 == ";" }) {
            let sides = part.split(separator: "=")
            guard sides.count >= 2, let value = Int64(sides[1]) else { continue }
            switch sides[0] {
            case "count": count = value
            case "bytes": bytes = value
            case "byteHardLimit": byteHardLimit = value
            case "countHardLimit": countHardLimit = value
            default: continue
            }
        }
    }

    var text: String {
        "count=\(count),bytes=\(bytes)=;byteHardLimit=\(byteHardLimit);"
            + "countHardLimit=\(countHardLimit)"
    }

    /// With the limits that the other sets.
    func merged(with other: Quota) -> Quota {
        var merged = self
        if other.count > -1 { merged.count = other.count }
        if other.bytes > -1 { merged.bytes = other.bytes }
        if other.countHardLimit > -1 { merged.countHardLimit = other.countHardLimit }
        if other.byteHardLimit > -1 { merged.byteHardLimit = other.byteHardLimit }
        return merged
    }
}

/// The nodes that hold a path's quota.
///
/// Source: what org.apache.zookeeper.cli.SetQuotaCommand and DelQuotaCommand do, 3.9.5.
@ShellActor
private struct QuotaNodes {
    private static let top = "/zookeeper/quota"
    private let shell: Shell
    private let path: String

    init(_ shell: Shell, _ path: String) {
        self.shell = shell
        self.path = path
    }

    var limitsText: String { "\(Self.top)\(path)/zookeeper_limits" }
    var statisticsText: String { "\(Self.top)\(path)/zookeeper_stats" }

    /// A node's data; nil if there is no such node.
    func text(of path: String) async throws(ShellError) -> String? {
        let checked = try ShellPath.checked(path)
        do throws(ClientError) {
            return try await shell.client.submit(.getData(checked)).value.text
        } catch {
            if error.refusal == .noNode { return nil }
            throw ShellError(error)
        }
    }

    func set(_ quota: Quota) async throws(ShellError) {
        if path.hasPrefix(Self.top) {
            throw ShellError("cannot set a quota under the path: \(Self.top)")
        }
        let checked = try ShellPath.checked(path)
        _ = try ShellPath.checked(Self.top + path)
        guard try await shell.ask(.exists(checked)) != nil else {
            throw ShellError("\(path) does not exist.")
        }
        if let old = try await text(of: limitsText) {
            try await change(Quota(old).merged(with: quota))
            return
        }
        try await refuseNesting()
        var made = ""
        for name in (Self.top + path).split(separator: "/") {
            made += "/\(name)"
            try await makeIfMissing(made, nil)
        }
        try await makeIfMissing(limitsText, quota.text)
        try await makeIfMissing(statisticsText, "count=0,bytes=0")
    }

    private func change(_ quota: Quota) async throws(ShellError) {
        let used = Quota(try await text(of: statisticsText) ?? "")
        for limit in [quota.count, quota.countHardLimit] where limit > -1 && limit < used.count {
            shell.console.line(
                "[Warning]: the count quota you create is less than the existing "
                    + "count:\(used.count)")
            break
        }
        for limit in [quota.bytes, quota.byteHardLimit] where limit > -1 && limit < used.bytes {
            shell.console.line(
                "[Warning]: the bytes quota you create is less than the existing "
                    + "bytes:\(used.bytes)")
            break
        }
        _ = try await shell.ask(.setData(Path(limitsText), Array(quota.text.utf8)))
    }

    private func makeIfMissing(_ path: String, _ text: String?) async throws(ShellError) {
        if try await shell.ask(.exists(Path(path))) != nil { return }
        do throws(ClientError) {
            _ = try await shell.client.submit(.create(Path(path), text.map { Array($0.utf8) }))
                .value
        } catch {
            if error.refusal != .nodeExists { throw ShellError(error) }
        }
    }

    /// A quota above or below would count the same nodes.
    private func refuseNesting() async throws(ShellError) {
        let quotaPath = Path(Self.top + path)
        if try await shell.ask(.exists(quotaPath)) != nil {
            for node in try await TreeWalk.paths(shell, quotaPath)
            where node.lastComponent == "zookeeper_limits" {
                let owner = (node.parent ?? .root).description.dropFirst(Self.top.count)
                throw ShellError("\(path) has a child \(owner) which has a quota")
            }
        }
        var above = Path(path).parent
        while let parent = above, parent != .root {
            if try await text(of: "\(Self.top)\(parent)/zookeeper_limits") != nil {
                throw ShellError("\(path) has a parent \(parent) which has a quota")
            }
            above = parent.parent
        }
    }

    /// The quota, and the nodes above it that hold no other.
    func delete() async throws(ShellError) {
        for leaf in [limitsText, statisticsText] { try await deleteIfThere(Path(leaf)) }
        var node = Path(Self.top + path)
        while node != Path(Self.top), try await shell.ask(.getChildren(node)).isEmpty {
            try await deleteIfThere(node)
            guard let parent = node.parent else { return }
            node = parent
        }
    }

    private func deleteIfThere(_ path: Path) async throws(ShellError) {
        do throws(ClientError) {
            _ = try await shell.client.submit(.delete(path)).value
        } catch {
            if error.refusal != .noNode { throw ShellError(error) }
        }
    }
}
