import ArgumentParser
import AviaryCore
import AviaryServer
import AviaryStorage
import AviaryWire
import Glibc

struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy the state of a running or stopped server from its files.",
        discussion: """
            Copies the newest valid snapshot and the logs from it on, each up to its last whole \
            transaction, and the epoch files of an ensemble's member. The server may go on: what \
            it acknowledged before the command began is in the copy, and of what it wrote since, \
            everything up to one transaction.

            The copy is made beside OUT, synced, recovered as a start would, and renamed to OUT \
            only then. OUT is a dataDir: a server can start on it (on a copy of it, if you want \
            to keep it), and `aviary restore` goes back in it. myid is not copied.

            With --all, every snapshot and log that is still there is copied, so that restore can \
            go back to earlier transactions. How far that is depends on autopurge.

            With --json there is one object: out, snapshots, logs (name, bytes), epochs, \
            lastZxid, nodes, ephemerals, containers, ttls, dataBytes, sessions, digest, notes.

            Examples:
              aviary backup --data-dir /var/lib/aviary /backup/2026-11-21
              aviary backup --data-dir /srv/zk --log-dir /srv/zklog --all /backup/all

            Exit status: 0 the backup is there; 1 the files are damaged, so that a server would \
            not start on them; 2 wrong use, or something could not be read or written. Unless it \
            is 0, there is no OUT.
            """)

    @Option(
        help: ArgumentHelp("The dataDir of zoo.cfg.", valueName: "directory"),
        completion: .directory)
    var dataDir: String

    @Option(
        help: ArgumentHelp("The dataLogDir of zoo.cfg, if it has one.", valueName: "directory"),
        completion: .directory)
    var logDir: String?

    @Flag(help: "Every snapshot and log, not only what a start needs.")
    var all = false

    @Flag(help: "One JSON object.")
    var json = false

    @Argument(help: "The directory to make; it must be absent or empty.", completion: .directory)
    var out: String

    func run() throws {
        let output = Output()
        let progress = Progress()
        defer { progress.finish() }
        let target = NewDirectory(out)
        if let found = NewDirectory.whatIsIn(out) {
            throw ToolExit.unusable("\(out) is not empty (\(found)); name a new directory")
        }
        var settings = Backup.Settings(recovery: .tools)
        settings.includesAll = all
        var backup = Backup(settings)
        do throws(StorageError) {
            let directory = try Place.directory(dataDir)
            let logDirectory = try Place.directory(logDir ?? dataDir)
            let files = try Place.open(directory, progress)
            let logs = try Place.open(logDirectory, progress)
            let tree = try copy(files, logs, to: target, &backup)
            progress.finish()
            report(backup, tree.snapshot, output)
        } catch {
            progress.finish()
            throw ToolExit.because(error)
        }
        try output.finish()
    }

    private func copy(
        _ files: borrowing ServerFiles, _ logs: borrowing ServerFiles, to target: NewDirectory,
        _ backup: inout Backup
    ) throws(StorageError) -> DataTree {
        do throws(StorageError) {
            var copy = try PosixFiles(
                directory: "\(target.temporaryPath)/\(Place.versionDirectory)")
            let tree = try backup.make(of: files, logs: logs, to: &copy) { usleep(50_000) }
            try target.complete()
            return tree
        } catch {
            target.abandon(inner: Place.versionDirectory)
            throw error
        }
    }

    private func report(_ backup: Backup, _ snapshot: TreeSnapshot, _ output: Output) {
        let summary = TreeSummary(snapshot)
        if json {
            output.json { write(backup, snapshot, summary, &$0) }
            return
        }
        output.line(output.good("\(out) holds everything up to \(snapshot.zxid)"))
        for file in backup.snapshots + backup.logs {
            output.line("  copied     \(file.name)  \(Words.count(file.byteCount, "byte"))")
        }
        for name in backup.epochs { output.line("  copied     \(name)") }
        output.line("  last zxid  \(snapshot.zxid)")
        output.line("  tree       \(TreePrinter.words(summary))")
        output.line("  sessions   \(snapshot.sessions.count)")
        for note in backup.notes { output.line("  note       \(note)") }
    }

    private func write(
        _ backup: Backup, _ snapshot: TreeSnapshot, _ summary: TreeSummary,
        _ json: inout JSONWriter
    ) {
        json.beginObject()
        json.add("out", out)
        write("snapshots", backup.snapshots, &json)
        write("logs", backup.logs, &json)
        json.add("epochs", backup.epochs)
        json.add("lastZxid", snapshot.zxid)
        json.add(summary)
        json.add("sessions", snapshot.sessions.count)
        json.add("digest", hexadecimal: snapshot.digest)
        json.add("notes", backup.notes)
        json.endObject()
    }

    private func write(
        _ key: StaticString, _ files: [Backup.CopiedFile], _ json: inout JSONWriter
    ) {
        json.beginArray(key)
        for file in files {
            json.beginObject()
            json.add("name", file.name)
            json.add("bytes", file.byteCount)
            json.endObject()
        }
        json.endArray()
    }
}
