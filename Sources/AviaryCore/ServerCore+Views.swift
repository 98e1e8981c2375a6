package import AviaryWire

/// What administrators ask for, copied out so that it can be put into words without the lock.
extension ServerCore {
    /// One client connection, as `cons` lists it.
    package struct ConnectionView: Sendable {
        package let remote: RemoteAddress
        /// `.none` before the handshake.
        package let session: SessionID
        package let timeoutMilliseconds: Int32
        package let queued: Int
        package let statistics: ConnectionStatistics
    }

    package var connectionViews: [ConnectionView] {
        connections.all.map {
            ConnectionView(
                remote: $0.remote, session: $0.session,
                timeoutMilliseconds: $0.timeoutMilliseconds, queued: $0.waiting.count,
                statistics: $0.statistics)
        }
    }

    package var connectionCount: Int { connections.count }

    package var connectionDropProbability: Double { connectionThrottle.dropProbability }

    package var sessionCount: Int { sessions.count }

    package func hasSession(_ id: SessionID) -> Bool { sessions[id] != nil }

    /// The sessions due at each time, in order; times are monotonic milliseconds.
    package var sessionDueTimes: [(at: Int64, sessions: [SessionID])] { sessions.dueTimes }

    /// Each session with ephemeral nodes, and their paths.
    package var ephemerals: [(session: SessionID, paths: [Path])] {
        tree.sessionsWithEphemerals.map { ($0, tree.ephemeralPaths(of: $0)) }
    }

    /// Keys of Apache's node table, which holds the root twice.
    package var znodeCount: Int { tree.nodeCount + 1 }

    /// The watched paths, sorted, with the sessions that watch their data.
    package var watchesByPath: [(path: Path, sessions: [SessionID])] {
        watches.dataWatchers.map { path, slots in
            (path: path, sessions: slots.map { connections[$0].session }.sorted())
        }
    }

    package mutating func resetStatistics() { statistics = Statistics() }

    package mutating func resetConnectionStatistics() { connections.resetStatistics() }
}
