import AviaryClient

extension Command {
    /// What concerns the shell and its session, not the tree.
    static let sessionCommands = [close, connect, history, redo, quit, exit, help]

    private static let close = Command(
        "close", "", "Ends the session, with its ephemeral nodes; 'connect' begins another."
    ) { shell, _ async throws(ShellError) in
        await shell.session?.close()
    }

    private static let connect = Command(
        "connect", "host:port", "Ends the session and begins another, there or where it was.",
        needsConnection: false
    ) { shell, invocation async throws(ShellError) in
        let server = shell.session?.connectString ?? shell.settings.connectString
        if let session = shell.session, !session.state.isFinal { await session.close() }
        try shell.connect(invocation.argument(0) ?? server)
        try await shell.session?.waitForConnection()
    }

    private static let history = Command(
        "history", "", "Prints the last commands with their numbers.", needsConnection: false
    ) { shell, _ async throws(ShellError) in
        shell.console.lines(shell.history.recent)
    }

    private static let redo = Command(
        "redo", "cmdno", "Runs a command of the history again.", minimumArguments: 1,
        needsConnection: false
    ) { shell, invocation async throws(ShellError) in
        let text = invocation[0].lowercased()
        let number = text.hasPrefix("0x") ? Int(text.dropFirst(2), radix: 16) : Int(text)
        guard let number else { throw ShellError("redo needs a number of the history") }
        try await shell.redo(number)
    }

    private static let quit = Command(
        "quit", "", "Ends the shell.", needsConnection: false
    ) { shell, _ async throws(ShellError) in
        shell.isOver = true
    }

    private static let exit = Command(
        "exit", "", "Ends the shell.", needsConnection: false
    ) { shell, _ async throws(ShellError) in
        shell.isOver = true
    }

    private static let help = Command(
        "help", "[command]", "Lists the commands, or says what one does and takes.",
        needsConnection: false
    ) { shell, invocation async throws(ShellError) in
        if let name = invocation.argument(0) {
            guard let command = Command.named(name) else {
                throw ShellError("there is no command \(name); 'help' lists them", exitCode: 127)
            }
            shell.describe(command)
        } else {
            shell.listCommands()
        }
    }
}

extension Shell {
    fileprivate func listCommands() {
        let width = Command.all.map(\.name.count).max() ?? 0
        for command in Command.all {
            let gap = String(repeating: " ", count: width - command.name.count)
            console.line("\(console.bold(command.name))\(gap)  \(command.help)")
        }
        console.line("")
        console.line("Every command takes --json and --table; 'help COMMAND' says the rest.")
    }

    fileprivate func describe(_ command: Command) {
        let usage = command.usage.split(separator: "#").first.map(String.init) ?? ""
        console.line("\(console.bold(command.name)) \(usage)")
        console.line(command.help)
        for option in command.options {
            let head = option.spelling + (option.value.map { " \($0)" } ?? "")
            let gap = String(repeating: " ", count: max(1, 18 - head.count))
            console.line("  \(head)\(gap)\(option.help)")
        }
    }
}
