import Testing

@testable import AviaryServer

/// There is no file but the one that is parsed.
func noFiles(_ path: String) throws(TextFileError) -> String {
    throw TextFileError(reason: "cannot be opened: there is none", isMissing: true)
}

/// The two lines that every configuration needs, and then `lines`.
func parse(
    _ lines: String...
) throws -> (configuration: ServerConfiguration, warnings: [String]) {
    let text = (["dataDir=/data", "clientPort=2181"] + lines).joined(separator: "\n")
    let (configuration, warnings) = try ZooCfg.parse(text, file: "zoo.cfg", readFile: noFiles)
    return (configuration, warnings.map(\.description))
}

/// What is said about a text that is refused.
private func refusal(of text: String) throws -> String {
    let error = try #require(throws: ConfigurationError.self) {
        try ZooCfg.parse(text, file: "zoo.cfg", readFile: noFiles)
    }
    return error.description
}

private func refusal(after lines: String...) throws -> String {
    try refusal(of: (["dataDir=/data", "clientPort=2181"] + lines).joined(separator: "\n"))
}

@Suite struct `The values of a zoo.cfg` {
    @Test func `ZooKeeper's sample file is taken without a warning`() throws {
        let text = """
            # The number of milliseconds of each tick
            tickTime=2000
            initLimit=10
            syncLimit=5
            dataDir=/tmp/zookeeper
            clientPort=2181
            #maxClientCnxns=60
            """
        let (configuration, warnings) = try ZooCfg.parse(text, file: "zoo.cfg", readFile: noFiles)
        var expected = ServerConfiguration(dataDir: "/tmp/zookeeper", clientPort: 2181)
        expected.tickTimeMilliseconds = 2000
        expected.minSessionTimeoutMilliseconds = 4000
        expected.maxSessionTimeoutMilliseconds = 40_000
        expected.initLimit = 10
        expected.syncLimit = 5
        #expect(configuration == expected)
        #expect(warnings.isEmpty)
    }

    @Test func `what is not set has ZooKeeper's default`() throws {
        let configuration = try parse().configuration
        #expect(configuration == ServerConfiguration(dataDir: "/data", clientPort: 2181))
        #expect(configuration.clientPortAddress == nil)
        #expect(configuration.dataLogDir == "/data")
        #expect(configuration.tickTimeMilliseconds == 3000)
        #expect(configuration.minSessionTimeoutMilliseconds == 6000)
        #expect(configuration.maxSessionTimeoutMilliseconds == 60_000)
        #expect(configuration.maxClientCnxns == 60)
        #expect(configuration.juteMaxBufferBytes == 1_048_575)
        #expect(configuration.fourLetterWords == .words([]))
    }

    @Test func `every key that Aviary acts on reaches its field`() throws {
        let (configuration, warnings) = try parse(
            "dataLogDir=/log/", "clientPortAddress=[::1]", "clientPortListenBacklog=128",
            "maxClientCnxns=0", "maxCnxns=7", "tickTime=100", "minSessionTimeout=300",
            "maxSessionTimeout=400", "snapCount=10", "preAllocSize=64",
            "snapSizeLimitInKb=5", "txnLogSizeLimitInKb=6", "fsync.warningthresholdms=20",
            "snapshot.trust.empty=true", "autopurge.snapRetainCount=4",
            "autopurge.purgeInterval=24", "jute.maxbuffer=0x1000", "globalOutstandingLimit=9",
            "4lw.commands.whitelist=ruok, mntr", "extendedTypesEnabled=true",
            "enforceQuota=TRUE", "skipACL=yes", "initLimit=10", "syncLimit=5",
            "DigestAuthenticationProvider.superDigest=super:xQ\\=", "admin.enableServer=false",
            "admin.serverAddress=::1", "admin.serverPort=81", "admin.commandURL=/c",
            "admin.idleTimeout=-1")
        var expected = ServerConfiguration(
            dataDir: "/data", clientPort: 2181, clientPortAddress: "::1")
        expected.dataLogDir = "/log"
        expected.clientPortListenBacklog = 128
        expected.maxClientCnxns = 0
        expected.maxCnxns = 7
        expected.tickTimeMilliseconds = 100
        expected.minSessionTimeoutMilliseconds = 300
        expected.maxSessionTimeoutMilliseconds = 400
        expected.snapCount = 10
        expected.preAllocSizeKiB = 64
        expected.snapSizeLimitKiB = 5
        expected.txnLogSizeLimitKiB = 6
        expected.fsyncWarningThresholdMilliseconds = 20
        expected.snapshotTrustEmpty = true
        expected.autopurgeSnapRetainCount = 4
        expected.autopurgePurgeIntervalHours = 24
        expected.juteMaxBufferBytes = 4096
        expected.globalOutstandingLimit = 9
        expected.fourLetterWords = .words(["ruok", "mntr"])
        expected.extendedTypesEnabled = true
        expected.enforceQuota = true
        expected.security.skipACL = true
        expected.initLimit = 10
        expected.syncLimit = 5
        expected.security.superDigest = "super:xQ="
        expected.admin.serverAddress = "::1"
        expected.admin.serverPort = 81
        expected.admin.commandURL = "/c"
        expected.admin.idleTimeoutMilliseconds = -1
        #expect(configuration == expected)
        #expect(warnings.isEmpty)
    }

    @Test func `session timeouts follow the tick unless they are set`() throws {
        let configuration = try parse("tickTime=500", "minSessionTimeout=-1").configuration
        #expect(configuration.minSessionTimeoutMilliseconds == 1000)
        #expect(configuration.maxSessionTimeoutMilliseconds == 10_000)
    }

    @Test func `a star in the whitelist allows every word`() throws {
        let words = try parse("4lw.commands.whitelist=ruok,*").configuration.fourLetterWords
        #expect(words == .all)
        #expect(words.allows("mntr"))
    }

    @Test func `srvr is allowed by an empty whitelist, and nothing else is`() throws {
        let words = try parse("4lw.commands.whitelist=").configuration.fourLetterWords
        #expect(words.allows("srvr"))
        #expect(!words.allows("ruok"))
    }

    @Test(arguments: [
        ("server.1=a:2888:3888", "2181 nil"),
        ("server.1=a:2888:3888:participant;2182", "2181 nil"),
    ])
    func `one server line is a standalone server`(line: String, expected: String) throws {
        let (configuration, warnings) = try parse(line)
        let address = configuration.clientPortAddress ?? "nil"
        #expect("\(configuration.clientPort) \(address)" == expected)
        #expect(warnings.isEmpty)
    }

    @Test(arguments: [
        ("server.1=a:2888:3888;2182", "2182 nil"),
        ("server.1=a:2888:3888:participant;10.0.0.1:2182", "2182 10.0.0.1"),
        ("multiAddress.enabled=true\nserver.1=a:2:3|b:2:3;[::1]:2182", "2182 0:0:0:0:0:0:0:1"),
        ("server.1=a:2888:3888;0.0.0.0:2182", "2182 nil"),
    ])
    func `a server line can carry the client port`(line: String, expected: String) throws {
        let (configuration, _) = try ZooCfg.parse(
            "dataDir=/d\n\(line)", file: "zoo.cfg", readFile: noFiles)
        let address = configuration.clientPortAddress ?? "nil"
        #expect("\(configuration.clientPort) \(address)" == expected)
    }

    @Test func `without a file the server is for this machine only`() {
        let configuration = ServerConfiguration.default
        #expect(configuration.clientPortAddress == "127.0.0.1")
        #expect(configuration.clientPort == 2181)
        #expect(configuration.dataDir == "./aviary-data")
    }
}

@Suite struct `Warnings about a zoo.cfg` {
    @Test func `an unknown key is warned about by name`() throws {
        #expect(
            try parse("tickTim=5").warnings
                == ["zoo.cfg:3: tickTim is not a key of zoo.cfg and is ignored"])
    }

    @Test(arguments: ["TICKTIME=5", "zookeeper.tickTime=5"])
    func `a key that is nearly one says which`(line: String) throws {
        let warnings = try parse(line).warnings
        #expect(warnings.count == 1)
        #expect(warnings.first?.hasSuffix("tickTime may be meant") == true)
    }

    @Test(arguments: [
        "forceSync", "ssl.keyStore.location", "metricsProvider.httpPort", "leader.nodelay",
        "learner.asyncSending", "admin.portUnification", "request_throttle_stall_time",
    ])
    func `a key of ZooKeeper's that does nothing here is warned about`(key: String) throws {
        #expect(
            try parse("\(key)=1").warnings == ["zoo.cfg:3: \(key) has no effect in Aviary yet"])
    }

    @Test func `the last of two values counts, and a warning says so`() throws {
        let (configuration, warnings) = try parse("tickTime=nonsense", "tickTime=100")
        #expect(configuration.tickTimeMilliseconds == 100)
        #expect(warnings == ["zoo.cfg:4: tickTime replaces the value given on line 3"])
    }

    @Test(arguments: [
        ("snapCount=1", "zoo.cfg:3: snapCount is raised from 1 to 2, the least"),
        (
            "autopurge.snapRetainCount=0",
            "zoo.cfg:3: autopurge.snapRetainCount is raised from 0 to 3, the least"
        ),
        (
            "admin.enableServer=true",
            "zoo.cfg:3: admin.enableServer is on, but the admin server is not there yet"
        ),
    ])
    func `a value that is not quite followed is warned about`(
        line: String, warning: String
    ) throws {
        #expect(try parse(line).warnings == [warning])
    }

    @Test func `a warning is one line whatever the key holds`() throws {
        #expect(
            try parse("a\\nb=1").warnings
                == ["zoo.cfg:3: a\\nb is not a key of zoo.cfg and is ignored"])
    }
}

@Suite struct `Refusals of a zoo.cfg` {
    @Test(arguments: [
        "tickTime=3s", "tickTime=3 000", "tickTime=3_000", "maxCnxns=1e3", "snapCount=ten",
        "jute.maxbuffer=0x", "jute.maxbuffer=0x-1", "clientPort=99999999999999999999",
    ])
    func `what is not a number is refused`(line: String) throws {
        let refusal = try refusal(after: line)
        #expect(refusal.hasPrefix("zoo.cfg:3: \(line) is not a whole number; write "))
    }

    @Test(arguments: [
        "tickTime=0", "tickTime=-1", "clientPort=-1", "maxClientCnxns=-1", "snapCount=-2",
        "jute.maxbuffer=0", "preAllocSize=-1", "minSessionTimeout=-2",
    ])
    func `a number below its range is refused`(line: String) throws {
        let refusal = try refusal(after: line)
        #expect(refusal.hasPrefix("zoo.cfg:3: \(line) is too low; write "))
    }

    @Test(arguments: ["clientPort=65536", "tickTime=107374183", "snapCount=2147483648"])
    func `a number above its range is refused`(line: String) throws {
        let refusal = try refusal(after: line)
        #expect(refusal.hasPrefix("zoo.cfg:3: \(line) is too high; write "))
    }

    @Test(arguments: [
        ("clientPort=70000", "write a port from 0 to 65535, as in clientPort=2181"),
        ("skipACL=true", "is neither yes nor no; write one of them"),
        ("enforceQuota=yes", "is neither true nor false; write one of them"),
        ("dataLogDir=", "dataLogDir has no value; write dataLogDir=/var/lib/aviary-log"),
        ("server.x=a:1:2", "has no number for its server; write server.1=host:2888:3888"),
    ])
    func `a refusal says what to write instead`(line: String, advice: String) throws {
        let refusal = try refusal(after: line)
        #expect(refusal.hasSuffix(advice))
    }

    @Test func `a refusal names file and line and is one line`() throws {
        #expect(
            try refusal(after: "# comment", "skipACL=\\ntrue\\rno")
                == "zoo.cfg:4: skipACL=true\\rno is neither yes nor no; write one of them")
    }

    @Test(arguments: [
        ("clientPort=2181", "zoo.cfg: dataDir is not set; write a line as dataDir=/var/lib/aviary"),
        ("dataDir=/d", "zoo.cfg: clientPort is not set; write a line as clientPort=2181"),
        (
            "dataDir=/d\nserver.1=a:1:2;x",
            "zoo.cfg:2: server.1=a:1:2;x has \"x\" where the client port belongs; write a number "
                + "from 0 to 65535, as in host:2888:3888;2181"
        ),
    ])
    func `a file without the necessary is refused`(text: String, expected: String) throws {
        #expect(try refusal(of: text) == expected)
    }

    @Test func `a shortest timeout above the longest is refused at the later line`() throws {
        let refusal = try refusal(after: "minSessionTimeout=70000", "tickTime=3000")
        #expect(
            refusal.hasPrefix(
                "zoo.cfg:3: minSessionTimeout (70000) is above maxSessionTimeout (60000); "))
    }
}

@Suite struct `The syntax of a zoo.cfg` {
    private typealias Entry = PropertiesText.Entry

    @Test(arguments: [
        "key=value", "key = value", "key:value", "key value", "key\t:\u{0C}value", "  key=value",
        "key=\\\n   value", "ke\\\r\n\ty=value", "k\\\n\\\n ey=value", "\\u006bey=v\\u0061lue",
        "\\key=\\value", "\n# c\n! c \\\nkey=value", "key=value\\",
    ])
    func `a key and its value can be written in many ways`(text: String) throws {
        let entry = try #require(try PropertiesText.entries(of: text).first)
        #expect([entry.key, entry.value] == ["key", "value"])
    }

    @Test(arguments: [
        ("a\\=b\\:c\\ d=1", "a=b:c d", "1"), ("a==b", "a", "=b"), ("a = = b", "a", "= b"),
        ("a", "a", ""), ("=b", "", "b"), ("a=\\t\\n\\r\\f\\\\", "a", "\t\n\r\u{0C}\\"),
        ("a=#b", "a", "#b"), ("a=b\\\n#c", "a", "b#c"), ("a=b\\\n\nc", "a", "b"),
        ("a=b  ", "a", "b  "), ("a=b\\\\\nc", "a", "b\\"), ("a=\\uD83D\\uDC26", "a", "\u{1F426}"),
        ("\u{E9}=\u{1F426}", "\u{E9}", "\u{1F426}"),
    ])
    func `separators, escapes and continuations are Java's`(
        text: String, key: String, value: String
    ) throws {
        let entry = try #require(try PropertiesText.entries(of: text).first)
        #expect([entry.key, entry.value] == [key, value])
    }

    @Test func `lines are counted over comments, continuations and all kinds of ends`() throws {
        let text = "# c\r\na=1\r\rb=\\\n2\n\\\n\nc=3"
        #expect(
            try PropertiesText.entries(of: text) == [
                Entry(key: "a", value: "1", line: 2), Entry(key: "b", value: "2", line: 4),
                Entry(key: "c", value: "3", line: 8),
            ])
    }

    @Test(arguments: ["", "\n \t\n", "# only a comment", "\\", "! a \\"])
    func `a text without entries has none`(text: String) throws {
        #expect(try PropertiesText.entries(of: text).isEmpty)
    }

    @Test(arguments: ["a=\\u12", "a=\\u12g4", "\\u=1"])
    func `an unfinished Unicode escape is refused`(escape: String) throws {
        let refusal = try refusal(of: "# c\n\(escape)")
        #expect(refusal.hasPrefix("zoo.cfg:2: \\u is not followed by four hexadecimal digits; "))
    }

    @Test func `a text cut anywhere is read or refused, never worse`() throws {
        let text = "# c\na = 1 \\\n  2\\u0041\\t\r\nb:\\\n\n!\nc\\\\=\\\n"
        for length in 0...text.unicodeScalars.count {
            let cut = String(String.UnicodeScalarView(text.unicodeScalars.prefix(length)))
            _ = try? PropertiesText.entries(of: cut)
        }
    }
}
