import AviaryClient
import AviaryServer

extension Command {
    static let ensembleCommands = [config, reconfig, sync, version]

    private static let config = Command(
        "config", "[-c] [-w] [-s]", "Prints the ensemble's members.",
        options: [
            CommandOption("c", "as a connect string for clients, and the version"),
            CommandOption("w", "tell, once, of the next change"),
            CommandOption("s", "print the node's stat, too"),
        ]
    ) { shell, invocation async throws(ShellError) in
        let path = Path("/zookeeper/config")
        let config: NodeData
        if invocation.has("w") && !shell.watches.has(.data, path) {
            let watched = try await shell.ask(.getConfigAndWatch())
            shell.watches.add(.data, watched.watch)
            config = watched.value
        } else {
            config = try await shell.ask(.getConfig())
        }
        if invocation.has("c") {
            shell.answer(.text(ConfigText.connectString(config.text), "connect"))
        } else {
            shell.answer(.data(path, config, stat: invocation.has("s"), .text))
        }
    }

    private static let reconfig = Command(
        "reconfig",
        "[-s] [-v version] [[-file path] | [-members serverID=host:port1:port2;port3[,...]*]] | "
            + "[-add serverId=host:port1:port2;port3[,...]]* [-remove serverId[,...]*]",
        "Changes the ensemble's members.",
        options: [
            CommandOption("s", "print the node's stat then"),
            CommandOption("v", "version", "only if the configuration has this version, in hex"),
            CommandOption("file", "path", "all members, as in a dynamic configuration file"),
            CommandOption("members", "list", "all members"),
            CommandOption("add", "list", "members to add or change"),
            CommandOption("remove", "list", "ids of members to remove"),
        ]
    ) { shell, invocation async throws(ShellError) in
        let config = try await shell.ask(try reconfiguration(invocation))
        shell.console.line("Committed new configuration:")
        shell.answer(
            .data(Path("/zookeeper/config"), config, stat: invocation.has("s"), .text))
    }

    private static func reconfiguration(
        _ invocation: Invocation
    ) throws(ShellError) -> Request<NodeData> {
        let isIncremental = invocation.has("add") || invocation.has("remove")
        if invocation.has("file") && invocation.has("members") {
            throw ShellError(
                "Can't use -file and -members together (conflicting non-incremental modes)")
        }
        if isIncremental && (invocation.has("file") || invocation.has("members")) {
            throw ShellError(
                "Can't use -file or -members together with -add or -remove (mixing incremental "
                    + "and non-incremental modes is not allowed)")
        }
        let version = try configurationVersion(invocation)
        if let file = invocation.value("file") {
            return .reconfig(members: try members(inFile: file), version: version)
        }
        if let members = invocation.value("members") {
            return .reconfig(members: items(members), version: version)
        }
        if !isIncremental { throw .usage(invocation.command) }
        return .reconfig(
            joining: items(invocation.value("add") ?? ""),
            leaving: items(invocation.value("remove") ?? ""), version: version)
    }

    private static func configurationVersion(
        _ invocation: Invocation
    ) throws(ShellError) -> Int64? {
        guard let text = invocation.value("v") else { return nil }
        guard let version = Int64(text, radix: 16) else {
            throw ShellError("-v must be followed by a long (configuration version)")
        }
        return version
    }

    private static func items(_ list: String) -> [String] {
        list.split(separator: ",").map(String.init)
    }

    private static func members(inFile file: String) throws(ShellError) -> [String] {
        let text: String
        do throws(TextFileError) {
            text = try readTextFile(file)
        } catch {
            throw ShellError("Error processing \(file): \(error.reason)")
        }
        return text.split(whereSeparator: \.isNewline).map(String.init)
            .filter { $0.hasPrefix("server.") }
    }

    private static let sync = Command(
        "sync", "path", "Waits until the server has caught up with the leader.",
        minimumArguments: 1
    ) { shell, invocation async throws(ShellError) in
        let path = try invocation.path(0)
        do throws(ClientError) {
            _ = try await shell.client.submit(.sync(path), timeout: .seconds(30)).value
        } catch {
            shell.console.line("Sync has failed. rc=\(error.refusal?.rawValue ?? -4)")
            throw ShellError(error)
        }
        shell.answer(.text("Sync is OK", "sync"))
    }

    private static let version = Command(
        "version", "", "Prints this shell's version.", needsConnection: false
    ) { shell, invocation async throws(ShellError) in
        if !invocation.arguments.isEmpty { throw .usage(invocation.command) }
        shell.answer(
            .text(
                "ZooKeeper CLI version: \(AviaryVersion.compatible)-aviary-\(AviaryVersion.number)",
                "version"))
    }
}

/// The text of a configuration.
enum ConfigText {
    /// The members' client addresses, and the version.
    ///
    /// Source: org.apache.zookeeper.server.util.ConfigUtils.getClientConfigStr, 3.9.5.
    static func connectString(_ text: String) -> String {
        var version: Substring = ""
        var hosts: [Substring] = []
        for line in text.split(separator: "\n") {
            let sides = line.split(separator: "=", maxSplits: 1)
            if sides.count < 2 { continue }
            if sides[0] == "version" {
                version = sides[1]
            } else if sides[0].hasPrefix("server."), let semicolon = sides[1].lastIndex(of: ";") {
                hosts.append(sides[1][sides[1].index(after: semicolon)...])
            }
        }
        return "\(hosts.joined(separator: ",")) \(version)"
    }
}
