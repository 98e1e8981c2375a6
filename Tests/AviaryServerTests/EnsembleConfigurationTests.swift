import AviaryWire
import Foundation
import Testing
import Zab

@testable import AviaryServer

/// Reads lines as those of `list.cfg`.
private func read(
    _ lines: [String], several: Bool = false, extendedTypes: Bool = false, version: Zxid = .zero
) throws -> (EnsembleConfiguration, warnings: [String]) {
    let entries = try ZooCfg.entries(of: lines.joined(separator: "\n"), file: "list.cfg")
    var reader = EnsembleReader(
        file: "list.cfg", allowsSeveralAddresses: several, extendedTypes: extendedTypes)
    let ensemble = try reader.read(entries, version: version)
    return (ensemble, reader.warnings.map(\.description))
}

private func refusal(
    of lines: [String], several: Bool = false, extendedTypes: Bool = false
) throws -> String {
    let error = try #require(throws: ConfigurationError.self) {
        try read(lines, several: several, extendedTypes: extendedTypes)
    }
    return error.description
}

@Suite struct `The lines of an ensemble` {
    private typealias Member = EnsembleConfiguration.Member
    private typealias Address = EnsembleConfiguration.QuorumAddress
    private typealias Client = EnsembleConfiguration.ClientAddress

    @Test(arguments: [
        ("a:2888:3888", "a:2888:3888:participant"),
        ("a:2888:3888:participant", "a:2888:3888:participant"),
        ("a:2888:3888:OBSERVER", "a:2888:3888:observer"),
        ("A.example:2888:3888;2181", "A.example:2888:3888:participant;0.0.0.0:2181"),
        ("a:1:2;10.0.0.1:2181", "a:1:2:participant;10.0.0.1:2181"),
        ("a:1:65535:observer;b:0", "a:1:65535:observer;b:0"),
        ("a:1:2;0.0.0.0:2181", "a:1:2:participant;0.0.0.0:2181"),
        // As ZooKeeper 3.8.0 printed it.
        (
            "[::1]:25288:25388;[::1]:25181",
            "[0:0:0:0:0:0:0:1]:25288:25388:participant;[0:0:0:0:0:0:0:1]:25181"
        ),
        ("[2001:DB8::a]:1:2:observer", "[2001:db8:0:0:0:0:0:a]:1:2:observer"),
        ("[fe80::1%eth0]:1:2", "[fe80:0:0:0:0:0:0:1%eth0]:1:2:participant"),
    ])
    func `a member is written as ZooKeeper writes it`(line: String, text: String) throws {
        let member = try #require(try read(["server.1=\(line)"]).0.members.first)
        #expect(member.text == text)
        #expect(try read(["server.1=\(text)"]).0.members == [member])
    }

    @Test(arguments: [
        // As ZooKeeper 3.8.0 printed it, whichever address has the role.
        ("127.0.0.2:1:3|127.0.0.1:1:4:participant;9", "127.0.0.1:1:4|127.0.0.2:1:3:participant"),
        ("127.0.0.2:1:3:participant|127.0.0.1:1:4;9", "127.0.0.1:1:4|127.0.0.2:1:3:participant"),
        ("b:1:2:observer|a:1:2:Observer;9", "a:1:2|b:1:2:observer"),
        ("a:5:6|a:3:4;9", "a:3:4|a:5:6:participant"),
    ])
    func `H.41: of several addresses the role is behind the last`(line: String, text: String) throws
    {
        let member = try #require(try read(["server.1=\(line)"], several: true).0.members.first)
        #expect(member.text == text + ";0.0.0.0:9")
    }

    @Test func `each part reaches its field`() throws {
        let (ensemble, warnings) = try read([
            "server.10=b:3:4:observer;[::]:5", "server.2=a:1:2",
        ])
        #expect(
            ensemble.members == [
                Member(
                    id: ServerID(2),
                    addresses: [Address(host: "a", quorumPort: 1, electionPort: 2)]),
                Member(
                    id: ServerID(10),
                    addresses: [Address(host: "b", quorumPort: 3, electionPort: 4)],
                    isObserver: true, clientAddress: Client(host: "::", port: 5)),
            ])
        #expect(ensemble.voters == [ServerID(2)])
        #expect(warnings.isEmpty)
    }

    @Test(arguments: [
        ("a", "has 1 parts between colons where 3 or 4 belong; write host:2888:3888"),
        ("a:1", "has 2 parts between colons"),
        ("a:1:2:observer:3", "has 5 parts between colons"),
        ("::1:2888:3888", "has \"\" where a host belongs; write the name"),
        ("fe80::1:2888:3888", "has 5 parts between colons"),
        ("[::1]", "has no port behind its brackets; write [::1]:2888:3888"),
        ("[::1]2888:3888", "has no port behind its brackets"),
        ("[::1", "has no port behind its brackets"),
        ("[zoo1]:1:2", "has no IPv6 address in its brackets; write one"),
        (":1:2", "has \"\" where a host belongs"),
        ("zoo 1:1:2", "has \"zoo 1\" where a host belongs"),
        ("a:0:2", "has \"0\" where the quorum port belongs; write a number from 1 to 65535"),
        ("a:1:65536", "has \"65536\" where the election port belongs"),
        ("a: 1:2", "has \" 1\" where the quorum port belongs"),
        ("a:1:1", "has one port for both quorum and election; write two"),
        ("a:1:2:leader", "has the role \"leader\", which is not known; write participant or"),
        ("a:1:2:", "has the role \"\", which is not known"),
        ("a:1:2;", "has \"\" where the client port belongs; write a number from 0 to 65535"),
        ("a:1:2;x:y", "has \"y\" where the client port belongs"),
        ("a:1:2;::1:5", "has \"\" where a host belongs"),
        ("a:1:2;b:5:6", "has a client address that is not one; write host:2888:3888;2181"),
        ("a:1:2;5;6", "has more than one ; in it; write one, before the client port"),
        ("a:1:2;5;", "has more than one ; in it"),
        ("a:1:2|b:1:2", "has several addresses; write multiAddress.enabled=true too, or keep one"),
    ])
    func `a line that is not one is refused with advice`(line: String, reason: String) throws {
        let refusal = try refusal(of: ["", "server.1=\(line)"])
        #expect(refusal.hasPrefix("list.cfg:2: server.1=\(line) \(reason)"))
        #expect(refusal.contains("; ") && !refusal.contains("\n"))
    }

    @Test(arguments: [
        ("a:1:2:observer|b:1:2:participant", "has two roles; write one"),
        ("a:1:2|", "has \"\" where a host belongs"),
        ("a:1:2|a:1:3", "names a:1 twice; give it another host or port"),
    ])
    func `several addresses must agree`(line: String, reason: String) throws {
        let refusal = try refusal(of: ["server.1=\(line)"], several: true)
        #expect(refusal.hasPrefix("list.cfg:1: server.1=\(line) \(reason)"))
    }

    @Test func `addresses that no greeting could hold are refused`() throws {
        let host = String(repeating: "a", count: 2100)
        #expect(
            try refusal(of: ["server.1=\(host):1:2"]).hasSuffix(
                "has addresses too long to announce; write shorter or fewer names, "
                    + "2048 bytes in all"))
    }

    @Test func `a list that no vote could hold is refused`() throws {
        let host = String(repeating: "a", count: 2000)
        let client = String(repeating: "b", count: 2000)
        let lines = (0..<140).map { "server.\($0)=\(host)\($0):1:2;\(client)\($0):3" }
        #expect(
            try refusal(of: lines).hasPrefix(
                "list.cfg: the list of members is too long to travel in a vote; shorten it"))
    }

    @Test(arguments: [
        ("server.x=a:1:2", "has no number for its server; write server.1=host:2888:3888"),
        ("server.=a:1:2", "has no number for its server"),
        ("server.0x1=a:1:2", "has no number for its server"),
        ("server.-1=a:1:2", "has a number that cannot be a server's; write one from 1 to 254"),
        ("server.9223372036854775807=a:1:2", "has a number that cannot be a server's"),
        ("server.255=a:1:2", "has a number above 254, which extendedTypesEnabled=true does not"),
    ])
    func `a number that is not a server's is refused`(line: String, reason: String) throws {
        #expect(
            try refusal(of: [line], extendedTypes: true).hasPrefix("list.cfg:1: \(line) \(reason)"))
    }

    @Test(arguments: ["0", "254", "255", "1000000"])
    func `a number may be large without extended types`(id: String) throws {
        #expect(try read(["server.\(id)=a:1:2"]).0.members.first?.id.description == id)
    }

    @Test(arguments: [
        (
            "server.1=b:3:4",
            "is a second line for server 1, after line 1; give each member a number"
        ),
        ("server.01=b:3:4", "is a second line for server 1, after line 1"),
        ("server.2=a:1:4", "shares a:1 with server 1 on line 1; give it another host or port"),
        ("server.2=A:3:2", "shares a:2 with server 1 on line 1"),
        ("server.2=A:1:4", "shares a:1 with server 1 on line 1"),
        ("server.2=a:2:5", "shares a:2 with server 1 on line 1"),
        ("server.2=b:3:4;a:9", "shares a:9 with server 1 on line 1"),
        (
            "server.257=b:3:4",
            "shares the last eight bits of its number with server 1 on line 1; their sessions "
                + "could get the same id; write a number from 1 to 254"
        ),
    ])
    func `H.34: what two members cannot share is refused at the second`(
        line: String, reason: String
    ) throws {
        let refusal = try refusal(of: ["server.1=a:1:2;a:9", line])
        #expect(refusal.hasPrefix("list.cfg:2: \(line) \(reason)"))
    }

    @Test(arguments: ["0.0.0.0:5", "127.0.0.1:5", "[::]:5", "localhost:5", "[::1]:5"])
    func `a client address of each machine's own may be the same`(client: String) throws {
        let lines = ["server.1=a:1:2;\(client)", "server.2=b:1:2;\(client)"]
        #expect(try read(lines).0.members.count == 2)
    }

    @Test func `one machine may have two members with ports of their own`() throws {
        #expect(try read(["server.1=a:1:2", "server.2=a:3:4"]).0.members.count == 2)
    }
}

@Suite struct `Groups and weights` {
    private static let three = ["server.1=a:1:2", "server.2=b:1:2", "server.3=c:1:2"]

    private func ids(_ numbers: Int64...) -> [ServerID] { numbers.map { ServerID($0) } }

    @Test func `without groups a majority of the voters decides`() throws {
        let verifier = try read(Self.three + ["server.4=d:1:2:observer"]).0.verifier
        #expect(verifier == QuorumVerifier(majorityOf: ids(1, 2, 3)))
        #expect(verifier.isQuorum(ids(1, 2)))
        #expect(!verifier.isQuorum(ids(1, 4)))
    }

    /// What ZooKeeper 3.8.0 printed for these lines.
    @Test func `a hierarchical quorum is written as ZooKeeper writes it`() throws {
        let (ensemble, warnings) = try read([
            "group.2=2:1", "group.1=3", "weight.2=0", "weight.3=0", "weight.4=7",
            "server.1=127.0.0.1:25288:25388", "server.2=127.0.0.1:25289:25389:Participant",
            "server.3=127.0.0.1:25290:25390;127.0.0.1:25183",
            "server.4=127.0.0.1:25291:25391:OBSERVER", "server.10=127.0.0.1:25292:25392:observer",
        ])
        #expect(
            ensemble.text.description == """
                server.1=127.0.0.1:25288:25388:participant
                server.2=127.0.0.1:25289:25389:participant
                server.3=127.0.0.1:25290:25390:participant;127.0.0.1:25183
                server.4=127.0.0.1:25291:25391:observer
                server.10=127.0.0.1:25292:25392:observer
                group.1=3
                group.2=1:2
                weight.1=1
                weight.2=0
                weight.3=0
                weight.4=7
                version=0
                """)
        #expect(
            warnings == [
                "list.cfg:5: weight.4 has no effect, as server 4 is an observer"
            ])
        #expect(ensemble.verifier.isQuorum(ids(1)))
        #expect(!ensemble.verifier.isQuorum(ids(2, 3, 4, 10)))
        #expect(ensemble.verifier.weight(of: ServerID(2)) == 0)
    }

    @Test(arguments: [
        ("group.x=1:2:3", "has no number for its group; write group.1=1:2:3"),
        ("group.1=1:2:", "has \"\" where the number of a server belongs; write group.1=1:2:3"),
        ("group.1=1,2,3", "has \"1,2,3\" where the number of a server belongs"),
        ("group.1", "has \"\" where the number of a server belongs"),
        ("group.1=1:2:3:9", "has server 9, which is not listed; write a line server.9="),
        ("group.1=1:2:3:4", "has server 4, which is an observer and does not vote; take it out"),
        ("group.1=1:2:3:1", "has server 1, which is on line 5 already; write each server once"),
        ("group.1=1:2:3\ngroup.2=3", "has server 3, which is on line 5 already"),
        ("group.1=1:2\ngroup.01=3", "is a second line for group 1, after line 5; write its"),
        ("weight.1=2", "is a weight without groups; write every server that votes into one"),
        ("weight.x=2", "has no number for its server; write weight.1=1"),
        ("weight.1=two", "is not a weight; write a whole number from 0 to 2147483647"),
        ("weight.1=-1", "is not a weight"),
        ("weight.1=9223372036854775807", "is not a weight"),
        ("group.1=1:2:3\nweight.9=1", "is for server 9, which is not listed; write a line"),
        ("weight.2=1\nweight.02=1", "is a second weight of server 2, after line 5; keep one"),
        (
            "weight.1=0\nweight.2=0\nweight.3=0\ngroup.1=1:2:3",
            "and the other groups weigh nothing, so that nobody could decide; give a server"
        ),
    ])
    func `lines that make no quorum are refused`(lines: String, reason: String) throws {
        let refusal = try refusal(of: Self.three + ["server.4=d:1:2:observer", lines])
        let last = lines.split(separator: "\n").last ?? ""
        let number = 4 + lines.split(separator: "\n").count
        #expect(refusal.hasPrefix("list.cfg:\(number): \(last) \(reason)"))
    }

    @Test func `a voter without a group is refused at its line`() throws {
        #expect(
            try refusal(of: Self.three + ["group.1=1:2"])
                == "list.cfg:3: server.3 is in no group; add it to one, as in group.1=1:2:3")
    }
}

@Suite struct `The text of an ensemble` {
    /// What servers of ZooKeeper 3.9.5 sent each other, in votes and in NEWLEADER.
    private static var captured: Set<String> {
        get throws {
            let tests = URL(filePath: #filePath).deletingLastPathComponent()
                .deletingLastPathComponent()
            let folder = tests.appending(path: "Fixtures/quorum-wire")
            var texts: Set<String> = []
            for file in try FileManager.default.contentsOfDirectory(
                at: folder, includingPropertiesForKeys: nil) where file.pathExtension == "jsonl"
            {
                for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
                    let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
                    guard let fields = object as? [String: Any],
                        let message = fields["msg"] as? [String: Any],
                        let text = message["config"] as? String, !text.isEmpty
                    else { continue }
                    // What an independent decoder found is in the bytes as they came.
                    let hex = text.utf8.map { String(format: "%02x", $0) }.joined()
                    #expect((fields["hex"] as? String)?.contains(hex) == true)
                    texts.insert(text)
                }
            }
            return texts
        }
    }

    @Test func `every captured text is read and written as it came`() throws {
        let texts = try Self.captured
        #expect(texts.count == 6)
        for text in texts {
            var lines = text.split(separator: "\n").map(String.init)
            let last = try #require(lines.last)
            lines.removeLast()
            let digits = try #require(last.split(separator: "=").last)
            let version = Zxid(try #require(Int64(digits, radix: 16)))
            let ensemble = try read(lines.reversed(), several: true, version: version).0
            #expect(ensemble.text == ByteString(text))
        }
    }

    @Test func `H.40: members are in the order of their numbers, and text is UTF-8`() throws {
        let lines = ["server.10=\u{E9}:1:2", "server.9=b:1:2"]
        #expect(
            try read(lines, version: Zxid(0x1_0000_000D)).0.text
                == "server.9=b:1:2:participant\nserver.10=\u{E9}:1:2:participant\nversion=10000000d"
        )
    }
}
