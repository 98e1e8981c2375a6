import AviaryWire
import Crypto

/// The client's side of SASL DIGEST-MD5 (RFC 2831), as ZooKeeper's servers speak it: the server
/// challenges, the client proves that it knows the password, the server that it does too.
struct DigestMD5Client: Sendable {
    enum Step: Hashable, Sendable {
        case answer([UInt8])
        case done
        case refused
    }

    private enum State: Hashable, Sendable {
        case waitingForChallenge
        case waitingForProof([UInt8])
    }

    private let user: String
    private let password: String
    private let clientNonce: String
    private let digestURI = "zookeeper/zk-sasl-md5"
    private var state = State.waitingForChallenge

    /// - Parameter clientNonce: never used before; of characters that need no quoting.
    init(user: String, password: String, clientNonce: String) {
        self.user = user
        self.password = password
        self.clientNonce = clientNonce
    }

    mutating func step(_ token: [UInt8]) -> Step {
        switch state {
        case .waitingForChallenge: return answer(token)
        case .waitingForProof(let expected):
            let isRight = SASLDirectives.read(token)?["rspauth"] == expected
            return isRight ? .done : .refused
        }
    }

    private mutating func answer(_ challenge: [UInt8]) -> Step {
        guard let values = SASLDirectives.read(challenge), let nonce = values["nonce"] else {
            return .refused
        }
        let realm = values["realm"] ?? []
        let proof = proof(realm, nonce, "AUTHENTICATE")
        state = .waitingForProof(self.proof(realm, nonce, ""))
        var text: [UInt8] = []
        func add(_ name: String, _ value: some Sequence<UInt8>) {
            text += Array("\(text.isEmpty ? "" : ",")\(name)=\"".utf8)
            for byte in value {
                let needsEscape = byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
                if needsEscape { text.append(UInt8(ascii: "\\")) }
                text.append(byte)
            }
            text.append(UInt8(ascii: "\""))
        }
        text += Array("charset=utf-8".utf8)
        add("username", user.utf8)
        add("realm", realm)
        add("nonce", nonce)
        text += Array(",nc=00000001".utf8)
        add("cnonce", clientNonce.utf8)
        add("digest-uri", digestURI.utf8)
        text += Array(",maxbuf=65536,response=".utf8) + proof + Array(",qop=auth".utf8)
        return .answer(text)
    }

    /// RFC 2831, section 2.1.2.1.
    private func proof(_ realm: [UInt8], _ nonce: [UInt8], _ method: String) -> [UInt8] {
        let colon = UInt8(ascii: ":")
        let secret = Self.latin1(user) + [colon] + realm + [colon] + Self.latin1(password)
        let first =
            Array(Insecure.MD5.hash(data: secret)) + [colon] + nonce + [colon]
            + Array(clientNonce.utf8)
        let second = Array("\(method):\(digestURI)".utf8)
        let middle = Array(":00000001:\(clientNonce):auth:".utf8)
        return Self.hexadecimalMD5(
            Self.hexadecimalMD5(first) + [colon] + nonce + middle + Self.hexadecimalMD5(second))
    }

    private static func hexadecimalMD5(_ bytes: [UInt8]) -> [UInt8] {
        Hexadecimal.encode(Insecure.MD5.hash(data: bytes)).bytes
    }

    /// Text whose characters are all in ISO 8859-1 is hashed in that.
    private static func latin1(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        for scalar in text.unicodeScalars {
            guard let byte = UInt8(exactly: scalar.value) else { return Array(text.utf8) }
            bytes.append(byte)
        }
        return bytes
    }
}
