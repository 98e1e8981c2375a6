import AviaryWire
import Foundation
import Testing

@testable import AviaryServer

/// `dataDir=/data` on the first line, then `lines`.
func parseMember(
    _ lines: [String], files: [String: String] = ["/data/myid": "1\n"]
) throws -> (configuration: ServerConfiguration, warnings: [String]) {
    let text = (["dataDir=/data"] + lines).joined(separator: "\n")
    let (configuration, warnings) = try ZooCfg.parse(text, file: "zoo.cfg") {
        path throws(TextFileError) in
        guard let text = files[path] else {
            throw TextFileError(
                reason: "cannot be opened: No such file or directory", isMissing: true)
        }
        return text
    }
    return (configuration, warnings.map(\.description))
}

func refusalOfMember(
    of lines: [String], files: [String: String] = ["/data/myid": "1\n"]
) throws -> String {
    let error = try #require(throws: ConfigurationError.self) {
        try parseMember(lines, files: files)
    }
    return error.description
}

/// Lines 2 to 5, then 6 to 8.
let memberLimits = ["clientPort=2181", "tickTime=100", "initLimit=10", "syncLimit=5"]
let threeMembers = memberLimits + ["server.1=a:1:2", "server.2=b:1:2", "server.3=c:1:2"]

@Suite struct `Standalone or a member` {
    @Test(
        arguments: [
            ([], nil), (["server.1=a:1:2"], nil),
            (["standaloneEnabled=true", "server.1=a:1:2"], nil),
            (["server.1=a:1:2", "group.1=1"], nil),
            (["standaloneEnabled=false", "server.1=a:1:2"], 1),
            (["standaloneEnabled=false", "server.1=a:1:2", "server.2=b:1:2:observer"], 2),
            (["server.1=a:1:2", "server.2=b:1:2"], 2),
            (["server.1=a:1:2", "server.2=b:1:2", "server.3=c:1:2:observer"], 3),
        ] as [([String], Int?)])
    func `the number of voters decides`(lines: [String], members: Int?) throws {
        let configuration = try parseMember(memberLimits + lines).configuration
        #expect(configuration.ensemble?.members.count == members)
        #expect(configuration.server == ServerID(1))
    }

    @Test(arguments: [([], false), (["server.1=a:1:2", "server.2=b:1:2"], true)])
    func `only a member has sessions of its own`(members: [String], expected: Bool) throws {
        let keys = [
            "localSessionsEnabled=true", "localSessionsUpgradingEnabled=true",
            "readonlymode.enabled=true",
        ]
        let configuration = try parseMember(memberLimits + members + keys).configuration
        let settings = configuration.coreSettings(fileLimit: 1024)
        #expect(settings.localSessions == expected)
        #expect(settings.localSessionsUpgrading == expected)
        #expect(settings.readOnlyMode == expected)
    }

    @Test(arguments: [
        (
            ["server.1=a:1:2", "server.2=b:1:2:observer"],
            "zoo.cfg: observers are listed with one voter, which alone is a standalone server; "
                + "take them out, list three voters, or write standaloneEnabled=false"
        ),
        (
            ["server.1=a:1:2:observer"],
            "zoo.cfg: observers are listed with no voter, which alone is a standalone server; "
                + "take them out, list three voters, or write standaloneEnabled=false"
        ),
        (
            ["standaloneEnabled=false"],
            "zoo.cfg:6: standaloneEnabled=false asks for an ensemble, and no voter is listed; "
                + "write a line as server.1=host:2888:3888 for each, or take this one out"
        ),
        (
            ["standaloneEnabled=false", "server.1=a:1:2:observer"],
            "zoo.cfg:6: standaloneEnabled=false asks for an ensemble, and no voter is listed; "
                + "write a line as server.1=host:2888:3888 for each, or take this one out"
        ),
    ])
    func `observers need an ensemble, and an ensemble a voter`(
        lines: [String], reason: String
    ) throws {
        #expect(try refusalOfMember(of: memberLimits + lines) == reason)
    }

    @Test func `a standalone server needs no myid`() throws {
        let lines = memberLimits + ["server.7=a:1:2"]
        #expect(try parseMember(lines, files: [:]).configuration.ensemble == nil)
    }

    @Test(arguments: [("initLimit", 10), ("syncLimit", 5)])
    func `an ensemble needs its limits`(key: String, example: Int) throws {
        let without = threeMembers.filter { !$0.hasPrefix(key) }
        #expect(
            try refusalOfMember(of: without)
                == "zoo.cfg: \(key) is not set, which an ensemble needs; "
                + "write a line as \(key)=\(example)")
        #expect(
            try refusalOfMember(of: without + ["\(key)=0"]).hasPrefix(
                "zoo.cfg:8: \(key) is not set"))
    }
}

@Suite struct `The number of a member` {
    @Test(arguments: ["2", "2\n", " 2 \r\n", "2\nanything", "002"])
    func `it is on the first line of myid`(text: String) throws {
        let (configuration, warnings) = try parseMember(threeMembers, files: ["/data/myid": text])
        #expect(configuration.server == ServerID(2))
        #expect(warnings.isEmpty)
    }

    @Test func `a myid that is missing is refused with what to write`() throws {
        #expect(
            try refusalOfMember(of: threeMembers, files: [:])
                == "/data/myid: cannot be opened: No such file or directory; it holds the number of "
                + "this server's line in zoo.cfg: write it with: echo 1 > /data/myid")
    }

    @Test(arguments: ["", "\n2", "one", "0x2", "9223372036854775808", "2;"])
    func `a myid that is not a number is refused`(text: String) throws {
        let refusal = try refusalOfMember(of: threeMembers, files: ["/data/myid": text])
        #expect(refusal.hasPrefix("/data/myid:1: \""))
        #expect(
            refusal.hasSuffix(
                "\" is not the number of a server; write that of this server's line in zoo.cfg, "
                    + "one of 1, 2, 3"))
    }

    @Test func `a myid of anything else is quoted in part and on one line`() throws {
        let junk = "\u{1B}" + String(repeating: "x", count: 10_000)
        let refusal = try refusalOfMember(of: threeMembers, files: ["/data/myid": junk])
        #expect(refusal.utf8.count < 250)
        #expect(refusal.unicodeScalars.allSatisfy { $0.value >= 0x20 })
    }

    @Test func `a number that is not listed is refused with those that are`() throws {
        #expect(
            try refusalOfMember(of: threeMembers, files: ["/data/myid": "7"])
                == "/data/myid:1: 7 is not in the list of members in zoo.cfg, which are 1, 2, 3; "
                + "write one of these, or add a line server.7=host:2888:3888")
    }

    @Test func `an observer is one by its line, and a peerType that differs is told so`() throws {
        let lines = threeMembers + ["server.4=d:1:2:observer"]
        let (configuration, warnings) = try parseMember(
            lines + ["peerType=participant"], files: ["/data/myid": "4"])
        #expect(configuration.quorumSettings().isObserver)
        #expect(
            warnings == [
                "zoo.cfg:10: peerType is participant, but server.4 is listed as observer, "
                    + "which counts"
            ])
        #expect(try parseMember(lines + ["peerType=participant"]).warnings.isEmpty)
        #expect(
            try refusalOfMember(of: lines + ["peerType=leader"])
                == "zoo.cfg:10: peerType=leader is neither participant nor observer; "
                + "write one of them")
    }

    @Test func `peerType=observer on a standalone server is told so`() throws {
        #expect(
            try parseMember(memberLimits + ["peerType=observer"]).warnings == [
                "zoo.cfg:6: peerType has no effect on a standalone server"
            ])
    }

    @Test func `an even number of voters is told so`() throws {
        let four = threeMembers + ["server.4=d:1:2"]
        #expect(
            try parseMember(four).warnings == [
                "zoo.cfg:6: server is written for 4 voters, of which no more may fail than of 3: "
                    + "list one less or one more"
            ])
        #expect(try parseMember(Array(threeMembers.dropLast())).warnings.count == 1)
        #expect(try parseMember(four + ["group.1=1:2:3:4"]).warnings.isEmpty)
    }
}

@Suite struct `Where a member's clients connect` {
    /// The lines of threeMembers members, the first with `client` behind it.
    private func lines(_ client: String, _ others: [String]) -> [String] {
        ["initLimit=10", "syncLimit=5", "server.1=a:1:2\(client)"] + threeMembers.suffix(2) + others
    }

    @Test(arguments: [
        ("", ["clientPort=5"], "5 nil"), (";5", [], "5 nil"), (";5", ["clientPort=5"], "5 nil"),
        (";10.0.0.1:5", [], "5 10.0.0.1"), (";10.0.0.1:5", ["clientPort=5"], "5 nil"),
        (";10.0.0.1:5", ["clientPort=5", "clientPortAddress=10.0.0.1"], "5 10.0.0.1"),
        (";[::1]:5", ["clientPort=5", "clientPortAddress=[0::1]"], "5 0::1"),
        (";10.0.0.1:5", ["clientPort=5", "clientPortAddress=0.0.0.0"], "5 0.0.0.0"),
    ])
    func `a member's line and zoo.cfg agree`(
        client: String, others: [String], expected: String
    ) throws {
        let (configuration, warnings) = try parseMember(lines(client, others))
        let address = configuration.clientPortAddress ?? "nil"
        #expect("\(configuration.clientPort) \(address)" == expected)
        #expect(warnings.isEmpty)
        let member = configuration.ensemble?.member(ServerID(1))
        #expect((member?.clientAddress == nil) == client.isEmpty)
    }

    @Test(arguments: [
        (["clientPort=6"], "clientPort=6 contradicts 5"),
        (["clientPort=5\nclientPortAddress=10.0.0.2"], "clientPortAddress=10.0.0.2 contradicts 10"),
    ])
    func `a contradiction is refused`(others: [String], reason: String) throws {
        let refusal = try refusalOfMember(of: lines(";10.0.0.1:5", others))
        #expect(refusal.hasPrefix("zoo.cfg:\(others[0].contains("\n") ? 8 : 7): \(reason)"))
        #expect(refusal.hasSuffix("; write one of the two, or the same in both"))
    }

    @Test func `names are compared as text, and a difference is told`() throws {
        let (configuration, warnings) = try parseMember(
            lines(";zoo1:5", ["clientPort=5", "clientPortAddress=10.0.0.1"]))
        #expect(configuration.clientPortAddress == "10.0.0.1")
        #expect(
            warnings == [
                "zoo.cfg:8: clientPortAddress is 10.0.0.1, and the line server.1 has zoo1; "
                    + "the first counts here"
            ])
    }

    @Test func `the lines of others say nothing of this server`() throws {
        #expect(
            try refusalOfMember(of: lines("", ["server.4=d:1:2:observer;5"]))
                == "zoo.cfg: clientPort is not set; write a line as clientPort=2181")
    }
}

@Suite struct `A dynamic file` {
    private static let lines = memberLimits + ["dynamicConfigFile=/etc/zoo.cfg.dynamic.10000000a"]
    private static let members = "# members\nserver.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2;9"

    private func files(_ text: String) -> [String: String] {
        ["/data/myid": "1", "/etc/zoo.cfg.dynamic.10000000a": text]
    }

    @Test(arguments: [[], ["reconfigEnabled=true"]])
    func `H.42: its members count, and its name is the version`(others: [String]) throws {
        let (configuration, warnings) = try parseMember(
            Self.lines + others, files: files(Self.members))
        #expect(warnings.isEmpty)
        // ZooKeeper 3.8.0 shows this version whether or not reconfiguration is on.
        #expect(
            configuration.ensemble?.text.description == """
                server.1=a:1:2:participant
                server.2=b:1:2:participant
                server.3=c:1:2:participant;0.0.0.0:9
                version=10000000a
                """)
        #expect(configuration.configurationNodeText == configuration.ensemble?.text)
    }

    @Test(
        arguments: [
            ("/etc/zoo.cfg.dynamic", 0), ("zoo", 0), ("/etc.d/zoo", 0), ("zoo.cfg.dynamic.", 0),
            ("zoo.dynamic.100000000", 0x1_0000_0000), ("zoo.dynamic.FF", 0xFF), ("zoo.-1", 0),
            ("zoo.ffffffffffffffffff", 0),
        ] as [(String, Int64)])
    func `a name without a version is version 0`(name: String, version: Int64) throws {
        let (configuration, _) = try parseMember(
            memberLimits + ["dynamicConfigFile=\(name)"],
            files: ["/data/myid": "1", name: Self.members])
        #expect(configuration.ensemble?.version == Zxid(version))
    }

    @Test(arguments: [
        (
            "version=10000000a",
            ":2: version=10000000a is in the name of a dynamic file, not in it; "
        ),
        (
            "clientPort=5",
            ":2: clientPort=5 does not belong into a dynamic file, which has lines of"
        ),
        ("server.2=b", ":2: server.2=b has 1 parts between colons where 3 or 4 belong; "),
        ("a=\\u12", ":2: \\u is not followed by four hexadecimal digits; "),
    ])
    func `what does not belong there is refused with its name`(line: String, reason: String) throws
    {
        let refusal = try refusalOfMember(of: Self.lines, files: files("server.1=a:1:2\n\(line)"))
        #expect(refusal.hasPrefix("/etc/zoo.cfg.dynamic.10000000a" + reason))
    }

    @Test func `a dynamic file that is missing is refused`() throws {
        #expect(
            try refusalOfMember(of: Self.lines)
                == "zoo.cfg:6: dynamicConfigFile=/etc/zoo.cfg.dynamic.10000000a cannot be opened: "
                + "No such file or directory; write the members there, or as server.N lines here, "
                + "without dynamicConfigFile")
    }

    @Test(arguments: ["server.1=a:1:2", "group.1=1", "weight.1=1"])
    func `members are in one file`(line: String) throws {
        #expect(
            try refusalOfMember(of: Self.lines + [line], files: files(Self.members))
                == "zoo.cfg:7: \(line) belongs into /etc/zoo.cfg.dynamic.10000000a, which "
                + "dynamicConfigFile names; move it")
    }

    @Test func `one member in it is a standalone server with its client port`() throws {
        let (configuration, _) = try parseMember(
            ["dynamicConfigFile=/d"], files: ["/d": "server.1=a:1:2;7"])
        #expect(configuration.ensemble == nil)
        #expect(configuration.clientPort == 7)
    }

    @Test func `H.43: a change of members that is not decided stops the start`() throws {
        var files = files(Self.members)
        files["zoo.cfg.dynamic.next"] = Self.members + "\nversion=10000000b"
        let refusal = try refusalOfMember(of: Self.lines, files: files)
        #expect(refusal.hasPrefix("zoo.cfg.dynamic.next: holds a change of members"))
        #expect(refusal.contains("; let ZooKeeper finish it"))
    }
}
