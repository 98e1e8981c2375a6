package import AviaryCore
package import AviaryStorage
package import AviaryWire

/// Everything a server is told before it starts, under ZooKeeper's names.
///
/// Defaults are ZooKeeper's. A value made by `ZooCfg` is within the ranges given here.
package struct ServerConfiguration: Sendable, Hashable {
    // MARK: Files

    /// Holds `version-2/` with the snapshots; without a slash at the end, unless it is `/`.
    package var dataDir: String
    /// Holds `version-2/` with the transaction log; `dataDir` unless it is set.
    package var dataLogDir: String
    /// About how many transactions lie between two snapshots; 2 or more.
    package var snapCount = 100_000
    /// About how large the log grows between two snapshots; 0 or less: no limit.
    package var snapSizeLimitKiB = 4_194_304
    /// The size at which a log file is closed and the next begun; 0 or less: no limit.
    package var txnLogSizeLimitKiB = -1
    /// By how much a log file is lengthened ahead of need; 0: not at all.
    package var preAllocSizeKiB = 65_536
    /// A sync of the log that takes longer is warned about; 0 or more.
    package var fsyncWarningThresholdMilliseconds = 1000
    /// Whether a data directory with a log but no snapshot is believed.
    package var snapshotTrustEmpty = false
    /// How many snapshots a purge leaves; 3 or more.
    package var autopurgeSnapRetainCount = 3
    /// Above 0, what no start needs any more goes after each snapshot; 0: nothing ever goes.
    ///
    /// Deviation: ZooKeeper purges nothing unless it is told to, and every so many hours.
    package var autopurgePurgeIntervalHours = 1
    /// How snapshots are packed (`snapshot.compression.method`).
    package var snapshotCompression = SnapshotCompression.none

    // MARK: Clients

    /// 0 to 65535.
    ///
    /// Deviation: at 0 the system chooses a port; ZooKeeper takes 0 for "not set".
    package var clientPort: Int
    /// A host name or address; nil: all interfaces.
    package var clientPortAddress: String?
    /// How many connections may wait to be accepted; below 1: as many as the system likes.
    package var clientPortListenBacklog = -1
    /// The connections one client address may have; 0: no limit.
    package var maxClientCnxns = 60
    /// The connections there may be in all; 0: no limit.
    package var maxCnxns = 0
    /// The longest frame a client may send, and near enough the longest value of a node; 1 or more.
    package var juteMaxBufferBytes = 0xfffff
    /// With more requests than this under way, the server stops reading from busy connections.
    package var globalOutstandingLimit = 1000
    /// With so many under way it stops reading from all; 0: no limit.
    package var requestThrottleMaxRequests = 0
    /// A request that was not read for longer than this is refused (-127); 0: no limit.
    package var throttledOpWaitMilliseconds = 0
    /// Writes above this count as large; 0 or less: none does.
    package var largeRequestThresholdBytes = -1
    /// All large writes under way, at most; the connection of one more is closed.
    package var largeRequestMaximumBytes = 104_857_600
    package var connectionThrottle = ConnectionThrottleSettings()
    /// How long a connection may take to ask for a session.
    package var sessionlessTimeoutMilliseconds = 10_000
    /// What `4lw.commands.whitelist` allows.
    package var fourLetterWords = FourLetterWordWhitelist.words([])

    // MARK: Time

    /// The unit of session expiry; 1 or more.
    package var tickTimeMilliseconds: Int
    /// The shortest session timeout a client is granted.
    package var minSessionTimeoutMilliseconds: Int
    /// The longest session timeout a client is granted; not below the shortest.
    package var maxSessionTimeoutMilliseconds: Int
    /// The ticks a member has to find and to join its leader; 0: not set, and no ensemble.
    package var initLimit = 0
    /// The ticks a member may lag behind its leader; 0: not set, and no ensemble.
    package var syncLimit = 0

    // MARK: The ensemble

    /// The members, this one among them; nil: the server is standalone.
    package var ensemble: EnsembleConfiguration?
    /// This server's number (`myid`). A standalone server puts 1 into its session ids, as in
    /// ZooKeeper.
    package var server = ServerID(1)
    package var quorum = QuorumConfiguration()

    // MARK: What is allowed

    /// Whether nodes with a time to live may be made.
    package var extendedTypesEnabled = false
    /// Whether a write over a quota is refused instead of logged.
    package var enforceQuota = false
    /// How often containers and nodes with a time to live are looked through.
    package var containerCheckIntervalMilliseconds = 60_000
    /// How many of them are deleted in a minute, at most.
    package var maximumContainersPerMinute = 10_000
    /// After how long a container that never had a child is deleted; 0: never.
    package var containerNeverUsedMilliseconds = 0
    /// Whether the members may be changed while the server runs; no use to a standalone server.
    package var reconfigEnabled = false
    package var security = SecurityConfiguration()
    package var admin = AdminServerConfiguration()

    /// ZooKeeper's defaults for everything but what has none.
    package init(dataDir: String, clientPort: Int, clientPortAddress: String? = nil) {
        self.dataDir = dataDir
        self.dataLogDir = dataDir
        self.clientPort = clientPort
        self.clientPortAddress = clientPortAddress
        self.tickTimeMilliseconds = Self.defaultTickTimeMilliseconds
        self.minSessionTimeoutMilliseconds = Self.minTicks * Self.defaultTickTimeMilliseconds
        self.maxSessionTimeoutMilliseconds = Self.maxTicks * Self.defaultTickTimeMilliseconds
    }

    /// What a server does that was given no file: port 2181, for this machine only.
    package static let `default` = ServerConfiguration(
        dataDir: "./aviary-data", clientPort: 2181, clientPortAddress: "127.0.0.1")

    static let defaultTickTimeMilliseconds = 3000
    /// The shortest session timeout in ticks, unless one is set.
    static let minTicks = 2
    /// The longest session timeout in ticks, unless one is set.
    static let maxTicks = 20
}

/// Which four letter words are answered. `srvr` always is, as ZooKeeper's own script needs it.
package enum FourLetterWordWhitelist: Sendable, Hashable {
    case all
    case words([String])

    /// - Complexity: O(*n*) in the length of the list.
    package func allows(_ word: String) -> Bool {
        switch self {
        case .all: true
        case .words(let words): word == "srvr" || words.contains(word)
        }
    }
}

/// The `admin.*` keys. Nothing serves them yet.
package struct AdminServerConfiguration: Sendable, Hashable {
    /// Deviation: ZooKeeper 3.9 serves it unless told not to.
    package var enableServer = false
    package var serverAddress = "0.0.0.0"
    package var serverPort = 8080
    package var commandURL = "/commands"
    package var idleTimeoutMilliseconds = 30_000

    package init() {}
}
