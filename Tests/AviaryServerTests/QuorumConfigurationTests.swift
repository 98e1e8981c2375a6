import AviaryWire
import Testing
import Zab

@testable import AviaryServer

@Suite struct `The keys of an ensemble` {
    @Test func `every key reaches its field`() throws {
        let configuration = try parseMember(
            threeMembers + [
                "standaloneEnabled=false", "connectToLearnerMasterLimit=7", "cnxTimeout=8",
                "quorumCnxnTimeoutMs=9", "electionPortBindRetry=0", "quorumListenOnAllIPs=true",
                "fastleader.minNotificationInterval=10", "fastleader.maxNotificationInterval=11",
                "syncEnabled=false", "leaderServes=no", "leader.maxConcurrentSnapSyncs=12",
                "leader.maxConcurrentDiffSyncs=13", "commitLogCount=600", "snapshotSizeFactor=-1",
                "forceSnapshotSync=true", "localSessionsEnabled=true",
                "localSessionsUpgradingEnabled=true", "readonlymode.enabled=true",
                "db.autocreate=false", "datadir.autocreate=false", "multiAddress.enabled=true",
                "tcpKeepAlive=true", "leaderConnectDelayDuringRetryMs=14",
                "observer.reconnectDelayMs=15", "observer.election.DelayMs=16",
                "leader.maxTimeToWaitForEpoch=17", "observerMasterPort=18", "peerType=participant",
            ]
        ).configuration
        var expected = QuorumConfiguration()
        expected.standaloneEnabled = false
        expected.connectToLearnerMasterLimit = 7
        expected.cnxTimeoutMilliseconds = 8
        expected.quorumCnxnTimeoutMilliseconds = 9
        expected.electionPortBindRetry = 0
        expected.listensOnAllIPs = true
        expected.minNotificationIntervalMilliseconds = 10
        expected.maxNotificationIntervalMilliseconds = 11
        expected.syncEnabled = false
        expected.leaderServes = false
        expected.maxConcurrentSnapSyncs = 12
        expected.maxConcurrentDiffSyncs = 13
        expected.commitLogCount = 600
        expected.snapshotSizeFactor = -1
        expected.forceSnapshotSync = true
        expected.localSessionsEnabled = true
        expected.localSessionsUpgradingEnabled = true
        expected.readOnlyModeEnabled = true
        expected.databaseAutocreate = false
        expected.dataDirAutocreate = false
        expected.multiAddressEnabled = true
        expected.tcpKeepAlive = true
        expected.leaderConnectDelayMilliseconds = 14
        expected.observerReconnectDelayMilliseconds = 15
        expected.observerElectionDelayMilliseconds = 16
        expected.maxTimeToWaitForEpochMilliseconds = 17
        expected.observerMasterPort = 18
        expected.peerType = .participant
        #expect(configuration.quorum == expected)
    }

    @Test func `what is not set has ZooKeeper's default`() throws {
        let quorum = try parseMember(threeMembers).configuration.quorum
        #expect(quorum == QuorumConfiguration())
        let numbers = [
            quorum.connectToLearnerMasterLimit, quorum.cnxTimeoutMilliseconds,
            quorum.quorumCnxnTimeoutMilliseconds, quorum.electionPortBindRetry,
            quorum.minNotificationIntervalMilliseconds,
            quorum.maxNotificationIntervalMilliseconds, quorum.maxConcurrentSnapSyncs,
            quorum.maxConcurrentDiffSyncs, quorum.commitLogCount,
            quorum.leaderConnectDelayMilliseconds, quorum.observerReconnectDelayMilliseconds,
            quorum.observerElectionDelayMilliseconds,
            quorum.maxTimeToWaitForEpochMilliseconds, quorum.observerMasterPort,
        ]
        #expect(numbers == [0, 5000, -1, 3, 200, 60_000, 10, 100, 500, 100, 0, 200, -1, 0])
        #expect(quorum.snapshotSizeFactor == 0.33)
        #expect(quorum.syncEnabled && quorum.leaderServes && quorum.databaseAutocreate)
    }

    @Test func `a property may be written with Java's prefix`() throws {
        let (configuration, warnings) = try parseMember(
            threeMembers + ["zookeeper.cnxTimeout=8", "zookeeper.observer.syncEnabled=true"])
        #expect(configuration.quorum.cnxTimeoutMilliseconds == 8)
        #expect(warnings.isEmpty)
        #expect(
            try parseMember(threeMembers + ["zookeeper.cnxTimeout=8", "cnxTimeout=9"]).warnings
                == ["zoo.cfg:10: cnxTimeout replaces the value given on line 9"])
        #expect(
            try parseMember(threeMembers + ["zookeeper.leader.closeSocketAsync=true"]).warnings
                == ["zoo.cfg:9: leader.closeSocketAsync has no effect in Aviary yet"])
        #expect(
            try parseMember(threeMembers + ["zookeeper.observer.syncEnabled=false"]).warnings
                == ["zoo.cfg:9: syncEnabled has no effect in Aviary yet"])
    }

    @Test(arguments: [
        ("leader.maxTimeToWaitForEpoch=5", "has no effect in Aviary yet"),
        ("observer.reconnectDelayMs=5", "has no effect in Aviary yet"),
        ("commitLogCount=10", "is raised from 10 to 500, the least"),
        ("snapshotSizeFactor=1.5", "is above 1, so that it is 0.33"),
    ])
    func `a value that is not followed is warned about`(line: String, message: String) throws {
        let key = line.prefix { $0 != "=" }
        #expect(try parseMember(threeMembers + [line]).warnings == ["zoo.cfg:9: \(key) \(message)"])
    }

    @Test(arguments: [
        "observerMasterPort=0", "readonlymode.enabled=false", "leaderServes=yes", "electionAlg=3",
        "sslQuorum=false", "portUnification=false", "quorum.auth.enableSasl=false",
        "snapshotSizeFactor=1",
    ])
    func `a value that asks for nothing is taken in silence`(line: String) throws {
        #expect(try parseMember(threeMembers + [line]).warnings.isEmpty)
    }

    @Test(arguments: [
        ("oraclePath=/oracle", "lets a minority decide when a file says so, which Aviary does not"),
        ("sslQuorum=true", "asks for TLS, which Aviary does not have yet; take the line out"),
        ("portUnification=true", "asks for TLS, which Aviary does not have yet; take the line out"),
        ("quorum.auth.enableSasl=true", "asks members to authenticate to each other, which Aviary"),
        ("quorum.auth.learnerRequireSasl=true", "asks members to authenticate to each other"),
        ("electionAlg=0", "is an election that is no more; take the line out, or write"),
        ("observerMasterPort=x", "is not a whole number; write a port from 0 to 65535"),
        ("snapshotSizeFactor=nan", "is not a number; write one from 0 to 1"),
        ("cnxTimeout=0", "is too low; write milliseconds from 1"),
        ("syncEnabled=yes", "is neither true nor false; write one of them"),
        ("leaderServes=true", "is neither yes nor no; write one of them"),
    ])
    func `H.57: what Aviary cannot do is refused with advice`(line: String, reason: String) throws {
        #expect(
            try refusalOfMember(of: threeMembers + [line]).hasPrefix("zoo.cfg:9: \(line) \(reason)")
        )
    }

    @Test func `a shortest interval above the longest is refused`() throws {
        #expect(
            try refusalOfMember(of: threeMembers + ["fastleader.minNotificationInterval=70000"])
                == "zoo.cfg:9: fastleader.minNotificationInterval (70000) is above "
                + "fastleader.maxNotificationInterval (60000); lower the one or raise the other")
    }
}

@Suite struct `What a member is told` {
    @Test func `the configuration reaches the settings of the quorum`() throws {
        let configuration = try parseMember(
            threeMembers + [
                "server.4=d:1:2:observer", "connectToLearnerMasterLimit=7",
                "fastleader.minNotificationInterval=10", "fastleader.maxNotificationInterval=11",
                "commitLogCount=600", "leaderConnectDelayDuringRetryMs=14",
                "forceSnapshotSync=true", "snapshotSizeFactor=0",
            ], files: ["/data/myid": "4"]
        ).configuration
        var expected = QuorumSettings(
            server: ServerID(4),
            verifier: QuorumVerifier(majorityOf: [ServerID(1), ServerID(2), ServerID(3)]))
        expected.isObserver = true
        expected.configuration = """
            server.1=a:1:2:participant
            server.2=b:1:2:participant
            server.3=c:1:2:participant
            server.4=d:1:2:observer
            version=0
            """
        expected.tickTime = 100
        expected.initLimit = 10
        expected.syncLimit = 5
        expected.connectToLearnerMasterLimit = 7
        expected.minimumNotificationInterval = 10
        expected.maximumNotificationInterval = 11
        expected.leaderConnectDelay = 14
        expected.historyLimit = 600
        expected.readsLog = true
        expected.forceSnapshotSync = true
        #expect(configuration.quorumSettings() == expected)
    }

    @Test func `a negative size factor reads no log`() throws {
        let configuration = try parseMember(threeMembers + ["snapshotSizeFactor=-0.5"])
            .configuration
        #expect(!configuration.quorumSettings().readsLog)
    }

    @Test func `a standalone server is an ensemble of one`() throws {
        let settings = try parseMember(["clientPort=1"]).configuration.quorumSettings()
        #expect(settings.verifier == QuorumVerifier(majorityOf: [ServerID(1)]))
        #expect(settings.configuration.isEmpty)
        #expect(settings.initLimit == 10)
    }

    /// As ZooKeeper 3.8.0 answered for two addresses, less what depends on the machine.
    @Test func `conf ends with the ensemble`() throws {
        let configuration = try parseMember(
            memberLimits + [
                "standaloneEnabled=false", "multiAddress.enabled=true",
                "server.1=127.0.0.2:25288:25388|127.0.0.1:25288:25389:participant;2181",
            ]
        ).configuration
        let text = ConfigurationText(configuration).text(port: 2181)
        #expect(
            text.hasSuffix(
                """
                clientPortListenBacklog=-1
                serverId=1
                initLimit=10
                syncLimit=5
                electionAlg=3
                electionPort=25388|25389
                quorumPort=25288
                peerType=0
                membership:\u{20}
                server.1=127.0.0.1:25288:25389|127.0.0.2:25288:25388:participant;0.0.0.0:2181
                version=0
                """))
    }

    @Test func `conf of an observer and of a standalone server`() throws {
        let observer = try parseMember(
            threeMembers + ["server.4=d:1:2:observer"], files: ["/data/myid": "4"]
        ).configuration
        #expect(ConfigurationText(observer).text(port: 1).contains("\nserverId=4\n"))
        #expect(ConfigurationText(observer).text(port: 1).contains("\npeerType=1\n"))
        let alone = try parseMember(["clientPort=1"]).configuration
        #expect(ConfigurationText(alone).text(port: 1).hasSuffix("\nserverId=0\n"))
    }
}
