import AviaryCore
import AviaryWire
import Synchronization
import Zab

/// The four letter words, answered on the client port in place of a handshake.
///
/// Source: org.apache.zookeeper.server.command, ZooKeeper 3.9.5, whose text monitoring reads.
final class FourLetterWords: Sendable {
    private let whitelist: FourLetterWordWhitelist
    private let configuration: ConfigurationText
    private let startedAt: Int64
    /// What `stmk` set. Nothing is traced by it; 306 is Apache's at rest.
    private let traceMask = Mutex<Int64>(306)

    init(whitelist: FourLetterWordWhitelist, configuration: ConfigurationText) {
        self.whitelist = whitelist
        self.configuration = configuration
        startedAt = Clock.now.monotonicMilliseconds
    }

    private static let known: Set<String> = [
        "conf", "cons", "crst", "dirs", "dump", "envi", "gtmk", "hash", "isro", "mntr", "ruok",
        "srst", "srvr", "stat", "stmk", "wchc", "wchp", "wchs",
    ]

    /// The whole answer, or nil if this is no word but the beginning of a frame.
    ///
    /// - Parameter mask: what follows `stmk`.
    func answer(to word: String, mask: Int64?, host: Host, port: Int) -> String? {
        guard Self.known.contains(word) else { return nil }
        guard whitelist.allows(word) else {
            return "\(word) is not executed because it is not in the whitelist.\n"
        }
        let (isServing, isReadOnly) = host.enter { core, _, _ in
            (core.role != .looking || core.isReadOnly, core.isReadOnly)
        }
        if !isServing, let answer = Self.answerWithoutQuorum(to: word) { return answer }
        switch word {
        case "ruok": return "imok"
        case "isro": return isReadOnly ? "ro" : "rw"
        case "srvr": return versionLine + (isReadOnly ? Self.readOnlyLine : "") + serverBlock(host)
        case "stat": return stat(host)
        case "cons": return cons(host)
        case "conf": return configuration.text(port: port)
        case "mntr": return monitor(host)
        case "dump": return dump(host)
        case "wchs": return watchSummary(host)
        case "wchp": return watchesByPath(host)
        case "wchc": return watchesBySession(host)
        case "dirs": return configuration.directories
        case "envi": return configuration.environment(version: AviaryVersion.zooKeeperText)
        case "stmk":
            if let mask { traceMask.withLock { $0 = mask } }
            return "\(traceMask.withLock { $0 })"
        case "gtmk": return "\(traceMask.withLock { $0 })"
        case "hash": return digests(host)
        case "srst":
            host.resetStatistics()
            return "Server stats reset.\n"
        case "crst":
            host.enter { core, _, _ in core.resetConnectionStatistics() }
            return "Connection stats reset.\n"
        default: return nil
        }
    }

    /// Nil for words that need no quorum.
    private static func answerWithoutQuorum(to word: String) -> String? {
        switch word {
        case "ruok", "envi", "gtmk", "stmk": nil
        case "isro": "null"
        case "hash": "This ZooKeeper instance is not currently serving requests"
        default: "This ZooKeeper instance is not currently serving requests\n"
        }
    }

    // MARK: srvr, stat, cons

    private var versionLine: String { "Zookeeper version: \(AviaryVersion.zooKeeperText)\n" }

    private func serverBlock(_ host: Host) -> String {
        host.enter { core, _, _ in
            let statistics = core.statistics
            let latency = statistics.latency
            return """
                Latency min/avg/max: \
                \(latency.minimum)/\(latency.average.javaText)/\(latency.maximum)
                Received: \(statistics.packetsReceived)
                Sent: \(statistics.packetsSent)
                Connections: \(core.connectionCount)
                Outstanding: \(core.outstandingCount)
                Zxid: \(core.tree.lastProcessedZxid)
                Mode: \(core.mode)
                Node count: \(core.znodeCount)
                \(core.leads ? "Proposal sizes last/min/max: \(statistics.proposalSizes)\n" : "")
                """
        }
    }

    private static let readOnlyLine = "READ-ONLY mode; serving only read-only clients\n"

    private func stat(_ host: Host) -> String {
        let views = host.enter { core, _, _ in core.connectionViews }
        let clients = views.map { Self.line($0, brief: true) + "\n" }.joined()
        let isReadOnly = host.enter { core, _, _ in core.isReadOnly }
        return versionLine + (isReadOnly ? Self.readOnlyLine : "") + "Clients:\n" + clients + "\n"
            + serverBlock(host)
    }

    private func cons(_ host: Host) -> String {
        let views = host.enter { core, _, _ in core.connectionViews }
        return views.map { Self.line($0, brief: false) + "\n" }.joined() + "\n"
    }

    private static func line(_ view: ServerCore.ConnectionView, brief: Bool) -> String {
        let statistics = view.statistics
        let isReading = view.session == .none && statistics.received == 0 ? 0 : 1
        var line =
            " /\(view.remote.host):\(view.remote.port)[\(isReading)]"
            + "(queued=\(view.queued),recved=\(statistics.received),sent=\(statistics.sent)"
        if !brief && view.session != .none {
            line += ",sid=\(view.session),lop=\(statistics.lastOperation?.shortName ?? "NA")"
            line += ",est=\(statistics.establishedAt),to=\(view.timeoutMilliseconds)"
            if statistics.lastCxid >= 0 {
                line += ",lcxid=0x" + String(statistics.lastCxid, radix: 16)
            }
            line += ",lzxid=\(statistics.lastZxid),lresp=\(statistics.lastResponseAt)"
            let latency = statistics.latency
            line += ",llat=\(latency.last),minlat=\(latency.minimum)"
            line += ",avglat=\(Int(latency.average)),maxlat=\(latency.maximum)"
        }
        return line + ")"
    }

    // MARK: dump, wchs

    private func dump(_ host: Host) -> String {
        let (due, ephemerals, connections, now) = host.enter { core, _, now in
            (core.sessionDueTimes, core.ephemerals, core.connectionViews, now)
        }
        var text = "SessionTracker dump:\n"
        if let timeouts = host.enter({ core, _, _ in core.learnerSessions }) {
            text += "Global Sessions(\(timeouts.count)):\n"
            for (session, timeout) in timeouts { text += "\(session)\t\(timeout)ms\n" }
        } else {
            let sessionCount = due.reduce(0) { $0 + $1.sessions.count }
            text += "Session Sets (\(due.count))/(\(sessionCount)):\n"
            for (at, sessions) in due {
                let wall = at - now.monotonicMilliseconds + now.wallMilliseconds
                text += "\(sessions.count) expire at \(JavaDate.text(milliseconds: wall)):\n"
                for session in sessions { text += "\t\(session)\n" }
            }
        }
        text += "ephemeral nodes dump:\nSessions with Ephemerals (\(ephemerals.count)):\n"
        for (session, paths) in ephemerals {
            text += "\(session):\n"
            for path in paths { text += "\t\(path)\n" }
        }
        text += "Connections dump:\nConnections Sets (1)/(\(connections.count)):\n"
        text +=
            "\(connections.count) expire at \(JavaDate.text(milliseconds: now.wallMilliseconds)):\n"
        for view in connections {
            text += "\tip: /\(view.remote.host):\(view.remote.port) sessionId: \(view.session)\n"
        }
        return text
    }

    private func watchSummary(_ host: Host) -> String {
        let summary = host.enter { core, _, _ in core.watches.dataSummary }
        return """
            \(summary.connections) connections watching \(summary.paths) paths
            Total watches:\(summary.watches)

            """
    }

    private func watchesByPath(_ host: Host) -> String {
        let watches = host.enter { core, _, _ in core.watchesByPath }
        return watches.map { path, sessions in
            "\(path)\n" + sessions.map { "\t\($0)\n" }.joined()
        }.joined() + "\n"
    }

    private func watchesBySession(_ host: Host) -> String {
        let watches = host.enter { core, _, _ in core.watchesByPath }
        var paths: [SessionID: [Path]] = [:]
        for (path, sessions) in watches {
            for session in sessions { paths[session, default: []].append(path) }
        }
        return paths.sorted { $0.key < $1.key }.map { session, paths in
            "\(session)\n" + paths.map { "\t\($0)\n" }.joined()
        }.joined() + "\n"
    }

    // MARK: mntr, hash

    private func monitor(_ host: Host) -> String {
        var text = MonitorText()
        text.add("version", AviaryVersion.zooKeeperText)
        let now = host.enter { core, _, now in
            text.add("server_state", core.mode)
            text.add(core)
            text.addEnsemble(core, at: now)
            return now
        }
        text.add("uptime", now.monotonicMilliseconds - startedAt)
        text.add(host.diskStatistics)
        // Aviary's own.
        text.add("log_writable", host.isLogWritable ? 1 : 0)
        for (key, value) in configuration.fileDescriptors { text.add(key, value) }
        text.addIdle()
        return text.text
    }

    private func digests(_ host: Host) -> String {
        host.enter { core, _, _ in core.digests }.map { zxid, digest in
            String(zxid.rawValue, radix: 16) + ": \(digest)\n"
        }.joined()
    }
}

extension ServerCore {
    /// An ensemble, that is.
    fileprivate var leads: Bool { role == .leading && isMember }

    /// As monitoring knows it.
    fileprivate var mode: String {
        switch role {
        case .leading: isMember ? "leader" : "standalone"
        case .following: "follower"
        case .observing: "observer"
        case .looking: isReadOnly ? "read-only" : "looking"
        }
    }
}

extension OpCode {
    /// As `cons` shows the last operation.
    fileprivate var shortName: String {
        switch self {
        case .createSession: "SESS"
        case .ping: "PING"
        case .create, .create2, .createTTL, .createContainer: "CREA"
        case .delete, .deleteContainer: "DELE"
        case .setData: "SETD"
        case .getData: "GETD"
        case .exists: "EXIS"
        case .getChildren, .getChildren2: "GETC"
        case .getACL: "GETA"
        case .setACL: "SETA"
        case .sync: "SYNC"
        case .multi: "MULT"
        case .multiRead: "MLTR"
        case .check: "CHEC"
        case .setWatches: "SETW"
        case .setWatches2: "STW2"
        case .addWatch: "ADDW"
        case .checkWatches: "CHKW"
        case .removeWatches: "REMW"
        case .getEphemerals: "GETE"
        case .getAllChildrenNumber: "GETACN"
        case .whoAmI: "HOMI"
        case .reconfig: "RECO"
        case .closeSession: "CLOS"
        case .notification, .auth, .sasl, .error: "NA"
        }
    }
}
