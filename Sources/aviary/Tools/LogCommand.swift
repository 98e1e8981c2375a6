import ArgumentParser
import AviaryStorage
import AviaryWire
import Glibc

struct LogCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "Print the transactions of log files, or check the files.",
        discussion: """
            Reads log.<zxid> files of Aviary or ZooKeeper and never changes them; a server may be \
            running. A directory stands for all logs in it: name a dataLogDir (or dataDir), or \
            the version-2 in it.

            Each transaction is one line: zxid, time (UTC), session, cxid, type, and what it does. \
            The operations of a multi follow, indented. An error, or a multi that is refused, took \
            a zxid and changed nothing.

            With --json there is one object a line with file, offset, zxid, time, \
            timeMilliseconds, session, cxid, type, digest if the log has one, and as the type has \
            them path, dataLength, data (base64, with --data), version, acl, ephemeral, \
            parentCversion, ttlMilliseconds, timeoutMilliseconds, ephemerals, error, refused, \
            operations. With --verify --json there is one object a file: directory, file, size, \
            contentEnd, transactions, firstZxid, lastZxid, firstTime, lastTime and findings \
            (kind, offset, message, consequence).

            Examples:
              aviary log /var/lib/aviary
                  Everything that is still in the logs.
              aviary log /var/lib/aviary --path /app --since 2026-11-21T04:00
                  Who changed /app, or what is below it, since then.
              aviary log /var/lib/aviary --follow --json | jq .path
                  Each path as it is written to.
              aviary log --verify /var/lib/aviary
                  Whether the files are whole, and what a start would make of them.

            \(ToolExit.help) --verify finds: damaged, torn, unmarked, empty, gap, order, \
            misnamed. A torn end of the log that a server is writing may be gone a moment later.
            """)

    @Argument(help: "Log files, or directories of them.", completion: .file())
    var files: [String]

    @Option(
        help: ArgumentHelp(
            "Only what touches this path or one below it.",
            discussion: "A name has to match as a whole: /app is not /apple.", valueName: "path"))
    var path: PathArgument?

    @Option(help: ArgumentHelp("Only of this session, as in 0x1000027d5630000.", valueName: "id"))
    var session: HexadecimalArgument?

    @Option(help: ArgumentHelp("The first zxid, 0x and hexadecimal or decimal.", valueName: "zxid"))
    var fromZxid: HexadecimalArgument?

    @Option(help: ArgumentHelp("The last zxid.", valueName: "zxid"))
    var toZxid: HexadecimalArgument?

    @Option(
        help: ArgumentHelp(
            "Not before: 2026-11-21T04:46:12Z, or milliseconds since 1970.", valueName: "time"))
    var since: TimeArgument?

    @Option(help: ArgumentHelp("Not after.", valueName: "time"))
    var until: TimeArgument?

    @Flag(help: "Print the nodes' data too.")
    var data = false

    @Flag(name: .shortAndLong, help: "Go on with what is written next, until interrupted.")
    var follow = false

    @Flag(help: "Print nothing of what is in the files; check them.")
    var verify = false

    @Flag(help: "One JSON object a line.")
    var json = false

    func validate() throws {
        if follow && files.count != 1 {
            throw ValidationError("--follow goes with one directory or file.")
        }
        let hasFilter =
            path != nil || session != nil || fromZxid != nil || toZxid != nil || since != nil
            || until != nil
        if verify && (follow || data || hasFilter) {
            throw ValidationError("--verify goes with --json only: it looks at whole files.")
        }
    }

    func run() throws {
        let output = Output()
        let progress = Progress()
        defer { progress.finish() }
        var findings = 0
        do throws(StorageError) {
            for group in try groups() {
                let files = try Place.open(group.directory, progress)
                try checkNames(group, files)
                if verify {
                    let check = LogVerification(output: output, isJSON: json)
                    findings += try check.run(files, names: group.names)
                } else {
                    try print(group, files, output, progress)
                }
            }
        } catch {
            output.flush()
            progress.finish()
            throw ToolExit.because(error)
        }
        try output.finish()
        if findings > 0 { throw ToolExit.found }
    }

    // MARK: Files

    /// What is to be read of one directory.
    private struct Group {
        let directory: String
        /// Nil is all logs.
        var names: [String]?
    }

    private func groups() throws(StorageError) -> [Group] {
        var groups: [Group] = []
        for file in files {
            let place = try Place(file)
            let index = groups.firstIndex { $0.directory == place.directory }
            if let index, let name = place.file {
                groups[index].names?.append(name)
            } else if let index {
                groups[index].names = nil
            } else {
                let names = place.file.map { [$0] }
                groups.append(Group(directory: place.directory, names: names))
            }
        }
        return groups
    }

    private func checkNames(
        _ group: Group, _ files: borrowing ServerFiles
    ) throws(StorageError) {
        let known = try LogName.all(in: files)
        for name in group.names ?? [] where !known.contains(name) {
            throw StorageError(
                .failed,
                "\(files.directory)/\(name) is not named as a log is (log. and a hexadecimal zxid)")
        }
        if group.names == nil && known.isEmpty && !follow {
            throw StorageError(.failed, "there is no log in \(files.directory)")
        }
    }

    // MARK: Printing

    private var filter: LogFilter {
        var filter = LogFilter()
        filter.path = path?.path
        filter.session = session?.session
        filter.firstZxid = fromZxid?.zxid
        filter.lastZxid = toZxid?.zxid
        filter.since = since?.milliseconds
        filter.until = until?.milliseconds
        return filter
    }

    private func print(
        _ group: Group, _ files: borrowing ServerFiles, _ output: Output, _ progress: Progress
    ) throws(StorageError) {
        var cursor = try LogCursor(
            files, names: group.names, from: fromZxid?.zxid ?? .zero, following: follow)
        let filter = filter
        let printer = LogPrinter(output: output, isJSON: json, withData: data)
        while true {
            try printAll(&cursor, files, filter, printer)
            if !follow { break }
            output.flush()
            progress.finish()
            repeat { usleep(100_000) } while try !cursor.refresh(files)
        }
        output.flush()
        progress.finish()
        for end in cursor.ends {
            writeToStandardError(
                "aviary: \(files.directory)/\(end.file) does not end as it should; --verify says "
                    + "more\n")
        }
    }

    private func printAll(
        _ cursor: inout LogCursor, _ files: borrowing ServerFiles, _ filter: LogFilter,
        _ printer: LogPrinter
    ) throws(StorageError) {
        var looks = 0
        while true {
            do throws(StorageError) {
                while let record = try cursor.next(files) {
                    if filter.matches(record.entry) { printer.print(record) }
                }
                return
            } catch {
                // A page of what is being written may be seen before the one in front of it.
                guard follow, error.code == .corrupt, looks < 10 else { throw error }
                looks += 1
                usleep(100_000)
                _ = try cursor.refresh(files)
            }
        }
    }
}
