import ArgumentParser
import AviaryCore
import AviaryServer
import AviaryStorage
import AviaryWire

struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Make a data directory from a backup, as of any transaction in it.",
        discussion: """
            Recovers the backup up to and including one transaction, the last one unless --to-zxid \
            or --to-time says otherwise, and writes one new snapshot of it into NEWDIR, with the \
            epoch files if the backup has them. The backup is not changed; any dataDir will do \
            for one. A server then starts on NEWDIR. If it has a dataLogDir, that must be empty \
            too: logs that are left there would be replayed on top.

            --to-time takes the state before the first transaction, in the order of zxids, that \
            is later. `aviary log BACKUP` shows zxids and times. Only a backup made with --all \
            goes back behind its newest snapshot. Snapshots of ZooKeeper may hold transactions \
            later than their name; then an older one is taken, and if there is none, what is \
            between cannot be restored.

            Sessions and ephemeral nodes are kept, and expire unless their clients come back; \
            with --drop-ephemerals they end at once. A subtree never keeps any.

            With --json there is one object: directory, written, snapshot (what it began with), \
            replayed, lastZxid, nodes, ephemerals, containers, ttls, dataBytes, sessions, digest, \
            droppedSessions, droppedEphemerals, epochs, notes.

            Examples:
              aviary restore /backup/2026-11-21 /var/lib/aviary
              aviary restore /backup/all /tmp/before --to-zxid 0x1000007ff
              aviary restore /backup/all /tmp/before --to-time 2026-11-21T04:46:00Z --dry-run
              aviary restore /backup/all /tmp/app --subtree /app --as /restored/app

            Exit status: 0 restored; 1 the backup is damaged or does not lead to what was asked \
            for; 2 wrong use, or something could not be read or written.
            """)

    @Argument(help: "A backup, or any dataDir.", completion: .directory)
    var backup: String

    @Argument(
        help: "The dataDir to fill; absent or empty (a myid may be in it).", completion: .directory)
    var newDir: String

    @Option(help: ArgumentHelp("The last transaction to have.", valueName: "zxid"))
    var toZxid: HexadecimalArgument?

    @Option(
        help: ArgumentHelp(
            "Nothing later: 2026-11-21T04:46:12Z, or milliseconds since 1970.", valueName: "time"))
    var toTime: TimeArgument?

    @Option(
        help: ArgumentHelp(
            "Only this path, what is below it, and what leads to it.",
            valueName: "path"))
    var subtree: PathArgument?

    @Option(name: .customLong("as"), help: ArgumentHelp("Put it here instead.", valueName: "path"))
    var newPath: PathArgument?

    @Option(
        help: ArgumentHelp("Where the logs are, if not in the backup.", valueName: "directory"),
        completion: .directory)
    var logDir: String?

    @Flag(help: "End all sessions, as if each had been closed.")
    var dropEphemerals = false

    @Flag(help: "Say what would be done, and write nothing.")
    var dryRun = false

    @Flag(help: "One JSON object.")
    var json = false

    /// What may be in a dataDir before there is data: a member's number, a mark that it may begin
    /// with nothing, and what a file system keeps for itself.
    private static let allowedNames = [
        "myid", "initialize", "lost+found", Place.versionDirectory,
    ]

    func validate() throws {
        if toZxid != nil && toTime != nil {
            throw ValidationError("Only one of --to-zxid and --to-time.")
        }
        if newPath != nil && subtree == nil {
            throw ValidationError("--as says where a --subtree goes.")
        }
        do throws(StorageError) { _ = try settings() } catch {
            throw ValidationError(error.message)
        }
    }

    private func settings() throws(StorageError) -> Restoration.Settings {
        var settings = Restoration.Settings(recovery: .tools)
        if let toZxid { settings.target = .zxid(toZxid.zxid) }
        if let toTime { settings.target = .time(toTime.milliseconds) }
        if let subtree {
            settings.subtree = try Subtree(path: subtree.path, newPath: newPath?.path)
        }
        settings.dropsEphemerals = dropEphemerals
        return settings
    }

    func run() throws {
        let output = Output()
        let progress = Progress()
        defer { progress.finish() }
        let inner = "\(newDir)/\(Place.versionDirectory)"
        if let found = NewDirectory.whatIsIn(newDir, besides: Self.allowedNames)
            ?? NewDirectory.whatIsIn(inner)
        {
            throw ToolExit.unusable(
                "\(newDir) is not empty (\(found)); name a new directory, or move away what is there"
            )
        }
        do throws(StorageError) {
            let directory = try Place.directory(backup)
            let logDirectory = try Place.directory(logDir ?? backup)
            let files = try Place.open(directory, progress)
            let logs = try Place.open(logDirectory, progress)
            var restoration = Restoration(try settings())
            let tree = try restoration.prepare(snapshots: files, logs: logs)
            let epochs = dryRun ? [] : try write(tree, files)
            progress.finish()
            report(restoration, tree.snapshot, epochs, output)
        } catch {
            progress.finish()
            throw ToolExit.because(error)
        }
        try output.finish()
    }

    /// Fills `version-2` under another name first: a server never starts on half of it.
    private func write(
        _ tree: borrowing DataTree, _ files: borrowing ServerFiles
    ) throws(StorageError) -> [String] {
        let target = NewDirectory("\(newDir)/\(Place.versionDirectory)")
        do throws(StorageError) {
            var copy = try PosixFiles(directory: target.temporaryPath)
            let epochs = try Restoration.write(tree.snapshot, epochsFrom: files, to: &copy)
            var recovery = Recovery(.tools)
            let written = try recovery.rehearse(snapshots: copy, logs: copy)
            guard written.digest == tree.digest, written.nodeCount == tree.nodeCount else {
                throw StorageError(
                    .corrupt, "what was written to \(newDir) does not read back; check the disk")
            }
            try target.complete()
            return epochs
        } catch {
            target.abandon(inner: nil)
            throw error
        }
    }

    // MARK: Output

    private func report(
        _ restoration: Restoration, _ snapshot: TreeSnapshot, _ epochs: [String], _ output: Output
    ) {
        let summary = TreeSummary(snapshot)
        let recovery = restoration.recovery
        if json {
            output.json { write(restoration, snapshot, summary, epochs, &$0) }
            return
        }
        let verb = dryRun ? "would hold" : "holds"
        let what = subtree.map { "\($0.path.shown) as of" } ?? "everything up to"
        output.line(output.good("\(newDir) \(verb) \(what) \(snapshot.zxid)"))
        output.line(
            "  from       \(recovery.start?.name ?? "nothing") and "
                + "\(Words.count(recovery.replayed, "transaction")) after it")
        output.line("  last zxid  \(snapshot.zxid)")
        output.line("  tree       \(TreePrinter.words(summary))")
        output.line("  sessions   \(snapshot.sessions.count)")
        output.line("  digest     0x\(String(snapshot.digest, radix: 16))")
        if subtree != nil || dropEphemerals {
            output.line(
                "  dropped    \(Words.count(restoration.droppedEphemerals, "ephemeral node")), "
                    + Words.count(restoration.droppedSessions, "session"))
        }
        for name in epochs { output.line("  copied     \(name)") }
        for note in recovery.notes { output.line("  note       \(note)") }
    }

    private func write(
        _ restoration: Restoration, _ snapshot: TreeSnapshot, _ summary: TreeSummary,
        _ epochs: [String], _ json: inout JSONWriter
    ) {
        json.beginObject()
        json.add("directory", newDir)
        json.add("written", !dryRun)
        if let start = restoration.recovery.start { json.add("snapshot", start.name) }
        json.add("replayed", restoration.recovery.replayed)
        json.add("lastZxid", snapshot.zxid)
        json.add(summary)
        json.add("sessions", snapshot.sessions.count)
        json.add("digest", hexadecimal: snapshot.digest)
        json.add("droppedSessions", restoration.droppedSessions)
        json.add("droppedEphemerals", restoration.droppedEphemerals)
        json.add("epochs", epochs)
        json.add("notes", restoration.recovery.notes)
        json.endObject()
    }
}
