package import AviaryWire
package import Zab

extension ServerConfiguration {
    /// What the member that is configured knows of itself and its ensemble. A standalone server is
    /// an ensemble of one.
    package func quorumSettings() -> QuorumSettings {
        var settings = QuorumSettings(
            server: server, verifier: ensemble?.verifier ?? QuorumVerifier(majorityOf: [server]))
        settings.isObserver = ensemble?.member(server)?.isObserver ?? false
        settings.configuration = ensemble?.text ?? ""
        settings.configurationVersion = ensemble?.version ?? .zero
        settings.tickTime = Int64(tickTimeMilliseconds)
        if initLimit > 0 { settings.initLimit = Int64(initLimit) }
        if syncLimit > 0 { settings.syncLimit = Int64(syncLimit) }
        settings.connectToLearnerMasterLimit = Int64(quorum.connectToLearnerMasterLimit)
        settings.minimumNotificationInterval = Int64(quorum.minNotificationIntervalMilliseconds)
        settings.maximumNotificationInterval = Int64(quorum.maxNotificationIntervalMilliseconds)
        settings.leaderConnectDelay = Int64(quorum.leaderConnectDelayMilliseconds)
        settings.historyLimit = quorum.commitLogCount
        settings.readsLog = quorum.snapshotSizeFactor >= 0
        settings.forceSnapshotSync = quorum.forceSnapshotSync
        settings.maximumSnapSyncs = quorum.maxConcurrentSnapSyncs
        settings.maximumDiffSyncs = quorum.maxConcurrentDiffSyncs
        settings.usesObserverMasters = settings.isObserver && quorum.observerMasterPort > 0
        return settings
    }

    /// What `/zookeeper/config` holds; nil: the node has no data.
    package var configurationNodeText: ByteString? { ensemble?.text }
}
