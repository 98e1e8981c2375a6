package import AviaryWire

/// Everything that an operator can set about a server's behaviour, validated before it gets here.
/// Names and defaults are ZooKeeper's.
package struct ServerSettings: Sendable {
    package var server = ServerID(1)
    package var tickTimeMilliseconds: Int64 = 3000
    package var minimumSessionTimeoutMilliseconds: Int32 = 6000
    package var maximumSessionTimeoutMilliseconds: Int32 = 60000
    /// `jute.maxbuffer`: the longest frame that is read, in bytes.
    package var maximumFrameLength = 0xf_ffff
    /// Connections from one address; 0 is without limit.
    package var maxClientCnxns = 60
    /// Connections in all; 0 is without limit.
    package var maxCnxns = 0
    /// How long a connection may take to ask for a session (`nio.sessionlessCnxnTimeout`).
    package var sessionlessTimeoutMilliseconds: Int64 = 10_000
    /// Transactions between two snapshots, at most; half of them at least.
    package var snapCount = 100_000
    /// Bytes of log between two snapshots, at most (`snapSizeLimitInKb`); 0 is without limit.
    package var snapSizeLimitBytes = 4 << 30
    /// With more requests than this on their way, connections that wait for one are not read.
    package var globalOutstandingLimit = 1000
    /// With so many requests on their way, no connection is read (`request_throttle_max_requests`);
    /// 0 is without limit.
    package var requestThrottleMaxRequests = 0
    /// A request that was not read for longer than this is not carried out any more
    /// (`throttled_op_wait_time`); 0 is without limit.
    package var throttledOpWaitMilliseconds: Int64 = 0
    /// Writes above this are large (`largeRequestThreshold`); 0: none is.
    package var largeRequestThresholdBytes = 0
    /// Large writes on their way, at most (`largeRequestMaxBytes`); the connection of one more is
    /// closed.
    package var largeRequestMaximumBytes = 104_857_600
    package var connectionThrottle = ConnectionThrottleSettings()
    /// Identities of one connection, and their bytes; one more is refused.
    package var maximumIdentities = 100
    package var maximumIdentityBytes = 1 << 20
    /// Requests of one connection that wait, and what their replies will take, in bytes: above, it is
    /// not read.
    package var maximumWaitingBytes = 8 << 20
    /// The same for all connections together.
    package var maximumOutstandingBytes = 128 << 20
    /// Replies that one socket read may bring about before the next frame has to wait for them to
    /// be sent: small requests can have large replies.
    package var maximumReplyBatchBytes = 1 << 20
    /// The work that one socket read may bring about before others get their turn, in hundreds of
    /// nanoseconds or so.
    package var maximumTurnWork = 20_000
    /// Replies and events that a client has not read yet; above, its connection is closed. A multiRead
    /// that would take more is refused.
    package var maximumOutboxBytes = 32 << 20
    /// Entries of one access control list; a longer one is invalid.
    package var maximumACLEntries = 1024
    /// What a transaction takes in the log, with its header and digest; a request that would take more
    /// is refused, since Apache reads no more than twice `jute.maxbuffer`.
    package var maximumTransactionBytes = 2 * 0xf_ffff
    /// How often containers and TTL nodes are looked through (`znode.container.checkIntervalMs`).
    package var containerCheckIntervalMilliseconds: Int64 = 60_000
    /// How many of them are deleted in a minute (`znode.container.maxPerMinute`).
    package var maximumContainersPerMinute = 10_000
    /// After how long a container that never had a child goes
    /// (`znode.container.maxNeverUsedIntervalMs`); 0: never.
    package var containerNeverUsedMilliseconds: Int64 = 0
    package var extendedTypes = false
    package var enforceQuota = false
    package var skipACL = false
    /// Who has no identity of one of these schemes may only authenticate; empty: everyone may ask
    /// (`enforce.auth.schemes`).
    package var requiredSchemes: [ByteString] = []
    /// `reconfigEnabled`: a standalone server cannot do it then either, but says so differently.
    package var reconfigEnabled = false
    /// `localSessionsEnabled`: a session is known to its own server alone, until it needs more.
    package var localSessions = false
    /// `localSessionsUpgradingEnabled`: a local session that makes an ephemeral node becomes one that
    /// all servers know.
    package var localSessionsUpgrading = false
    /// `readonlymode.enabled`: a voter without a leader serves clients that only read.
    package var readOnlyMode = false
    /// `leaderServes`: whether clients may connect to this server while it leads.
    package var leaderServes = true

    package init() {}
}
