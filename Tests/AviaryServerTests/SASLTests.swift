import AviaryCore
import AviaryWire
import Testing

@testable import AviaryServer

@Suite struct DigestMD5Tests {
    /// RFC 2831, section 4.
    private func exchange() -> DigestMD5 {
        DigestMD5(
            passwords: ["chris": "secret"], nonce: [UInt8]("OA6MG9tEQGm2hh".utf8),
            realm: "elwood.innosoft.com", digestURI: "imap/elwood.innosoft.com")
    }

    private let response = """
        charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",\
        nc=00000001,cnonce="OA6MHXh6VqTrRk",digest-uri="imap/elwood.innosoft.com",\
        response=d388dad90d4bbd760a152321f2143af7,qop=auth
        """

    private func answer(_ response: String) -> SASLStep {
        var exchange = exchange()
        _ = exchange.step([])
        return exchange.step([UInt8](response.utf8))
    }

    @Test func `the example of RFC 2831 authenticates, and the server proves itself`() {
        var exchange = exchange()
        let challenge = """
            realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",charset=utf-8,algorithm=md5-sess
            """
        let first = exchange.step([])
        #expect(first == .challenge([UInt8](challenge.utf8)))
        let proof = [UInt8]("rspauth=ea40f60335c427b5527b84dbabcdfffd".utf8)
        let second = exchange.step([UInt8](response.utf8))
        #expect(second == .authenticated(user: "chris", token: proof))
    }

    @Test func `a response counts once`() {
        var exchange = exchange()
        _ = exchange.step([])
        _ = exchange.step([UInt8](response.utf8))
        let again = exchange.step([UInt8](response.utf8))
        #expect(again == .refused)
    }

    @Test(arguments: [
        ("d388", "d389"), ("chris", "chros"), ("nc=00000001", "nc=00000002"),
        ("OA6MG9tEQGm2hh\",nc", "OA6MG9tEQGm2hi\",nc"), ("qop=auth", "qop=auth-int"),
        ("imap/", "smtp/"), ("cnonce=\"", "cnonce=\"x"), ("realm=\"e", "realm=\"f"),
        ("qop=auth", "qop=auth,authzid=\"root\""), ("qop=auth", "qop=auth,qop=auth"),
        ("username=\"chris\"", "username=\"chris"), ("response=", "answer="),
    ])
    func `a response with one thing changed is refused`(change: (from: String, to: String)) {
        let changed = response.replacing(change.from, with: change.to, maxReplacements: 1)
        #expect(changed != response)
        #expect(answer(changed) == .refused)
    }

    @Test func `a first token that is not empty is refused, and so is one that is too long`() {
        var exchange = exchange()
        let first = exchange.step([1])
        #expect(first == .refused)
        #expect(answer(response + "," + String(repeating: " ", count: 5000)) == .refused)
    }

    @Test func `blanks and quoted characters are read as RFC 2831 has them`() {
        let blank = response.replacing(",", with: " , ")
            .replacing("\"chris\"", with: "\"ch\\ris\"")
        guard case .authenticated("chris", _) = answer(blank) else {
            Issue.record("not authenticated")
            return
        }
    }
}

@Suite struct SASLUsersTests {
    private let jaas = """
        /* two sections */
        Client { org.example.Module optional; };
        Server {
            // who may
            org.apache.zookeeper.server.auth.DigestLoginModule required
            user_super="adminsecret"
            user_bob="bob\\"s; }"; # the end
        };
        """

    @Test func `users of a JAAS file are those of the section that is asked for`() throws {
        let users = try SASLUsers.parse(jaas: jaas, section: "Server", file: "jaas.conf")
        #expect(users == ["super": "adminsecret", "bob": "bob\"s; }"])
    }

    @Test(arguments: [
        (
            "Other",
            "jaas.conf: has no section Other; write one as in Other { "
                + "org.apache.zookeeper.server.auth.DigestLoginModule required "
                + "user_bob=\"secret\"; };"
        ),
        (
            "Client",
            "jaas.conf: has org.example.Module in its section Client, and Aviary knows only "
                + "org.apache.zookeeper.server.auth.DigestLoginModule"
        ),
    ])
    func `a JAAS file without users is refused`(section: String, message: String) {
        #expect {
            try SASLUsers.parse(jaas: jaas, section: section, file: "jaas.conf")
        } throws: { error in
            "\(error)" == message
        }
    }

    @Test(arguments: [
        "Server {", "Server { a required", "Server { a required x=\"", "Server }", "{",
    ])
    func `a JAAS file that ends too early is refused`(text: String) {
        #expect(throws: ConfigurationError.self) {
            try SASLUsers.parse(jaas: text, section: "Server", file: "jaas.conf")
        }
    }

    @Test func `our own file has a user and a password a line`() throws {
        let text = "# users\nbob:se:cret\r\n\nali\u{e9}:p\n"
        let users = try SASLUsers.parse(lines: text, file: "users")
        #expect(users == ["bob": "se:cret", "ali\u{e9}": "p"])
    }

    @Test(arguments: [
        ("bob\n", "users:1: is not a user and a password; write it as in bob:secret"),
        ("a:b\nbob:\n", "users:2: is not a user and a password; write it as in bob:secret"),
        ("a:b\na:c", "users:2: names a for the second time; remove one"),
        (
            "#\n",
            "users: names no user, so nobody could authenticate; add one, or take the key out"
        ),
    ])
    func `a mistake in our own file is told with its line`(text: String, message: String) {
        #expect {
            try SASLUsers.parse(lines: text, file: "users")
        } throws: { error in
            "\(error)" == message
        }
    }
}
