/// The keys of ensembles.
extension Setting {
    /// Of `zoo.cfg`.
    static let quorum: [String: Setting] = [
        "standaloneEnabled": .boolean(\.quorum.standaloneEnabled),
        "dynamicConfigFile": .optionalText(
            \.quorum.dynamicConfigFile, example: "/etc/zookeeper/zoo.cfg.dynamic"),
        "peerType": .peerType,
        "initLimit": .number(\.initLimit, in: natural, of: "ticks", example: 10),
        "syncLimit": .number(\.syncLimit, in: natural, of: "ticks", example: 5),
        "connectToLearnerMasterLimit": .number(
            \.quorum.connectToLearnerMasterLimit, in: natural, of: "ticks", example: 10),
        "quorumListenOnAllIPs": .boolean(\.quorum.listensOnAllIPs),
        "observerMasterPort": .number(
            \.quorum.observerMasterPort, in: port, of: "a port", example: 2191),
        "syncEnabled": .boolean(\.quorum.syncEnabled),
        "localSessionsEnabled": .boolean(\.quorum.localSessionsEnabled),
        "localSessionsUpgradingEnabled": .boolean(\.quorum.localSessionsUpgradingEnabled),
    ]

    /// What ZooKeeper is also, or only, told on the Java command line, as `-Dzookeeper.<key>`.
    static let quorumProperties: [String: Setting] = [
        "multiAddress.enabled": .boolean(\.quorum.multiAddressEnabled),
        "cnxTimeout": .number(
            \.quorum.cnxTimeoutMilliseconds, in: positive, of: "milliseconds", example: 5000),
        "quorumCnxnTimeoutMs": .number(
            \.quorum.quorumCnxnTimeoutMilliseconds, in: naturalOrMinusOne, of: "milliseconds",
            example: 10_000),
        "electionPortBindRetry": .number(
            \.quorum.electionPortBindRetry, in: natural, of: "attempts", example: 3),
        "tcpKeepAlive": .boolean(\.quorum.tcpKeepAlive),
        "fastleader.minNotificationInterval": .number(
            \.quorum.minNotificationIntervalMilliseconds, in: positive, of: "milliseconds",
            example: 200),
        "fastleader.maxNotificationInterval": .number(
            \.quorum.maxNotificationIntervalMilliseconds, in: positive, of: "milliseconds",
            example: 60_000),
        "leader.maxTimeToWaitForEpoch": .number(
            \.quorum.maxTimeToWaitForEpochMilliseconds, in: naturalOrMinusOne,
            of: "milliseconds", example: 30_000),
        "observer.election.DelayMs": .number(
            \.quorum.observerElectionDelayMilliseconds, in: natural, of: "milliseconds",
            example: 200),
        "leaderConnectDelayDuringRetryMs": .number(
            \.quorum.leaderConnectDelayMilliseconds, in: natural, of: "milliseconds",
            example: 100),
        "observer.reconnectDelayMs": .number(
            \.quorum.observerReconnectDelayMilliseconds, in: natural, of: "milliseconds",
            example: 100),
        "leaderServes": .yesOrNo(\.quorum.leaderServes),
        "leader.maxConcurrentSnapSyncs": .number(
            \.quorum.maxConcurrentSnapSyncs, in: positive, of: "observers", example: 10),
        "leader.maxConcurrentDiffSyncs": .number(
            \.quorum.maxConcurrentDiffSyncs, in: positive, of: "observers", example: 100),
        "commitLogCount": .raisedNumber(\.quorum.commitLogCount, atLeast: 500, example: 500),
        "snapshotSizeFactor": .snapshotSizeFactor,
        "forceSnapshotSync": .boolean(\.quorum.forceSnapshotSync),
        "readonlymode.enabled": .boolean(\.quorum.readOnlyModeEnabled),
        "db.autocreate": .boolean(\.quorum.databaseAutocreate),
        "datadir.autocreate": .boolean(\.quorum.dataDirAutocreate),
    ]

    /// What is read and checked, and changes nothing yet, with what to say of a value that asks
    /// for a change. A key leaves this list with the change that heeds it.
    static let unheeded: [String: String] = [
        "syncEnabled": inert, "leader.maxTimeToWaitForEpoch": inert,
        "observer.election.DelayMs": inert, "observer.reconnectDelayMs": inert,
    ]

    static let inert = "has no effect in Aviary yet"

    /// The name that a key of either spelling has here: `cnxTimeout` for `zookeeper.cnxTimeout`.
    static func canonicalName(of key: String) -> String {
        let prefix = "zookeeper."
        let name = key.hasPrefix(prefix) ? String(key.dropFirst(prefix.count)) : key
        if name == "observer.syncEnabled" { return "syncEnabled" }
        let isProperty =
            quorumProperties[name] != nil || InertKeys.contains(name)
            || RefusedKeys.contains(name)
        return isProperty ? name : key
    }
}
