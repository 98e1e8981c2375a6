import AviaryCore

/// A key of `zoo.cfg` that Aviary acts on: where its value goes, and which values it may have.
enum Setting: Sendable {
    typealias Field<Value> = any WritableKeyPath<ServerConfiguration, Value> & Sendable

    case number(Field<Int>, in: ClosedRange<Int>, of: String, example: Int)
    /// A number that is raised, with a warning, if it is too low.
    case raisedNumber(Field<Int>, atLeast: Int, example: Int)
    case fraction(Field<Double>, example: String)
    case boolean(Field<Bool>)
    /// ZooKeeper reads some switches as `yes` and `no`, and takes `true` for no.
    case yesOrNo(Field<Bool>)
    case text(Field<String>, example: String)
    case optionalText(Field<String?>, example: String)
    case directory(Field<String>, example: String)
    case whitelist
    case digestAlgorithm
    case snapshotCompression
    /// Negative: off; above 1: the default.
    case snapshotSizeFactor
    case peerType

    static let all: [String: Setting] = [
        clients, throttles, security, quorum, quorumProperties, others,
    ].reduce(files) {
        $0.merging($1) { first, _ in first }
    }

    /// A value to show to an operator who gave none; nil: none is fine.
    var example: String? {
        switch self {
        case .number(_, _, _, let example), .raisedNumber(_, _, let example): "\(example)"
        case .fraction(_, let example): example
        case .boolean: "true"
        case .digestAlgorithm: "SHA-256"
        case .snapshotSizeFactor: "\(QuorumConfiguration.defaultSnapshotSizeFactor)"
        case .peerType: "observer"
        case .yesOrNo: "no"
        case .text(_, let example), .optionalText(_, let example), .directory(_, let example):
            example
        case .whitelist, .snapshotCompression: nil
        }
    }

    /// The key that `name` is but for its case, or but for the prefix of the Java command line.
    static func name(meantBy name: String) -> String? {
        let prefix = "zookeeper."
        let bare = (name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name)
            .lowercased()
        return all.keys.first { $0.lowercased() == bare }
    }

    static let natural = 0...Int(Int32.max)
    static let positive = 1...Int(Int32.max)
    /// Below it stands -1 for "as if it were not set", or "no limit".
    static let naturalOrMinusOne = -1...Int(Int32.max)
    static let port = 0...65_535
    /// The default of maxSessionTimeout must still be a wire timeout.
    private static let tickTime = 1...Int(Int32.max) / ServerConfiguration.maxTicks

    private static let files: [String: Setting] = [
        "dataDir": .directory(\.dataDir, example: "/var/lib/aviary"),
        "dataLogDir": .directory(\.dataLogDir, example: "/var/lib/aviary-log"),
        "snapCount": .raisedNumber(\.snapCount, atLeast: 2, example: 100_000),
        "snapSizeLimitInKb": .number(
            \.snapSizeLimitKiB, in: naturalOrMinusOne, of: "KiB", example: 4_194_304),
        "txnLogSizeLimitInKb": .number(
            \.txnLogSizeLimitKiB, in: naturalOrMinusOne, of: "KiB", example: 1_048_576),
        "preAllocSize": .number(\.preAllocSizeKiB, in: natural, of: "KiB", example: 65_536),
        "fsync.warningthresholdms": .number(
            \.fsyncWarningThresholdMilliseconds, in: natural, of: "milliseconds", example: 1000),
        "snapshot.compression.method": .snapshotCompression,
        "snapshot.trust.empty": .boolean(\.snapshotTrustEmpty),
        "autopurge.snapRetainCount": .raisedNumber(
            \.autopurgeSnapRetainCount, atLeast: 3, example: 3),
        "autopurge.purgeInterval": .number(
            \.autopurgePurgeIntervalHours, in: natural, of: "hours", example: 24),
    ]

    private static let clients: [String: Setting] = [
        "clientPort": .number(\.clientPort, in: port, of: "a port", example: 2181),
        "clientPortAddress": .optionalText(\.clientPortAddress, example: "127.0.0.1"),
        "clientPortListenBacklog": .number(
            \.clientPortListenBacklog, in: naturalOrMinusOne, of: "connections", example: 128),
        "maxClientCnxns": .number(
            \.maxClientCnxns, in: natural, of: "connections", example: 60),
        "maxCnxns": .number(\.maxCnxns, in: natural, of: "connections", example: 1000),
        "jute.maxbuffer": .number(
            \.juteMaxBufferBytes, in: positive, of: "bytes", example: 0xfffff),
        "globalOutstandingLimit": .number(
            \.globalOutstandingLimit, in: positive, of: "requests", example: 1000),
        "4lw.commands.whitelist": .whitelist,
        "tickTime": .number(
            \.tickTimeMilliseconds, in: tickTime, of: "milliseconds", example: 3000),
        "minSessionTimeout": .number(
            \.minSessionTimeoutMilliseconds, in: naturalOrMinusOne, of: "milliseconds",
            example: 6000),
        "maxSessionTimeout": .number(
            \.maxSessionTimeoutMilliseconds, in: naturalOrMinusOne, of: "milliseconds",
            example: 60_000),
    ]

    private static let throttles: [String: Setting] = [
        "request_throttle_max_requests": .number(
            \.requestThrottleMaxRequests, in: natural, of: "requests", example: 20_000),
        "throttled_op_wait_time": .number(
            \.throttledOpWaitMilliseconds, in: natural, of: "milliseconds", example: 10_000),
        "largeRequestThreshold": .number(
            \.largeRequestThresholdBytes, in: naturalOrMinusOne, of: "bytes", example: 100_000),
        "largeRequestMaxBytes": .number(
            \.largeRequestMaximumBytes, in: positive, of: "bytes", example: 104_857_600),
        "nio.sessionlessCnxnTimeout": .number(
            \.sessionlessTimeoutMilliseconds, in: positive, of: "milliseconds", example: 10_000),
        "connection_throttle_tokens": .number(
            \.connectionThrottle.tokens, in: natural, of: "tokens", example: 200),
        "connection_throttle_fill_time": .number(
            \.connectionThrottle.fillTimeMilliseconds, in: natural, of: "milliseconds",
            example: 1),
        "connection_throttle_fill_count": .number(
            \.connectionThrottle.fillCount, in: natural, of: "tokens", example: 1),
        "connection_throttle_freeze_time": .number(
            \.connectionThrottle.freezeTimeMilliseconds, in: naturalOrMinusOne,
            of: "milliseconds", example: 100),
        "connection_throttle_drop_increase": .fraction(
            \.connectionThrottle.dropIncrease, example: "0.02"),
        "connection_throttle_drop_decrease": .fraction(
            \.connectionThrottle.dropDecrease, example: "0.002"),
        "connection_throttle_decrease_ratio": .fraction(
            \.connectionThrottle.decreaseRatio, example: "0.1"),
        "connection_throttle_weight_enabled": .boolean(\.connectionThrottle.isWeighted),
        "connection_throttle_global_session_weight": .number(
            \.connectionThrottle.globalSessionWeight, in: natural, of: "tokens", example: 3),
        "connection_throttle_renew_session_weight": .number(
            \.connectionThrottle.renewSessionWeight, in: natural, of: "tokens", example: 2),
        "connection_throttle_local_session_weight": .number(
            \.connectionThrottle.localSessionWeight, in: natural, of: "tokens", example: 1),
    ]

    private static let security: [String: Setting] = [
        "skipACL": .yesOrNo(\.security.skipACL),
        "DigestAuthenticationProvider.enabled": .boolean(\.security.digestEnabled),
        "DigestAuthenticationProvider.digestAlg": .digestAlgorithm,
        "DigestAuthenticationProvider.superDigest": .optionalText(
            \.security.superDigest, example: "super:<base64 of the SHA-1 of super:password>"),
        "java.security.auth.login.config": .optionalText(
            \.security.jaasFile, example: "/etc/zookeeper/jaas.conf"),
        "sasl.serverconfig": .text(\.security.jaasSection, example: "Server"),
        "sasl.usersFile": .optionalText(
            \.security.saslUsersFile, example: "/etc/aviary/users"),
        "letAnySaslUserDoX": .optionalText(\.security.letAnySaslUserDoX, example: "anyone"),
        "allowSaslFailedClients": .boolean(\.security.allowSaslFailedClients),
        "sessionRequireClientSASLAuth": .boolean(\.security.sessionRequireClientSASLAuth),
        "enforce.auth.enabled": .boolean(\.security.enforceAuthEnabled),
        "enforce.auth.schemes": .optionalText(\.security.enforceAuthSchemes, example: "sasl"),
        "ensembleAuthName": .optionalText(\.security.ensembleAuthName, example: "cluster-a"),
    ]

    private static let others: [String: Setting] = [
        "znode.container.checkIntervalMs": .number(
            \.containerCheckIntervalMilliseconds, in: positive, of: "milliseconds",
            example: 60_000),
        "znode.container.maxPerMinute": .number(
            \.maximumContainersPerMinute, in: positive, of: "nodes", example: 10_000),
        "znode.container.maxNeverUsedIntervalMs": .number(
            \.containerNeverUsedMilliseconds, in: natural, of: "milliseconds", example: 300_000),
        "reconfigEnabled": .boolean(\.reconfigEnabled),
        "extendedTypesEnabled": .boolean(\.extendedTypesEnabled),
        "enforceQuota": .boolean(\.enforceQuota),
        "admin.enableServer": .boolean(\.admin.enableServer),
        "admin.serverAddress": .text(\.admin.serverAddress, example: "127.0.0.1"),
        "admin.serverPort": .number(\.admin.serverPort, in: port, of: "a port", example: 8080),
        "admin.commandURL": .text(\.admin.commandURL, example: "/commands"),
        "admin.idleTimeout": .number(
            \.admin.idleTimeoutMilliseconds, in: naturalOrMinusOne, of: "milliseconds",
            example: 30_000),
    ]
}
