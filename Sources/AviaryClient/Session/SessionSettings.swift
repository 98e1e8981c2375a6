package import AviaryWire
package import NIOCore

/// What a `ClientSession` goes by.
package struct SessionSettings: Sendable {
    package var hosts: [Host]
    package var chroot: Path?
    package var sessionTimeout: TimeAmount = .seconds(10)
    package var requestTimeout: TimeAmount?
    package var allowsReadOnly = false
    package var credentials: [AuthCredential] = []
    package var sasl: SASLCredential?
    package var resuming: SessionCredentials?
    package var shufflesServers = true
    package var initialPause: TimeAmount = .milliseconds(50)
    package var maximumPause: TimeAmount = .seconds(2)
    package var maximumOutstanding = 100_000
    package var maximumQueuedBytes = 64 << 20
    package var maximumRequestBytes = 0xfffff
    package var maximumFrameBytes = 64 << 20
    /// What the paths of one setWatches may take. Source: ClientCnxn, ZooKeeper 3.9.5.
    package var rearmingPieceBytes = 128 << 10
    /// How long the end of the session may take once it is asked for.
    package var closingLimit: TimeAmount = .seconds(5)

    package init(hosts: [Host], chroot: Path? = nil) {
        self.hosts = hosts
        self.chroot = chroot
    }

    package init(_ servers: ConnectString, _ configuration: ClientConfiguration) {
        self.init(hosts: servers.hosts, chroot: servers.chroot)
        sessionTimeout = TimeAmount(configuration.sessionTimeout)
        requestTimeout = configuration.requestTimeout.map { TimeAmount($0) }
        allowsReadOnly = configuration.allowsReadOnly
        credentials = configuration.credentials
        sasl = configuration.sasl
        resuming = configuration.resuming
        shufflesServers = configuration.shufflesServers
        initialPause = TimeAmount(configuration.backoff.initial)
        maximumPause = TimeAmount(configuration.backoff.maximum)
        maximumOutstanding = configuration.maximumOutstanding
        maximumQueuedBytes = configuration.maximumQueuedBytes
        maximumRequestBytes = configuration.maximumRequestBytes
        maximumFrameBytes = min(configuration.maximumFrameBytes, Int(Int32.max))
    }
}
