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
        "admin.", "audit.", "authProvider.", "commitProcessor.", "connection_throttle_",
        "fastleader.", "group.", "jvm.pause.", "leader.", "learner.", "metricsProvider.",
        "multiAddress.", "netty.", "nio.", "observer.", "observerMaster.", "pathStats.",
        "quorum.", "request_stale_", "request_throttle", "ssl.", "weight.",
        "znode.container.",
    ]

    private static let names: Set<String> = [
        "DigestAuthenticationProvider.digestAlg", "DigestAuthenticationProvider.enabled",
        "IPAuthenticationProvider.usexforwardedfor", "X509AuthenticationProvider.superUser",
        "allowSaslFailedClients", "bitHashCacheSize", "client.certReload",
        "client.portUnification", "clientTcpKeepAlive", "closeSessionTxn.enabled", "cnxTimeout",
        "commitLogCount", "connectToLearnerMasterLimit", "datadir.autocreate", "db.autocreate",
        "digest.enabled", "electionAlg", "electionPortBindRetry", "emulate353TTLNodes",
        "enableEagerACLCheck", "enforce.auth.enabled", "enforce.auth.schemes",
        "ensembleAuthName", "fips-mode", "flushDelay", "follower.nodelay", "forceSync",
        "intBufferStartingSizeBytes", "java.security.auth.login.config",
        "jute.maxbuffer.extrasize", "largeRequestMaxBytes", "largeRequestThreshold",
        "leaderConnectDelayDuringRetryMs", "leaderServes", "letAnySaslUserDoX",
        "localSessionsEnabled", "localSessionsUpgradingEnabled", "maxBatchSize",
        "maxGetChildrenResponseCacheSize", "maxInProcessingDeadWatchers",
        "maxResponseCacheSize", "maxWriteQueuePollTime", "observerMasterPort", "oraclePath",
        "peerType", "portUnification", "quorumCnxnTimeoutMs", "quorumListenOnAllIPs",
        "readonlymode.enabled", "reconfigEnabled", "secureClientPort",
        "secureClientPortAddress", "serializeLastProcessedZxid.enabled", "serverCnxnFactory",
        "sessionRequireClientSASLAuth", "snapshot.compression.method", "snapshotSizeFactor",
        "sslQuorum", "sslQuorumReloadCertFiles", "standaloneEnabled", "superUser",
        "syncEnabled", "tcpKeepAlive", "throttled_op_wait_time", "watchManagerName",
        "watcherCleanIntervalInSeconds", "watcherCleanThreadsNum", "watcherCleanThreshold",
    ]
}
