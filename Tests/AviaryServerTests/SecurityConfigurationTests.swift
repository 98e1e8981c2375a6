import Testing

@testable import AviaryServer

@Suite struct `Security in a zoo.cfg` {
    @Test func `every key about authentication reaches its field`() throws {
        let (configuration, warnings) = try parse(
            "DigestAuthenticationProvider.enabled=false",
            "DigestAuthenticationProvider.digestAlg=sha-256",
            "java.security.auth.login.config=/jaas.conf", "sasl.serverconfig=Other",
            "sasl.usersFile=/users", "superUser=root", "superUser.2=admin",
            "letAnySaslUserDoX=any", "allowSaslFailedClients=true",
            "sessionRequireClientSASLAuth=true", "enforce.auth.enabled=true",
            "enforce.auth.schemes=sasl, ip", "ensembleAuthName=a,b",
            "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
            "authProvider.2=org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider")
        var expected = SecurityConfiguration()
        expected.digestEnabled = false
        expected.digestAlgorithm = .sha256
        expected.jaasFile = "/jaas.conf"
        expected.jaasSection = "Other"
        expected.saslUsersFile = "/users"
        expected.superUsers = ["root", "admin"]
        expected.letAnySaslUserDoX = "any"
        expected.allowSaslFailedClients = true
        expected.sessionRequireClientSASLAuth = true
        expected.enforceAuthEnabled = true
        expected.enforceAuthSchemes = "sasl, ip"
        expected.ensembleAuthName = "a,b"
        expected.providers = [.sasl, .ensemble]
        #expect(configuration.security == expected)
        #expect(configuration.security.requiredSchemes == ["sasl"])
        #expect(warnings.isEmpty)
    }

    @Test func `enforced schemes are those that are named`() throws {
        let configuration = try parse(
            "enforce.auth.enabled=true", "enforce.auth.schemes=digest, ip"
        ).configuration
        #expect(configuration.security.requiredSchemes == ["digest", "ip"])
    }

    @Test func `named schemes that are not enforced count for nothing`() throws {
        let configuration = try parse("enforce.auth.schemes=digest").configuration
        #expect(configuration.security.requiredSchemes.isEmpty)
    }

    @Test(arguments: [
        ["enforce.auth.enabled=true"],
        ["enforce.auth.enabled=true", "enforce.auth.schemes=,"],
        ["enforce.auth.enabled=true", "enforce.auth.schemes=digest,kerberos"],
        ["enforce.auth.enabled=true", "enforce.auth.schemes=sasl"],
        [
            "enforce.auth.enabled=true", "enforce.auth.schemes=digest",
            "DigestAuthenticationProvider.enabled=false",
        ],
        ["secureClientPort=2281"],
        ["sslQuorum=true"],
        ["DigestAuthenticationProvider.digestAlg=CRC32"],
        ["connection_throttle_drop_increase=1.5"],
    ])
    func `what would shut everyone out, or look safe and not be, is refused`(
        lines: [String]
    ) throws {
        let text = (["dataDir=/data", "clientPort=2181"] + lines).joined(separator: "\n")
        #expect(throws: ConfigurationError.self) {
            try ZooCfg.parse(text, file: "zoo.cfg", readFile: noFiles)
        }
    }

    @Test func `a provider that is not there is warned about`() throws {
        let warnings = try parse("authProvider.1=org.example.Own").warnings
        #expect(
            warnings == [
                "zoo.cfg:3: authProvider.1 names a provider that Aviary does not have; its "
                    + "identities match nobody"
            ])
    }

    @Test func `requiring SASL without users is warned about`() throws {
        let warnings = try parse("sessionRequireClientSASLAuth=true").warnings
        #expect(
            warnings == [
                "zoo.cfg:3: sessionRequireClientSASLAuth asks for SASL, and no client can do it; "
                    + "name the users' file with java.security.auth.login.config or sasl.usersFile"
            ])
    }

    @Test func `every throttle reaches its field`() throws {
        let configuration = try parse(
            "request_throttle_max_requests=1", "throttled_op_wait_time=2",
            "largeRequestThreshold=3", "largeRequestMaxBytes=4", "nio.sessionlessCnxnTimeout=5",
            "connection_throttle_tokens=6", "connection_throttle_fill_time=7",
            "connection_throttle_fill_count=8", "connection_throttle_freeze_time=9",
            "connection_throttle_drop_increase=0.1", "connection_throttle_drop_decrease=0.2",
            "connection_throttle_decrease_ratio=0.3", "connection_throttle_weight_enabled=true",
            "connection_throttle_global_session_weight=10",
            "connection_throttle_renew_session_weight=11",
            "connection_throttle_local_session_weight=12", "znode.container.checkIntervalMs=13",
            "znode.container.maxPerMinute=14", "znode.container.maxNeverUsedIntervalMs=15"
        ).configuration
        let numbers = [
            configuration.requestThrottleMaxRequests, configuration.throttledOpWaitMilliseconds,
            configuration.largeRequestThresholdBytes, configuration.largeRequestMaximumBytes,
            configuration.sessionlessTimeoutMilliseconds, configuration.connectionThrottle.tokens,
            configuration.connectionThrottle.fillTimeMilliseconds,
            configuration.connectionThrottle.fillCount,
            configuration.connectionThrottle.freezeTimeMilliseconds,
            configuration.connectionThrottle.globalSessionWeight,
            configuration.connectionThrottle.renewSessionWeight,
            configuration.connectionThrottle.localSessionWeight,
            configuration.containerCheckIntervalMilliseconds,
            configuration.maximumContainersPerMinute, configuration.containerNeverUsedMilliseconds,
        ]
        #expect(numbers == Array(1...15))
        #expect(configuration.connectionThrottle.dropIncrease == 0.1)
        #expect(configuration.connectionThrottle.dropDecrease == 0.2)
        #expect(configuration.connectionThrottle.decreaseRatio == 0.3)
        #expect(configuration.connectionThrottle.isWeighted)
    }
}
