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
        "admin.", "audit.", "commitProcessor.", "jvm.pause.", "leader.", "learner.",
        "metricsProvider.", "netty.", "nio.", "observerMaster.", "pathStats.", "quorum.",
        "multiAddress.", "request_stale_", "request_throttle", "ssl.",
    ]

    private static let names: Set<String> = [
        "IPAuthenticationProvider.usexforwardedfor", "X509AuthenticationProvider.superUser",
        "bitHashCacheSize", "client.certReload", "clientTcpKeepAlive", "closeSessionTxn.enabled",
        "digest.enabled", "emulate353TTLNodes", "enableEagerACLCheck", "fips-mode", "flushDelay",
        "follower.nodelay", "forceSync", "intBufferStartingSizeBytes", "jute.maxbuffer.extrasize",
        "maxBatchSize", "maxGetChildrenResponseCacheSize", "maxInProcessingDeadWatchers",
        "maxResponseCacheSize", "maxWriteQueuePollTime", "secureClientPortAddress",
        "serializeLastProcessedZxid.enabled", "serverCnxnFactory", "sslQuorumReloadCertFiles",
        "watchManagerName", "watcherCleanIntervalInSeconds", "watcherCleanThreadsNum",
        "watcherCleanThreshold",
    ]
}
