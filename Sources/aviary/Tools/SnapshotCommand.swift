import ArgumentParser
import AviaryCore
import AviaryStorage
import AviaryWire

struct SnapshotCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot",
        abstract: "Print the tree of a snapshot, or compare or check snapshots.",
        discussion: """
            Reads snapshot.<zxid> files of Aviary or ZooKeeper and never changes them. A \
            directory (a dataDir, or the version-2 in it) stands for its newest snapshot that can \
            be read; with --replay also for the logs after it, which is what a server would \
            start with.

            Prints a line for each node, children indented below their parent, in the order of \
            their names' bytes. With --json there is one object a line, parents first: path, \
            dataLength, data (base64, with --data), czxid, mzxid, pzxid, ctime, mtime, version, \
            cversion, aversion, ephemeralOwner, numChildren as clients see them, kind \
            (persistent, ephemeral, container, ttl), ttlMilliseconds and acl.

            Examples:
              aviary snapshot /var/lib/aviary --path /app
                  The tree below /app as of the last snapshot.
              aviary snapshot /var/lib/aviary --replay --largest 10
                  What takes the room.
              aviary snapshot old/version-2/snapshot.9a --diff /var/lib/aviary
                  What was deleted (-), created (+) and changed (~) since.
              aviary snapshot --verify /var/lib/aviary
                  Whether the snapshots are whole.

            \(ToolExit.help)
            """)

    @Argument(help: "A snapshot, or a directory of them.", completion: .file())
    var file: String

    @Option(
        help: ArgumentHelp(
            "Compare with another one; - is only in the first, + only in OTHER, ~ differs.",
            valueName: "other"), completion: .file())
    var diff: String?

    @Option(help: ArgumentHelp("The largest nodes and subtrees, so many.", valueName: "count"))
    var largest: Int?

    @Option(help: ArgumentHelp("Only this path and what is below it.", valueName: "path"))
    var path: PathArgument?

    @Flag(help: "Apply the logs after the snapshot, as a start would.")
    var replay = false

    @Option(
        help: ArgumentHelp(
            "With --replay: where the logs are, if elsewhere.", valueName: "directory"),
        completion: .directory)
    var logDir: String?

    @Flag(help: "Check checksum, structure and digest; of a directory, for every snapshot.")
    var verify = false

    @Flag(help: "Print the nodes' data too.")
    var data = false

    @Flag(help: "One JSON object a line.")
    var json = false

    func validate() throws {
        if [verify, diff != nil, largest != nil].filter({ $0 }).count > 1 {
            throw ValidationError("Only one of --verify, --diff and --largest.")
        }
        if let largest, largest < 1 { throw ValidationError("--largest needs a count from 1 on.") }
        if verify && (path != nil || replay || data) {
            throw ValidationError("--verify looks at whole snapshots, and at nothing else.")
        }
        if logDir != nil && !replay { throw ValidationError("--log-dir goes with --replay.") }
    }

    func run() throws {
        let output = Output()
        let progress = Progress()
        defer { progress.finish() }
        var isFine = true
        do throws(StorageError) {
            let place = try Place(file)
            if verify {
                isFine = try verifyAll(place, output, progress)
            } else {
                let tree = try load(place, progress)
                let printer = TreePrinter(
                    output: output, isJSON: json, withData: data, top: path?.path ?? .root)
                if let diff {
                    let other = try load(try Place(diff), progress)
                    progress.finish()
                    isFine = printer.printDifferences(tree.snapshot, other.snapshot)
                } else if let largest {
                    progress.finish()
                    printer.printLargest(largest, of: tree.snapshot)
                } else {
                    progress.finish()
                    isFine = printer.print(tree.snapshot)
                }
            }
        } catch {
            output.flush()
            progress.finish()
            throw ToolExit.because(error)
        }
        try output.finish()
        if !isFine { throw ToolExit.found }
    }

    private func load(_ place: Place, _ progress: Progress) throws(StorageError) -> DataTree {
        let files = try place.open(progress)
        var recovery = Recovery(.tools)
        let tree: DataTree
        if let file = place.file {
            tree = try recovery.loadSnapshot(named: file, in: files)
        } else if replay {
            var directory = place.directory
            if let logDir { directory = try Place.directory(logDir) }
            let logs = try Place.open(directory, progress)
            tree = try recovery.rehearse(snapshots: files, logs: logs)
        } else {
            tree = try recovery.loadNewestSnapshot(in: files)
        }
        for note in recovery.notes { writeToStandardError("aviary: \(note)\n") }
        return tree
    }

    // MARK: Checking

    private func verifyAll(
        _ place: Place, _ output: Output, _ progress: Progress
    ) throws(StorageError) -> Bool {
        let files = try place.open(progress)
        var names = try SnapshotName.all(in: files).map(\.name)
        if let file = place.file { names = [file] }
        if names.isEmpty {
            throw StorageError(.failed, "there is no snapshot in \(files.directory)")
        }
        var isFine = true
        for name in names {
            let verdict = try SnapshotVerdict(name, in: files)
            verdict.print(output, isJSON: json)
            isFine = isFine && verdict.isFine
        }
        return isFine
    }
}

/// What a check of one snapshot found.
struct SnapshotVerdict {
    private let name: String
    private let directory: String
    /// Why it cannot be loaded; nil if it can.
    private var damage: StorageError?
    private var zxid = Zxid.zero
    private var nodes = 0
    private var sessions = 0
    private var digest: UInt64 = 0
    private var digestVerdict = Recovery.DigestVerdict.absent
    private var notes: [String] = []

    init(_ name: String, in files: borrowing ServerFiles) throws(StorageError) {
        self.name = name
        directory = files.directory
        var recovery = Recovery(.tools)
        do throws(StorageError) {
            let tree = try recovery.loadSnapshot(named: name, in: files)
            zxid = tree.lastProcessedZxid
            nodes = tree.nodeCount
            sessions = tree.sessions.count
            digest = tree.digest
            digestVerdict = recovery.digestVerdict(of: tree)
            notes = recovery.notes
        } catch {
            if error.code != .corrupt { throw error }
            damage = error
        }
    }

    var isFine: Bool {
        if damage != nil { return false }
        if case .differs = digestVerdict { return false }
        return true
    }

    private var digestWords: String {
        switch digestVerdict {
        case .matches: "digest matches"
        case .differs(let expected):
            "digest is 0x\(String(digest, radix: 16)), should be 0x\(String(expected, radix: 16))"
        case .fuzzy(let zxid): "holds some transactions up to \(zxid)"
        case .absent: "no digest"
        }
    }

    func print(_ output: Output, isJSON: Bool) {
        if isJSON {
            output.json { write(to: &$0) }
        } else if let damage {
            output.line("\(output.bold("\(directory)/\(name)"))  \(output.bad("damaged"))")
            output.line("  \(damage.message)")
        } else {
            output.line(
                [
                    output.bold("\(directory)/\(name)"), Words.count(nodes, "node"),
                    Words.count(sessions, "session"),
                    isFine ? output.good(digestWords) : output.bad(digestWords),
                ].joined(separator: "  "))
            for note in notes { output.line("  \(note)") }
        }
    }

    private func write(to json: inout JSONWriter) {
        json.beginObject()
        json.add("directory", directory)
        json.add("file", name)
        if let damage {
            json.add("verdict", "damaged")
            json.add("message", damage.message)
            if let offset = damage.offset { json.add("offset", offset) }
        } else {
            json.add("verdict", isFine ? "whole" : "digest differs")
            json.add("zxid", zxid)
            json.add("nodes", nodes)
            json.add("sessions", sessions)
            json.add("digest", hexadecimal: digest)
            switch digestVerdict {
            case .matches: json.add("digestVerdict", "matches")
            case .differs(let expected):
                json.add("digestVerdict", "differs")
                json.add("expectedDigest", hexadecimal: expected)
            case .fuzzy(let zxid):
                json.add("digestVerdict", "fuzzy")
                json.add("fuzzyUntil", zxid)
            case .absent: json.add("digestVerdict", "absent")
            }
            json.add("notes", notes)
        }
        json.endObject()
    }
}
