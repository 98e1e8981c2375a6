import AviaryWire
import NIOCore
import Testing

@testable import AviaryCore

/// Authenticates whoever sends its own name after an empty token, but for eve.
private struct NameExchange: SASLExchange {
    mutating func step(_ token: [UInt8]) -> SASLStep {
        if token.isEmpty { return .challenge([1]) }
        let name = ByteString(token)
        return name == "eve" ? .refused : .authenticated(user: name, token: [2])
    }
}

@Suite struct AuthenticationTests {
    private func harness(
        _ sasl: (inout SASLPolicy) -> Void = { _ in },
        settings: (inout ServerSettings) -> Void = { _ in }
    ) -> CoreHarness {
        var policy = SASLPolicy()
        policy.begin = { NameExchange() }
        policy.isInACLs = true
        sasl(&policy)
        return CoreHarness(
            settings, authentication: Authentication(digest: CoreHarness.digest, sasl: policy))
    }

    @Test func `a SASL exchange is answered with zxid 0 and ends in an identity`() throws {
        let client = harness().client()
        let challenge = try #require(client.sasl(""))
        #expect(challenge.error == 0)
        #expect(challenge.zxid == .zero)
        #expect(challenge.data == [1])
        #expect(client.sasl("bob")?.data == [2])
        _ = client.ask(.create) {
            $0.writeCreate("/own", acl: [ACL(.all, "auth", "")])
        }
        let acl = try #require(client.ask(.getACL) { $0.writeText("/own") })
        var reader = JuteReader(acl.body.raw)
        #expect(try ACL.readList(from: &reader) == [ACL(.all, "sasl", "bob")])
    }

    @Test func `a SASL user may do what the node's ACL says, and others may not`() {
        let harness = harness()
        let (bob, eli) = (harness.client(), harness.client())
        _ = bob.sasl("bob")
        _ = eli.sasl("eli")
        _ = bob.ask(.create) { $0.writeCreate("/bob", acl: [ACL(.all, "sasl", "bob")]) }
        #expect(bob.get("/bob")?.error == 0)
        #expect(eli.get("/bob")?.error == ZooKeeperError.noAuth.rawValue)
    }

    @Test func `super users of SASL bypass all checks`() {
        let harness = harness({ $0.superUsers = ["root"] })
        let (bob, root) = (harness.client(), harness.client())
        _ = bob.sasl("bob")
        _ = root.sasl("root")
        _ = bob.ask(.create) { $0.writeCreate("/bob", acl: [ACL(.all, "sasl", "bob")]) }
        #expect(root.get("/bob")?.error == 0)
    }

    @Test func `who is refused is told so, with a null token, and loses the connection`() {
        let client = harness().client()
        let reply = client.sasl("eve")
        #expect(reply?.error == ZooKeeperError.authFailed.rawValue)
        #expect(reply?.body == [255, 255, 255, 255])
        #expect(client.isClosed)
    }

    @Test func `with allowSaslFailedClients who is refused stays, without identity`() {
        let client = harness({ $0.keepsRefused = true }).client()
        let reply = client.sasl("eve")
        #expect(reply?.error == 0)
        #expect(reply?.body == [255, 255, 255, 255])
        #expect(client.get("/")?.error == 0)
    }

    @Test func `where SASL is required who is refused gets -124`() {
        let client = harness(
            { $0.keepsRefused = true }, settings: { $0.requiredSchemes = ["sasl"] }
        ).client()
        let reply = client.sasl("eve")
        #expect(reply?.error == ZooKeeperError.sessionClosedRequireAuth.rawValue)
        #expect(client.isClosed)
    }

    @Test func `a null token closes the connection`() {
        let client = harness().client()
        let reply = client.ask(.sasl) { $0.writeInteger(Int32(-1)) }
        #expect(reply == nil)
        #expect(client.isClosed)
    }

    @Test func `without SASL a token is answered with success and none`() {
        let client = CoreHarness().client()
        let reply = client.sasl("bob")
        #expect(reply?.error == 0)
        #expect(reply?.body == [255, 255, 255, 255])
    }

    @Test(arguments: [OpCode.ping, .getData, .create, .closeSession, .whoAmI])
    func `without a required identity every request ends the connection`(code: OpCode) {
        let client = CoreHarness({ $0.requiredSchemes = ["digest"] }).client()
        let reply = client.ask(code) { $0.writeRead("/", watch: false) }
        #expect(reply?.error == ZooKeeperError.sessionClosedRequireAuth.rawValue)
        #expect(reply?.zxid == .zero)
        #expect(client.isClosed)
    }

    @Test func `with a required identity requests are answered`() {
        let client = CoreHarness({ $0.requiredSchemes = ["digest"] }).client()
        #expect(client.auth("digest", "bob:secret")?.error == 0)
        #expect(client.get("/")?.error == 0)
    }

    @Test func `a connection cannot collect identities without end`() {
        let client = CoreHarness({ $0.maximumIdentities = 4 }).client()
        for number in 0..<3 { #expect(client.auth("digest", "\(number):x")?.error == 0) }
        #expect(client.auth("digest", "0:x")?.error == 0)
        #expect(client.auth("digest", "3:x")?.error == ZooKeeperError.authFailed.rawValue)
        #expect(client.isClosed)
    }

    @Test(arguments: [
        ("bob", true), ("", true), ("zk/host@REALM", true), ("bob@REALM", true), ("a/b/c", true),
        ("a@b@c", false), ("a/b/c@R", false), ("a@b/c", false),
    ])
    func `an id of SASL is a name or a principal`(id: String, isValid: Bool) {
        #expect(SASLPolicy.isValid(ByteString(id)) == isValid)
    }

    @Test(arguments: [
        ("::1", "0:0:0:0:0:0:0:1"), ("fe80::1:2", "fe80:0:0:0:0:0:1:2"), ("10.0.0.1", "10.0.0.1"),
        ("::ffff:127.0.0.1", "127.0.0.1"), ("", ""),
    ])
    func `addresses are written as Java writes them`(system: String, java: String) {
        #expect(RemoteAddress(ipAddress: system, port: 1).host.description == java)
    }
}

extension TestClient {
    fileprivate func sasl(_ token: String) -> Reply? { ask(.sasl) { $0.writeText(token) } }

    fileprivate func auth(_ scheme: String, _ auth: String) -> Reply? {
        ask(.auth) {
            $0.writeInteger(Int32(0))
            $0.writeText(scheme)
            $0.writeText(auth)
        }
    }
}
