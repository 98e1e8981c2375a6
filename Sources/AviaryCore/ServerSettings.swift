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
    /// Frames that may wait on one connection for its earlier writes.
    package var maximumWaitingFrames = 10_000
    /// Replies that one socket read may bring about before the next frame has to wait for them to
    /// be sent: small requests can have large replies.
    package var maximumReplyBatchBytes = 1 << 20
    /// Replies and events that a client has not read yet; above, its connection is closed.
    package var maximumOutboxBytes = 64 << 20
    /// How often containers and TTL nodes are looked through (`znode.container.checkIntervalMs`).
    package var containerCheckIntervalMilliseconds: Int64 = 60_000
    /// How many of them are deleted in a minute (`znode.container.maxPerMinute`).
    package var maximumContainersPerMinute = 10_000
    package var extendedTypes = false
    package var enforceQuota = false
    package var skipACL = false
    /// `user:hash` of the user who bypasses all checks.
    package var superDigest: ByteString?

    package init() {}
}
