import AviaryClient

extension Command {
    /// What changes nodes one at a time.
    static let nodeCommands = [create, set, delete]

    private static let longestTTL: Int64 = 0xff_ffff_ffff

    private static let create = Command(
        "create", "[-s] [-e] [-c] [-t ttl] path [data] [acl]",
        "Creates a node; without data it has none, which is not the same as an empty string.",
        options: [
            CommandOption("s", "sequential: the server adds a number to the name"),
            CommandOption("e", "ephemeral: it is deleted with the session"),
            CommandOption("c", "container: the server deletes it some time after its last child"),
            CommandOption("t", "ttl", "deleted when it had no children for so many milliseconds"),
        ], minimumArguments: 1
    ) { shell, invocation async throws(ShellError) in
        let (mode, ttl) = try createMode(invocation)
        let path = try invocation.path(0, isSequential: invocation.has("s"))
        if let ttl, ttl < 1 || ttl > longestTTL {
            throw ShellError("ttl must be positive and cannot be larger than: \(longestTTL)")
        }
        var acl = ACL.openToAll
        if let text = invocation.argument(2) {
            acl = ACLText.parse(text) { shell.console.error($0) }
            if acl.isEmpty { throw invalidACL(nil, shell) }
        }
        do throws(ShellError) {
            let node = try await shell.ask(
                .create(
                    path, invocation.argument(1).map { Array($0.utf8) }, acl: acl, mode: mode,
                    ttl: ttl.map { .milliseconds($0) }))
            shell.answer(.created(node.path))
        } catch {
            if error.message.hasPrefix("Acl is not valid") { throw invalidACL(path, shell) }
            throw error
        }
    }

    private static func createMode(
        _ invocation: Invocation
    ) throws(ShellError) -> (CreateMode, ttl: Int64?) {
        let isSequential = invocation.has("s")
        let isEphemeral = invocation.has("e")
        let isContainer = invocation.has("c")
        if isContainer && (isEphemeral || isSequential) {
            throw ShellError(
                "-c cannot be combined with -s or -e. Containers cannot be ephemeral or "
                    + "sequential.")
        }
        if invocation.has("t") && isEphemeral {
            throw ShellError("TTLs cannot be used with Ephemeral znodes")
        }
        if invocation.has("t") && isContainer {
            throw ShellError("TTLs cannot be used with Container znodes")
        }
        let ttl: Int64? = try invocation.number("t", orSay: "-t argument must be a long value")
        if isContainer { return (.container, nil) }
        if ttl != nil {
            return (isSequential ? .persistentSequentialWithTTL : .persistentWithTTL, ttl)
        }
        if isEphemeral { return (isSequential ? .ephemeralSequential : .ephemeral, nil) }
        return (isSequential ? .persistentSequential : .persistent, nil)
    }

    /// zkCli.sh says it twice.
    @ShellActor
    private static func invalidACL(_ path: Path?, _ shell: Shell) -> ShellError {
        shell.console.error(ShellError.code(.invalidACL, path))
        return ShellError("Acl is not valid : \(path?.description ?? "null")")
    }

    private static let set = Command(
        "set", "[-s] [-v version] [-b] path data", "Replaces a node's data.",
        options: [
            CommandOption("s", "print the node's stat then"),
            CommandOption("v", "version", "only if the node has this version"),
            CommandOption("b", "the data is base64"),
        ], minimumArguments: 2
    ) { shell, invocation async throws(ShellError) in
        let path = try invocation.path(0)
        var data = Array(invocation[1].utf8)
        if invocation.has("b") {
            guard let decoded = Base64.decode(invocation[1]) else {
                throw ShellError("-b needs data in base64, and this is not")
            }
            data = decoded
        }
        let stat = try await shell.ask(
            .setData(path, data, version: try invocation.version()))
        shell.answerWrite(path, stat, withStat: invocation.has("s"))
    }

    private static let delete = Command(
        "delete", "[-v version] path", "Deletes a node that has no children.",
        options: [CommandOption("v", "version", "only if the node has this version")],
        minimumArguments: 1
    ) { shell, invocation async throws(ShellError) in
        if invocation.arguments.count > 1 {
            shell.console.error(
                "'delete path [version]' has been deprecated. Please use "
                    + "'delete [-v version] path' instead.")
        }
        try await shell.ask(
            .delete(try invocation.path(0), version: try invocation.version()))
        shell.answer(.done)
    }
}

extension Shell {
    /// A write whose stat zkCli.sh prints only with -s.
    func answerWrite(_ path: Path, _ stat: Stat, withStat: Bool) {
        if withStat || form != .plain { answer(.stat(path, stat)) }
    }
}
