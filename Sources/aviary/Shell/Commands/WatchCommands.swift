import AviaryClient
import Glibc

extension Command {
    static let watchCommands = [addWatch, removewatches, printwatches, watch]

    private static let addWatch = Command(
        "addWatch",
        "[-m mode] path # optional mode is one of [PERSISTENT, PERSISTENT_RECURSIVE] - default is "
            + "PERSISTENT_RECURSIVE",
        "Tells of all changes from now on, of the node or also of all below it.",
        options: [CommandOption("m", "mode", "PERSISTENT or PERSISTENT_RECURSIVE")]
    ) { shell, invocation async throws(ShellError) in
        if invocation.arguments.count != 1 { throw .usage(invocation.command) }
        let kind: ShellWatches.Kind
        switch (invocation.value("m") ?? "PERSISTENT_RECURSIVE").uppercased() {
        case "PERSISTENT": kind = .persistent
        case "PERSISTENT_RECURSIVE": kind = .recursive
        default: throw .usage(invocation.command)
        }
        let path = try invocation.path(0)
        if !shell.watches.has(kind, path) {
            let mode: AddWatchMode = kind == .persistent ? .persistent : .persistentRecursive
            shell.watches.add(kind, try await shell.ask(.addWatch(path, mode: mode)))
        }
        if shell.form != .plain { shell.answer(.done) }
    }

    private static let removewatches = Command(
        "removewatches", "path [-c|-d|-p|-r|-a] [-l]",
        "Removes this session's watches of a node.",
        options: [
            CommandOption("c", "of its children"),
            CommandOption("d", "of its data"),
            CommandOption("p", "persistent ones"),
            CommandOption("r", "persistent recursive ones"),
            CommandOption("a", "all; so does no option"),
            CommandOption("l", "also if there is no server now"),
        ], minimumArguments: 1
    ) { shell, invocation async throws(ShellError) in
        let path = try invocation.path(0)
        let chosen: [(String, WatchKind, [ShellWatches.Kind])] = [
            ("c", .children, [.children]), ("d", .data, [.data]),
            ("p", .persistent, [.persistent]), ("r", .persistentRecursive, [.recursive]),
        ]
        let (_, kind, kinds) =
            chosen.first { invocation.has($0.0) } ?? ("a", .any, ShellWatches.Kind.allCases)
        // The client knows what is watched, as ZooKeeper's does.
        if !kinds.contains(where: { shell.watches.has($0, path) }) {
            throw ShellError(ShellError.code(.noWatcher, path))
        }
        try await shell.ask(.removeWatches(path, kind: kind))
        shell.watches.remove(kinds, path)
        if shell.form != .plain { shell.answer(.done) }
    }

    private static let printwatches = Command(
        "printwatches", "on|off", "Says whether events are printed, or sets it.",
        needsConnection: false
    ) { shell, invocation async throws(ShellError) in
        if let word = invocation.argument(0) {
            shell.printsWatches = word == "on"
        } else {
            shell.answer(
                .text("printwatches is \(shell.printsWatches ? "on" : "off")", "printwatches"))
        }
    }

    private static let watch = Command(
        "watch", "[-r] [--count number] path",
        "Prints each change of a node as it comes, until Ctrl-C.",
        options: [
            CommandOption("r", "of all nodes below, too"),
            CommandOption("count", "number", "end after so many events"),
        ], minimumArguments: 1
    ) { shell, invocation async throws(ShellError) in
        let path = try invocation.path(0)
        let count: Int? = try invocation.number("count", orSay: "--count needs a number")
        let mode: AddWatchMode = invocation.has("r") ? .persistentRecursive : .persistent
        let watch = try await shell.ask(.addWatch(path, mode: mode))
        try await shell.follow(watch, count: count ?? .max)
    }
}

extension Shell {
    fileprivate func follow(_ watch: Watch, count: Int) async throws(ShellError) {
        var left = count
        if input != nil { console.error("Watching \(watch.path.shown); Ctrl-C ends it.") }
        console.flush()
        let interruption = input?.whileInterruptible(jobs) { watch.cancel() }
        defer { interruption?.end() }
        do throws(ClientError) {
            for try await event in watch where left > 0 {
                printChange(event)
                console.flush()
                left -= 1
                if left == 0 { watch.cancel() }
            }
        } catch {
            throw ShellError(error)
        }
    }

    private func printChange(_ event: WatchEvent) {
        if form == .json {
            console.json { json in
                json.beginObject()
                json.add("event", event.kind.word)
                json.add("path", event.path)
                if let zxid = event.zxid { json.add("zxid", zxid) }
                json.add("time", Self.now)
                json.endObject()
            }
            return
        }
        let time = console.dim(LocalTime.short(milliseconds: Self.now))
        let zxid = event.zxid.map { "  zxid \(PlainForm.hexadecimal($0))" } ?? ""
        let word = event.kind.word
        let gap = String(repeating: " ", count: 8 - min(word.count, 8))
        let colored =
            switch event.kind {
            case .created: console.good(word)
            case .deleted: console.bad(word)
            default: word
            }
        console.line("\(time)  \(colored)\(gap)  \(event.path.shown)\(console.dim(zxid))")
    }

    private static var now: Int64 {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}

extension WatchEvent.Kind {
    /// For people; at most eight letters.
    fileprivate var word: String {
        switch self {
        case .created: "created"
        case .deleted: "deleted"
        case .dataChanged: "changed"
        case .childrenChanged: "children"
        case .resync: "resync"
        }
    }
}
