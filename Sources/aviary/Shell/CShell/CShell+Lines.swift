import AviaryClient

extension CShell {
    private static let help = """
            create [+[e|s|c|t=ttl]] <path>
            create2 [+[e|s|c|t=ttl]] <path>
            delete <path>
            set <path> <data>
            get <path>
            ls <path>
            ls2 <path>
            sync <path>
            exists <path>
            wexists <path>
            myid
            verbose
            addauth <scheme> <id>
            config
            quit

            prefix the command with the character 'a' to run the command asynchronously.
            i.e. 'aget /foo' to get /foo asynchronously
        """

    /// Does what the line says; lines that say nothing known are passed over.
    func take(_ typed: String) async {
        let isAuthentication = typed.hasPrefix("addauth ")
        let line = typed.hasPrefix("a") && !isAuthentication ? typed.dropFirst() : typed[...]
        let space = line.firstIndex(of: " ") ?? line.endIndex
        let rest = space == line.endIndex ? "" : String(line[line.index(after: space)...])
        switch (line[..<space], space < line.endIndex) {
        case ("help", false): say(Self.help)
        case ("verbose", false): toggleVerbose()
        case ("quit", false): quit()
        case ("myid", false):
            writeToStandardOutput("session Id = \(Self.hexadecimal(zk.sessionID.rawValue))\n")
        case ("config", false): await config()
        case ("get", true): await get(rest)
        case ("set", true): await set(rest)
        case ("ls", true): await list(rest, withStat: false)
        case ("ls2", true): await list(rest, withStat: true)
        case ("create", true): await create(rest, withStat: false)
        case ("create2", true): await create(rest, withStat: true)
        case ("delete", true): await delete(rest)
        case ("sync", true): await sync(rest)
        case ("exists", true): await exists(rest, watched: false)
        case ("wexists", true): await exists(rest, watched: true)
        case ("addauth", true): await authenticate(rest)
        default: break
        }
    }

    private func toggleVerbose() {
        isVerbose.toggle()
        say("logging level set to \(isVerbose ? "DEBUG" : "WARN")")
    }

    /// The path that the rest of the line is; nil, and said, if it is none.
    private func path(_ text: String) -> Path? {
        if text.hasPrefix("/") { return Path(text) }
        say("Path must start with /, found: \(text)")
        return nil
    }

    private static func number<Reply>(_ result: Result<Reply, ReturnCode>) -> Int32 {
        switch result {
        case .success: 0
        case .failure(let code): code.number
        }
    }

    // MARK: Reads

    private func get(_ text: String) async {
        guard let path = path(text) else { return }
        if watches.has(.data, path) {
            sayData(path, await ask(.getData(path)))
            return
        }
        let result = await ask(.getDataAndWatch(path))
        if case .success(let watched) = result { watches.add(.data, watched.watch) }
        sayData(path, result.map(\.value))
    }

    private func config() async {
        clock = .now
        sayData("/zookeeper/config", await ask(.getConfig()))
    }

    private func sayData(_ path: Path, _ result: Result<NodeData, ReturnCode>) {
        sayTime()
        say("\(path): rc = \(Self.number(result))")
        guard case .success(let data) = result, !data.isNull else {
            say("\nStat:")
            sayStat(try? result.get().stat)
            return
        }
        say(" value_len = \(data.data.count)")
        writeToStandardError(data.data)
        say("\nStat:")
        sayStat(data.stat)
    }

    private func list(_ text: String, withStat: Bool) async {
        guard let path = path(text) else { return }
        clock = .now
        let result: Result<NodeChildren, ReturnCode>
        if watches.has(.children, path) {
            result = await ask(.getChildrenWithStat(path))
        } else {
            let watched = await ask(.getChildrenAndWatch(path))
            if case .success(let watched) = watched { watches.add(.children, watched.watch) }
            result = watched.map(\.value)
        }
        sayTime()
        say("\(path): rc = \(Self.number(result))")
        guard case .success(let children) = result else {
            sayTime()
            if withStat { sayStat(nil) }
            return
        }
        for name in children.names { say("\t\(name)") }
        sayTime()
        if withStat { sayStat(children.stat) }
    }

    private func exists(_ text: String, watched: Bool) async {
        guard let path = path(text) else { return }
        let result: Result<Stat?, ReturnCode>
        if !watched || watches.has(.data, path) {
            result = await ask(.exists(path))
        } else {
            let watched = await ask(.existsAndWatch(path))
            if case .success(let watched) = watched { watches.add(.data, watched.watch) }
            result = watched.map(\.value)
        }
        switch result {
        case .success(.some): break
        case .success(nil): say("Error \(ZooKeeperError.noNode.rawValue) for \(path)")
        case .failure(let code): say("Error \(code.number) for \(path)")
        }
    }

    // MARK: Writes

    private func set(_ text: String) async {
        guard let path = path(text) else { return }
        guard let space = path.description.firstIndex(of: " ") else {
            say("No data found after path")
            return
        }
        let target = Path(text[..<space])
        let result = await ask(.setData(target, Array(text[text.index(after: space)...].utf8)))
        say("\(target): rc = \(Self.number(result)) Stat:")
        sayStat(try? result.get())
    }

    private func create(_ text: String, withStat: Bool) async {
        var rest = text
        var options = CShellCreateOptions()
        if rest.hasPrefix("+") {
            let end = rest.firstIndex(of: " ") ?? rest.endIndex
            if let unknown = options.read(rest[..<end].dropFirst()) {
                say("Unknown option: \(unknown)")
                return
            }
            rest = String(rest[end...].drop { $0 == " " })
        }
        guard let path = path(rest) else { return }
        guard let mode = options.mode else {
            say("ephemeral, container and ttl cannot be combined so")
            return
        }
        say("Creating [\(path)] node" + (printsModes ? " (mode: \(mode.rawValue))" : ""))
        let result = await ask(
            .create(path, Array("new".utf8), mode: mode, ttl: options.ttl.map { .milliseconds($0) })
        )
        say("[\(path)]: rc = \(Self.number(result))")
        if case .success(let node) = result { say("\tname = \(node.path)") }
        if withStat { sayStat(try? result.get().stat) }
    }

    private func delete(_ text: String) async {
        guard let path = path(text) else { return }
        say("\(path): rc = \(Self.number(await ask(.delete(path))))")
    }

    private func sync(_ text: String) async {
        guard let path = path(text) else { return }
        let result = await ask(.sync(path))
        say("[\(path)]: rc = \(Self.number(result))")
        if case .success = result { say("\tname = \(path)") }
    }

    private func authenticate(_ text: String) async {
        let parts = text.split(separator: " ", maxSplits: 1)
        guard let scheme = parts.first else { return }
        let credential = parts.count > 1 ? Array(parts[1].utf8) : []
        // Refused, it ends the session, which is said there.
        _ = await ask(.addAuth(scheme: String(scheme), credential))
    }
}

/// `+es`, `+c`, `+st=1000`.
struct CShellCreateOptions {
    private var isEphemeral = false
    private var isSequential = false
    private var isContainer = false
    private(set) var ttl: Int64?

    /// - Returns: the letter that is none of the options.
    mutating func read(_ text: Substring) -> Character? {
        var text = text
        while let letter = text.popFirst() {
            switch letter {
            case "e": isEphemeral = true
            case "s": isSequential = true
            case "c": isContainer = true
            case "t":
                guard text.popFirst() == "=", let milliseconds = Int64(text.prefix { $0.isNumber })
                else { return "t" }
                ttl = milliseconds
                text = text.drop { $0.isNumber }
            default: return letter
            }
        }
        return nil
    }

    /// Nil if there is no such kind of node.
    var mode: CreateMode? {
        switch (isEphemeral, isSequential, isContainer, ttl != nil) {
        case (false, false, false, false): .persistent
        case (true, false, false, false): .ephemeral
        case (false, true, false, false): .persistentSequential
        case (true, true, false, false): .ephemeralSequential
        case (false, false, true, false): .container
        case (false, false, false, true): .persistentWithTTL
        case (false, true, false, true): .persistentSequentialWithTTL
        default: nil
        }
    }
}
