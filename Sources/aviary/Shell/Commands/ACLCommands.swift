import AviaryClient

extension Command {
    static let aclCommands = [getAcl, setAcl, addauth, whoami]

    private static let getAcl = Command(
        "getAcl", "[-s] path", "Prints who may do what with a node.",
        options: [CommandOption("s", "print the node's stat, too")], minimumArguments: 1
    ) { shell, invocation async throws(ShellError) in
        let path = try invocation.path(0)
        let acl = try await shell.ask(.getACL(path))
        shell.answer(.acl(path, acl, stat: invocation.has("s")))
    }

    private static let setAcl = Command(
        "setAcl", "[-s] [-v version] [-R] path acl",
        "Replaces a node's ACL: scheme:id:perms with commas between, perms of the letters cdrwa.",
        options: [
            CommandOption("s", "print the node's stat then"),
            CommandOption("v", "version", "only if the ACL has this version"),
            CommandOption("R", "of all nodes below, too"),
        ], minimumArguments: 2
    ) { shell, invocation async throws(ShellError) in
        let path = try invocation.path(0)
        let version = try invocation.version()
        let acl = ACLText.parse(invocation[1]) { shell.console.error($0) }
        if acl.isEmpty { throw ShellError("Acl is not valid : null") }
        if invocation.has("R") {
            try await shell.setAll(path, acl, version)
            return
        }
        let stat = try await shell.ask(.setACL(path, acl, version: version))
        shell.answerWrite(path, stat, withStat: invocation.has("s"))
    }

    private static let addauth = Command(
        "addauth", "scheme auth",
        "Says who this session is: 'addauth digest user:password'.", minimumArguments: 1
    ) { shell, invocation async throws(ShellError) in
        let credential = Array((invocation.argument(1) ?? "").utf8)
        try await shell.ask(.addAuth(scheme: invocation[0], credential))
        shell.answer(.done)
    }

    private static let whoami = Command(
        "whoami", "", "Prints as whom the server knows this session."
    ) { shell, _ async throws(ShellError) in
        shell.answer(.identities(try await shell.ask(.whoAmI())))
    }
}

extension Shell {
    /// Goes on where a node refuses, as zkCli.sh does, and says so on standard output.
    fileprivate func setAll(
        _ top: Path, _ acl: [ACL], _ version: Int32?
    ) async throws(ShellError) {
        let paths = try await TreeWalk.paths(self, top)
        for path in paths {
            do throws(ClientError) {
                _ = try await client.submit(.setACL(path, acl, version: version)).value
            } catch {
                guard let refusal = error.refusal else { throw ShellError(error) }
                console.line(ShellError.code(refusal, path))
            }
        }
        if form != .plain { answer(.done) }
    }
}
