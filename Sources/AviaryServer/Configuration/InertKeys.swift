/// The keys of ZooKeeper's that Aviary knows and does not act on yet.
///
/// An operator who brings a `zoo.cfg` along is told of each; a key that is not here either is
/// more likely a slip of the pen. Source: QuorumPeerConfig.parseProperties and the
/// `zookeeper.*` system properties of ZooKeeper 3.9.5.
enum InertKeys {
    static func contains(_ key: String) -> Bool {
        names.contains(key) || prefixes.contains { key.hasPrefix($0) }
    }

    private static let prefixes = [
        "admin.", "audit.", "commitProcessor.", "fastleader.", "group.", "jvm.pause.", "leader.",
        "learner.", "metricsProvider.", "multiAddress.", "netty.", "nio.", "observer.",
        "observerMaster.", "pathStats.", "quorum.", "request_stale_", "request_throttle", "ssl.",
        "weight.",
    ]

    private static let names: Set<String> = [
        "IPAuthenticationProvider.usexforwardedfor", "X509AuthenticationProvider.superUser",
        "bitHashCacheSize", "client.certReload", "clientTcpKeepAlive", "closeSessionTxn.enabled",
        "cnxTimeout", "commitLogCount", "connectToLearnerMasterLimit", "datadir.autocreate",
        "db.autocreate", "digest.enabled", "electionAlg", "electionPortBindRetry",
        "emulate353TTLNodes", "enableEagerACLCheck", "fips-mode", "flushDelay", "follower.nodelay",
        "forceSync", "intBufferStartingSizeBytes", "jute.maxbuffer.extrasize",
        "leaderConnectDelayDuringRetryMs", "leaderServes", "localSessionsEnabled",
        "localSessionsUpgradingEnabled", "maxBatchSize", "maxGetChildrenResponseCacheSize",
        "maxInProcessingDeadWatchers", "maxResponseCacheSize", "maxWriteQueuePollTime",
        "observerMasterPort", "oraclePath", "peerType", "portUnification", "quorumCnxnTimeoutMs",
        "quorumListenOnAllIPs", "readonlymode.enabled", "secureClientPortAddress",
        "serializeLastProcessedZxid.enabled", "serverCnxnFactory", "snapshotSizeFactor",
        "sslQuorumReloadCertFiles", "standaloneEnabled", "syncEnabled", "tcpKeepAlive",
        "watchManagerName", "watcherCleanIntervalInSeconds", "watcherCleanThreadsNum",
        "watcherCleanThreshold",
    ]
}
