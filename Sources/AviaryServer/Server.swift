import AviaryCore
import AviaryStorage
import AviaryWire
import Glibc
package import Logging
import NIOCore
import NIOPosix

/// A server that is running: its data recovered, its port open.
package struct Server: Sendable {
    /// The port that clients connect to.
    package let port: Int
    private let channel: any Channel
    private let group: MultiThreadedEventLoopGroup
    let host: Host
    private let disk: DiskThreads
    private let logger: Logger

    /// Recovers the data and begins to listen.
    ///
    /// - Parameter failed: called when nothing more can be written; the server is of no use then.
    package static func start(
        _ configuration: ServerConfiguration, logger: Logger,
        failed: @escaping @Sendable (LaunchError) -> Void
    ) async throws(LaunchError) -> Server {
        let fileLimit = raiseFileLimit()
        Memory.tune(loops: loopCount)
        let authentication: Authentication
        do throws(ConfigurationError) {
            authentication = try Authentication(configuration.security)
        } catch {
            throw LaunchError(message: error.description, exitCode: 2)
        }
        let data: DataDirectory
        do throws(StorageError) {
            data = try DataDirectory(configuration)
        } catch {
            let hint = configuration.inspection(after: error).map { "; inspect it with: \($0)" }
            throw LaunchError(message: error.message + (hint ?? ""), exitCode: 1)
        }
        for note in data.notes { logger.warning("recovery", metadata: ["note": "\(note)"]) }
        let replayed = data.replayed
        let core = ServerCore(
            settings: configuration.coreSettings(fileLimit: fileLimit), tree: data.tree,
            authentication: authentication,
            membership: configuration.membership(recovered: data.recovered),
            randomSeed: .random(in: 1...UInt64.max), at: Clock.now)
        let disk = DiskThreads(
            log: data.log, snapshots: data.snapshots, member: data.member, configuration,
            statistics: data.statistics, logger: logger
        ) { failed(LaunchError(message: $0.message, exitCode: 1)) }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: loopCount)
        let host = Host(
            core: core, loops: Array(group.makeIterator()).map { $0 as any EventLoop }, disk: disk,
            logger: logger, failed: failed)
        do throws(LaunchError) {
            try await host.join(configuration, disk)
        } catch {
            await end(host, disk, group, logger)
            throw error
        }
        host.enter { core, effects, now in
            core.step(.started, at: now, into: &effects)
            if replayed > 0 { core.orderSnapshot(into: &effects) }
        }
        let interval = TimeAmount.seconds(Memory.intervalSeconds)
        group.next().scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            disk.tidyMemory()
            disk.lookAtHealth(of: host)
        }
        do {
            let channel = try await listen(configuration, on: group, host)
            let port = channel.localAddress?.port ?? configuration.clientPort
            return Server(
                port: port, channel: channel, group: group, host: host, disk: disk, logger: logger)
        } catch {
            await end(host, disk, group, logger)
            throw LaunchError(
                message: "cannot listen on \(configuration.listenText): \(error); stop what "
                    + "listens there, or set another clientPort", exitCode: 1)
        }
    }

    /// Closes the port and every connection; the sessions live on in the data.
    package func stop() async {
        host.stop()
        do {
            try await channel.close()
        } catch {
            logger.debug("closing the port failed", metadata: ["error": "\(error)"])
        }
        await Self.end(host, disk, group, logger)
    }

    private static func end(
        _ host: Host, _ disk: DiskThreads, _ group: MultiThreadedEventLoopGroup, _ logger: Logger
    ) async {
        host.stop()
        await host.part()
        do {
            try await group.shutdownGracefully()
            try await disk.stop()
        } catch {
            logger.debug("stopping threads failed", metadata: ["error": "\(error)"])
        }
    }

    private static func listen(
        _ configuration: ServerConfiguration, on group: MultiThreadedEventLoopGroup, _ host: Host
    ) async throws -> any Channel {
        let words = FourLetterWords(
            whitelist: configuration.fourLetterWords,
            configuration: ConfigurationText(configuration))
        let backlog = configuration.clientPortListenBacklog
        let buffers = host.loops.map { ($0, ReadBuffers()) }
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(
                .backlog, value: CInt(backlog > 0 ? backlog : defaultBacklog)
            )
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // A socket that is accepted has this from the one that listens.
            .serverChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                let loop = channel.eventLoop
                let own = buffers.first { $0.0 === loop }?.1 ?? ReadBuffers()
                do {
                    try prepare(channel, own, host, words)
                    return loop.makeSucceededVoidFuture()
                } catch {
                    return loop.makeFailedFuture(error)
                }
            }
        if let address = configuration.clientPortAddress {
            return try await bootstrap.bind(host: address, port: configuration.clientPort).get()
        }
        do {
            // A socket for IPv6 takes IPv4 clients too, as Java's does.
            return try await bootstrap.bind(host: "::", port: configuration.clientPort).get()
        } catch let error as IOError where error.errnoCode == EAFNOSUPPORT {
            return try await bootstrap.bind(host: "0.0.0.0", port: configuration.clientPort).get()
        }
    }

    /// What a client's socket is set to, and who looks after it. The bootstrap would do it as well, but
    /// by a chain of futures, which is a sixth of what a connection costs.
    private static func prepare(
        _ channel: any Channel, _ buffers: ReadBuffers, _ host: Host, _ words: FourLetterWords
    ) throws {
        let options = channel.syncOptions
        try options?.setOption(.allowRemoteHalfClosure, value: true)
        // A second read to find that there is no more would cost each single request dearly.
        try options?.setOption(.maxMessagesPerRead, value: 1)
        try options?.setOption(.recvAllocator, value: ReadBufferAllocator(buffers))
        try channel.pipeline.syncOperations.addHandler(
            ClientConnectionHandler(host: host, words: words, buffers: buffers))
    }

    /// Clients that arrive at once and wait to be accepted. Deviation: Java's default of 50 drops
    /// them when thousands reconnect.
    private static let defaultBacklog = 8192

    /// One core is left to the log thread: with as many loops as cores they fight over the lock.
    private static var loopCount: Int { max(1, System.coreCount - 1) }

    /// Each client takes a descriptor, and the soft limit is often 1024.
    ///
    /// - Returns: how many descriptors there may be.
    private static func raiseFileLimit() -> Int {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard unsafe getrlimit(resource, &limit) == 0 else { return .max }
        let before = limit.rlim_cur
        limit.rlim_cur = limit.rlim_max
        let isRaised = unsafe setrlimit(resource, &limit) == 0
        return Int(clamping: isRaised ? limit.rlim_cur : before)
    }
}

extension ServerConfiguration {
    /// For the log, the snapshots, the loops and what an administrator looks at.
    private static let reservedDescriptors = 64

    /// The command that shows what is wrong with the data; nil if the data is not to blame.
    fileprivate func inspection(after error: StorageError) -> String? {
        guard error.code == .corrupt || error.code == .missing else { return nil }
        if let file = error.file, file.hasPrefix("log.") {
            return "aviary log --verify \(dataLogDir)/\(DataDirectory.versionDirectory)/\(file)"
        }
        let logs = dataLogDir == dataDir ? "" : " --log-dir \(dataLogDir)"
        return "aviary data verify \(dataDir)\(logs)"
    }

    var listenText: String { "\(clientPortAddress ?? "0.0.0.0"):\(clientPort)" }

    /// What of the configuration decides how the core behaves.
    ///
    /// - Parameter fileLimit: how many descriptors there may be. Some are kept for the data.
    func coreSettings(fileLimit: Int) -> ServerSettings {
        var settings = ServerSettings()
        settings.server = server
        settings.leaderServes = quorum.leaderServes
        // A server on its own knows all sessions there are. Source: ZooKeeperServer.createSessionTracker,
        // which only LearnerZooKeeperServer and LeaderZooKeeperServer override, 3.9.5.
        let isMember = ensemble != nil
        settings.localSessions = isMember && quorum.localSessionsEnabled
        settings.localSessionsUpgrading = isMember && quorum.localSessionsUpgradingEnabled
        settings.readOnlyMode = isMember && quorum.readOnlyModeEnabled
        settings.tickTimeMilliseconds = Int64(tickTimeMilliseconds)
        settings.minimumSessionTimeoutMilliseconds = Int32(clamping: minSessionTimeoutMilliseconds)
        settings.maximumSessionTimeoutMilliseconds = Int32(clamping: maxSessionTimeoutMilliseconds)
        settings.maximumFrameLength = juteMaxBufferBytes
        settings.maximumTransactionBytes = 2 * juteMaxBufferBytes
        settings.maxClientCnxns = maxClientCnxns
        let reserve = max(1, fileLimit - Self.reservedDescriptors)
        settings.maxCnxns = maxCnxns > 0 ? min(maxCnxns, reserve) : reserve
        settings.snapCount = snapCount
        settings.snapSizeLimitBytes = max(0, snapSizeLimitKiB) << 10
        settings.extendedTypes = extendedTypesEnabled
        settings.enforceQuota = enforceQuota
        settings.skipACL = security.skipACL
        settings.requiredSchemes = security.requiredSchemes
        settings.reconfigEnabled = reconfigEnabled
        settings.globalOutstandingLimit = globalOutstandingLimit
        settings.requestThrottleMaxRequests = requestThrottleMaxRequests
        settings.throttledOpWaitMilliseconds = Int64(throttledOpWaitMilliseconds)
        settings.largeRequestThresholdBytes = max(0, largeRequestThresholdBytes)
        settings.largeRequestMaximumBytes = largeRequestMaximumBytes
        settings.connectionThrottle = connectionThrottle
        settings.sessionlessTimeoutMilliseconds = Int64(sessionlessTimeoutMilliseconds)
        settings.containerCheckIntervalMilliseconds = Int64(containerCheckIntervalMilliseconds)
        settings.maximumContainersPerMinute = maximumContainersPerMinute
        settings.containerNeverUsedMilliseconds = Int64(containerNeverUsedMilliseconds)
        return settings
    }
}
