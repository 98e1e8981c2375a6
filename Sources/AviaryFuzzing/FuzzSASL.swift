import AviaryCore
import AviaryServer
import AviaryWire

/// Who there is, and what is random in a real server.
enum FuzzUsers {
    static let nonce = [UInt8]("bm9uY2Ugb2YgYSBmdXp6ZXIsIHRoaXJ0eSBieXRl".utf8)
    static let passwords: [ByteString: ByteString] = [
        "bob": "secret", "super": "admin", "zo\u{eb}": "\u{e9}t\u{e9}", "\u{4f60}": "\u{597d}",
    ]
}

/// The tokens of one client. An input is tokens, each with its length in two bytes before it.
func fuzzSASL(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    var exchange = DigestMD5(passwords: FuzzUsers.passwords, nonce: FuzzUsers.nonce)
    var steps: [SASLStep] = []
    while !input.isEmpty && steps.count < 8 {
        let high = Int(input.byte())
        let length = high << 8 | Int(input.byte())
        steps.append(exchange.step(input.take(length)))
    }
    for (number, step) in steps.enumerated() {
        switch step {
        case .challenge: must(number == 0, "only the first token is challenged")
        case .authenticated(let user, let token):
            must(number == 1, "only the answer to the challenge authenticates")
            must(FuzzUsers.passwords[user] != nil, "only who is known is authenticated")
            must(token.count == 40, "the proof is a digest with its name")
        case .refused:
            must(
                steps[number...].allSatisfy { $0 == .refused }, "who is refused stays refused")
        }
    }
}

/// A file of users. An input is: which kind of file; its text.
func fuzzSASLUsers(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let isJAAS = input.byte() & 1 != 0
    let text = String(decoding: input.all(), as: UTF8.self)
    do throws(ConfigurationError) {
        let passwords =
            try isJAAS
            ? SASLUsers.parse(jaas: text, section: "Server", file: "users")
            : SASLUsers.parse(lines: text, file: "users")
        must(!passwords.isEmpty, "a file without users is refused")
    } catch {
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).count
        must(
            error.line.map { (1...lines).contains($0) } ?? true, "an error is in a line")
        must(!error.description.contains(where: \.isNewline), "an error is one line")
    }
}
