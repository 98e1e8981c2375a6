import AviaryCore
import AviaryWire

/// The four letter words, answered on the client port in place of a handshake.
///
/// Source: org.apache.zookeeper.server.command, ZooKeeper 3.9.5, whose text monitoring reads.
struct FourLetterWords: Sendable {
    private let whitelist: FourLetterWordWhitelist
    private let configuration: ConfigurationText
    private let startedAt: Int64

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
    func answer(to word: String, host: Host, port: Int) -> String? {
        guard Self.known.contains(word) else { return nil }
        guard whitelist.allows(word) else {
            return "\(word) is not executed because it is not in the whitelist.\n"
        }
        switch word {
        case "ruok": return "imok"
        case "isro": return "rw"
        case "srvr": return versionLine + serverBlock(host)
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
        // There is no trace mask to show or to set; 306 is Apache's at rest.
        case "gtmk", "stmk": return "306"
        // Kept by Apache for every 128th transaction; without them the list is empty.
        case "hash": return ""
        case "srst":
            host.enter { core, _, _ in core.resetStatistics() }
            return "Server stats reset.\n"
        case "crst":
            host.enter { core, _, _ in core.resetConnectionStatistics() }
            return "Connection stats reset.\n"
        default: return nil
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
                Mode: standalone
                Node count: \(core.znodeCount)

                """
        }
    }

    private func stat(_ host: Host) -> String {
        let views = host.enter { core, _, _ in core.connectionViews }
        let clients = views.map { Self.line($0, brief: true) + "\n" }.joined()
        return versionLine + "Clients:\n" + clients + "\n" + serverBlock(host)
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
        let sessionCount = due.reduce(0) { $0 + $1.sessions.count }
        var text = "SessionTracker dump:\nSession Sets (\(due.count))/(\(sessionCount)):\n"
        for (at, sessions) in due {
            let wall = at - now.monotonicMilliseconds + now.wallMilliseconds
            text += "\(sessions.count) expire at \(JavaDate.text(milliseconds: wall)):\n"
            for session in sessions { text += "\t\(session)\n" }
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

    // MARK: mntr

    private func monitor(_ host: Host) -> String {
        var lines = ["zk_version\t\(AviaryVersion.zooKeeperText)", "zk_server_state\tstandalone"]
        let (values, now) = host.enter { core, _, now in (core.monitorValues, now) }
        lines += values.map { "zk_\($0.key)\t\($0.value)" }
        lines.append("zk_uptime\t\(now.monotonicMilliseconds - startedAt)")
        lines += configuration.fileDescriptors.map { "zk_\($0.key)\t\($0.value)" }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension ServerCore {
    /// What `mntr` shows of the core, by ZooKeeper's names.
    fileprivate var monitorValues: [(key: String, value: String)] {
        let s = statistics
        var values: [(key: String, value: String)] = [
            ("avg_latency", s.latency.average.javaText),
            ("min_latency", "\(s.latency.minimum)"),
            ("max_latency", "\(s.latency.maximum)"),
            ("packets_received", "\(s.packetsReceived)"),
            ("packets_sent", "\(s.packetsSent)"),
            ("num_alive_connections", "\(connectionCount)"),
            ("outstanding_requests", "\(outstandingCount)"),
            ("znode_count", "\(znodeCount)"),
            ("watch_count", "\(watches.count)"),
            ("ephemerals_count", "\(tree.ephemeralCount)"),
            ("approximate_data_size", "\(tree.approximateDataSize)"),
            ("global_sessions", "\(sessionCount)"),
            ("local_sessions", "0"),
            ("bytes_received_count", "\(s.bytesReceived)"),
            ("connection_request_count", "\(s.connectionRequests)"),
            ("connection_rejected", "\(s.connectionsRejected)"),
            ("connection_drop_count", "\(s.connectionsDropped)"),
            ("connection_revalidate_count", "\(s.revalidations)"),
            ("sessionless_connections_expired", "\(s.sessionlessConnectionsExpired)"),
            ("stale_sessions_expired", "\(s.sessionsExpired)"),
            ("unsuccessful_handshake", "\(s.unsuccessfulHandshakes)"),
            ("auth_failed_count", "\(s.authFailures)"),
            ("digest_mismatches_count", "\(s.digestMismatches)"),
            ("proposal_count", "\(s.proposals)"),
            ("commit_count", "\(s.commits)"),
            ("last_client_response_size", "\(s.responseBytes.last)"),
            ("min_client_response_size", "\(s.responseBytes.minimum)"),
            ("max_client_response_size", "\(s.responseBytes.maximum)"),
        ]
        for (name, summary) in [("readlatency", s.readLatency), ("updatelatency", s.updateLatency)]
        {
            values += [
                ("avg_\(name)", summary.average.javaText), ("min_\(name)", "\(summary.minimum)"),
                ("max_\(name)", "\(summary.maximum)"), ("cnt_\(name)", "\(summary.count)"),
                ("sum_\(name)", "\(summary.sum)"),
            ]
        }
        return values
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

extension Double {
    /// Four decimals at most, one at least, as Java prints them.
    var javaText: String {
        let scaled = (self * 10_000).rounded() / 10_000
        return "\(scaled)"
    }
}
