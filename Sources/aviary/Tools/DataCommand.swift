import ArgumentParser
import AviaryCore
import AviaryStorage
import AviaryWire
import Glibc

struct DataCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data",
        abstract: "Look at a server's whole data directory.",
        subcommands: [VerifyDataCommand.self])
}

struct VerifyDataCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Say whether a server would start on a data directory, and with what.",
        discussion: """
            Recovers the directory in memory with the code that a server starts with, and changes \
            nothing: what a start would put right, such as a torn end of the last log, is said \
            and not done. A server may be running; then the last log may look torn for a moment.

            With --json there is one object: starts, directory, and either snapshot, logs (name, \
            transactions), lastZxid, nodes, ephemerals, containers, ttls, dataBytes, sessions, \
            digest, repairs and notes, or message, file, offset.

            Examples:
              aviary data verify /var/lib/aviary
              aviary data verify /var/lib/aviary --log-dir /var/log/aviary --json

            Exit status: 0 a server would start; 1 it would not; 2 wrong use, or the files cannot \
            be read.
            """)

    @Argument(help: "The dataDir of zoo.cfg.", completion: .directory)
    var dataDir: String

    @Option(
        help: ArgumentHelp("The dataLogDir of zoo.cfg, if it has one.", valueName: "directory"),
        completion: .directory)
    var logDir: String?

    @Flag(help: "One JSON object.")
    var json = false

    func run() throws {
        let output = Output()
        let progress = Progress()
        defer { progress.finish() }
        do throws(StorageError) {
            let files = try Place.open(try Place.directory(dataDir), progress)
            let logs = try Place.open(try Place.directory(logDir ?? dataDir), progress)
            var recovery = Recovery(.tools)
            let tree = try rehearse(&recovery, files, logs)
            let hasLogs = try !LogName.all(in: logs).isEmpty
            let epoch = try EpochFiles.epoch(EpochFiles.names[0], in: files)
            progress.finish()
            report(
                recovery, tree.snapshot, notes: notes(epoch, hasLogs ? nil : logs.directory, tree),
                output)
        } catch {
            progress.finish()
            if error.code == .failed || error.code == .inUse || !json {
                throw ToolExit.because(error)
            }
            output.json { refuse(error, &$0) }
            try output.finish()
            throw ToolExit.found
        }
        try output.finish()
    }

    /// Twice, if it must be: while a server writes, something may look damaged for a moment.
    private func rehearse(
        _ recovery: inout Recovery, _ files: borrowing ServerFiles, _ logs: borrowing ServerFiles
    ) throws(StorageError) -> DataTree {
        do throws(StorageError) {
            return try recovery.rehearse(snapshots: files, logs: logs)
        } catch {
            usleep(50_000)
            recovery = Recovery(.tools)
            return try recovery.rehearse(snapshots: files, logs: logs)
        }
    }

    /// What this server does not mind, and another or its operator may.
    private func notes(
        _ epoch: Int64?, _ directoryWithoutLogs: String?, _ tree: borrowing DataTree
    ) -> [String] {
        var notes = directoryWithoutLogs.map { [LogName.noteThatNoneIs(in: $0)] } ?? []
        let last = tree.lastProcessedZxid
        if let epoch, epoch < Int64(last.epoch) {
            notes.append(
                "currentEpoch is \(epoch) and the last transaction is of epoch \(last.epoch): a "
                    + "member of an ensemble would not start")
        }
        if TreeSummary(tree.snapshot).expiring > 0 {
            notes.append(
                "there are nodes with a time to live: the server needs extendedTypesEnabled=true")
        }
        return notes
    }

    private func report(
        _ recovery: Recovery, _ snapshot: TreeSnapshot, notes: [String], _ output: Output
    ) {
        let summary = TreeSummary(snapshot)
        let notes = recovery.notes + notes
        if json {
            output.json { json in
                json.beginObject()
                json.add("starts", true)
                write(recovery, snapshot, summary, notes, &json)
                json.endObject()
            }
            return
        }
        output.line(output.good("a server would start on \(dataDir)"))
        output.line("  snapshot   \(recovery.start?.name ?? "none: it would begin with nothing")")
        for log in recovery.logs {
            output.line("  log        \(log.name)  \(Words.count(log.count, "transaction"))")
        }
        output.line("  last zxid  \(snapshot.zxid)")
        output.line("  tree       \(TreePrinter.words(summary))")
        output.line("  sessions   \(snapshot.sessions.count)")
        output.line("  digest     0x\(String(snapshot.digest, radix: 16))")
        for repair in recovery.repairs { output.line("  first      \(repair.order)") }
        for note in notes { output.line("  note       \(note)") }
    }

    private func write(
        _ recovery: Recovery, _ snapshot: TreeSnapshot, _ summary: TreeSummary, _ notes: [String],
        _ json: inout JSONWriter
    ) {
        json.add("directory", dataDir)
        if let start = recovery.start {
            json.add("snapshot", start.name)
        } else {
            json.addNull("snapshot")
        }
        json.beginArray("logs")
        for log in recovery.logs {
            json.beginObject()
            json.add("name", log.name)
            json.add("transactions", log.count)
            json.endObject()
        }
        json.endArray()
        json.add("lastZxid", snapshot.zxid)
        json.add(summary)
        json.add("sessions", snapshot.sessions.count)
        json.add("digest", hexadecimal: snapshot.digest)
        json.add("repairs", recovery.repairs.map(\.order))
        json.add("notes", notes)
    }

    private func refuse(_ error: StorageError, _ json: inout JSONWriter) {
        json.beginObject()
        json.add("starts", false)
        json.add("directory", dataDir)
        json.add("message", error.message)
        if let file = error.file { json.add("file", file) }
        if let offset = error.offset { json.add("offset", offset) }
        json.endObject()
    }
}

extension JSONWriter {
    mutating func add(_ summary: TreeSummary) {
        add("nodes", summary.nodes)
        add("ephemerals", summary.ephemerals)
        add("containers", summary.containers)
        add("ttls", summary.expiring)
        add("dataBytes", summary.dataBytes)
    }
}
