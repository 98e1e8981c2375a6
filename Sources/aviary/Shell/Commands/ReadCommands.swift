import AviaryClient

extension Command {
    /// What reads nodes one at a time.
    static let readCommands = [get, stat, ls, getAllChildrenNumber, getEphemerals]

    private static let watchOption = CommandOption("w", "tell, once, of the next change")
    private static let statOption = CommandOption("s", "print the node's stat, too")

    private static let get = Command(
        "get", "[-s] [-w] [-b] [-x] path", "Prints a node's data.",
        options: [
            statOption, watchOption,
            CommandOption("b", "the data in base64"),
            CommandOption("x", "the data as hexadecimal numbers and ASCII"),
        ], minimumArguments: 1
    ) { shell, invocation async throws(ShellError) in
        let isDeprecated = shell.complainOfOldForm(invocation, "get [-s] [-w] path")
        let path = try invocation.path(0)
        let form: DataForm =
            invocation.has("b") ? .base64 : invocation.has("x") ? .hexDump : .text
        let data = try await shell.data(path, watched: invocation.has("w") || isDeprecated)
        shell.answer(.data(path, data, stat: invocation.has("s"), form))
    }

    private static let stat = Command(
        "stat", "[-w] path", "Prints when, how often and in which transactions a node changed.",
        options: [watchOption], minimumArguments: 1
    ) { shell, invocation async throws(ShellError) in
        let isDeprecated = shell.complainOfOldForm(invocation, "stat [-w] path")
        let path = try invocation.path(0)
        let stat = try await shell.stat(path, watched: invocation.has("w") || isDeprecated)
        guard let stat else { throw ShellError("Node does not exist: \(path)") }
        shell.answer(.stat(path, stat))
    }

    private static let ls = Command(
        "ls", "[-s] [-w] [-R] path", "Lists a node's children.",
        options: [
            CommandOption("?", "help"),
            CommandOption("R", "recurse"),
            CommandOption("s", "stat"),
            CommandOption("w", "watch"),
        ], minimumArguments: 0
    ) { shell, invocation async throws(ShellError) in
        if invocation.has("?") {
            shell.console.line("usage: ls [options] path")
            for option in invocation.command.options {
                shell.console.line(" -\(option.name)   \(option.help)")
            }
        }
        if invocation.arguments.isEmpty { throw .usage(invocation.command) }
        let isDeprecated = shell.complainOfOldForm(invocation, "ls [-w] path")
        let path = try invocation.path(0)
        let isWatched = invocation.has("w") || isDeprecated
        if invocation.has("R") {
            try await shell.listAll(path, watched: isWatched)
            return
        }
        let children = try await shell.children(path, watched: isWatched)
        if shell.form == .table {
            shell.answer(.listing(path, try await shell.stats(children.names, below: path)))
        } else {
            shell.answer(.children(path, children, stat: invocation.has("s")))
        }
    }

    private static let getAllChildrenNumber = Command(
        "getAllChildrenNumber", "path", "Counts the nodes below a node.", minimumArguments: 1
    ) { shell, invocation async throws(ShellError) in
        let path = try invocation.path(0)
        let number = try await shell.ask(.getAllChildrenNumber(path))
        shell.answer(.number(path, "descendants", number))
    }

    private static let getEphemerals = Command(
        "getEphemerals", "path", "Lists this session's ephemeral nodes, those that begin with path."
    ) { shell, invocation async throws(ShellError) in
        let prefix = invocation.arguments.isEmpty ? nil : try invocation.path(0)
        let paths = try await shell.ask(.getEphemerals(prefix: prefix))
        shell.answer(.paths("ephemerals", paths.sorted()))
    }
}

extension Shell {
    /// `get path watch`, which zkCli.sh still takes.
    func complainOfOldForm(_ invocation: Invocation, _ new: String) -> Bool {
        if invocation.arguments.count < 2 { return false }
        console.error(
            "'\(invocation.command.name) path [watch]' has been deprecated. Please use '\(new)' "
                + "instead.")
        return true
    }

    func data(_ path: Path, watched: Bool) async throws(ShellError) -> NodeData {
        if !watched || watches.has(.data, path) { return try await ask(.getData(path)) }
        let watched = try await ask(.getDataAndWatch(path))
        watches.add(.data, watched.watch)
        return watched.value
    }

    func stat(_ path: Path, watched: Bool) async throws(ShellError) -> Stat? {
        if !watched || watches.has(.data, path) { return try await ask(.exists(path)) }
        let watched = try await ask(.existsAndWatch(path))
        watches.add(.data, watched.watch)
        return watched.value
    }

    func children(_ path: Path, watched: Bool) async throws(ShellError) -> NodeChildren {
        if !watched || watches.has(.children, path) {
            return try await ask(.getChildrenWithStat(path))
        }
        let watched = try await ask(.getChildrenAndWatch(path))
        watches.add(.children, watched.watch)
        return watched.value
    }

    /// Of children; those that are gone by now are left out.
    func stats(
        _ names: [String], below path: Path
    ) async throws(ShellError) -> [(name: String, stat: Stat)] {
        var found: [(name: String, stat: Stat)] = []
        var walk = Pipelined(names) { [client] in client.submit(.exists(path / $0)) }
        while let (name, stat) = try await walk.next() {
            if let stat { found.append((name, stat)) }
        }
        return found
    }

    /// ls -R: children before grandchildren, as zkCli.sh goes through a tree.
    fileprivate func listAll(_ top: Path, watched: Bool) async throws(ShellError) {
        _ = try await data(top, watched: watched)
        printPath(top)
        try await listBelow(top, watched: watched)
    }

    private func listBelow(_ path: Path, watched: Bool) async throws(ShellError) {
        let names: [String]
        if watched {
            names = try await children(path, watched: true).names
        } else {
            names = try await ask(.getChildren(path))
        }
        let sorted = names.sorted(by: Self.isOrdered)
        for name in sorted { printPath(path / name) }
        for name in sorted {
            do throws(ShellError) {
                try await listBelow(path / name, watched: watched)
            } catch {
                // Deleted since it was listed.
                if error.message != "Node does not exist: \(path / name)" { throw error }
            }
        }
    }

    private func printPath(_ path: Path) {
        switch form {
        case .plain: console.line(path.description)
        case .json:
            console.json { json in
                json.beginObject()
                json.add("path", path)
                json.endObject()
            }
        case .table: console.line(path.shown)
        }
    }
}
