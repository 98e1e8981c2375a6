package import AviaryCore
package import AviaryWire
import Crypto

/// The server's side of SASL DIGEST-MD5 (RFC 2831), as ZooKeeper's clients speak it.
///
/// The client's first token is empty; it answers a challenge; the server's proof ends it. Only
/// authentication is offered, no protection of what follows.
package struct DigestMD5: SASLExchange {
    private enum State {
        case new
        case challenged
        case ended
    }

    /// What the client may send, in bytes. Source: DigestMD5Server, Java 17.
    static let maximumTokenBytes = 4096

    private let passwords: [ByteString: ByteString]
    private let nonce: [UInt8]
    private let realm: String
    private let digestURI: String
    private var state = State.new

    /// - Parameters:
    ///   - passwords: by user.
    ///   - nonce: never used before; of characters that need no quoting.
    package init(
        passwords: [ByteString: ByteString], nonce: [UInt8], realm: String = "zk-sasl-md5",
        digestURI: String = "zookeeper/zk-sasl-md5"
    ) {
        self.passwords = passwords
        self.nonce = nonce
        self.realm = realm
        self.digestURI = digestURI
    }

    package mutating func step(_ token: [UInt8]) -> SASLStep {
        let before = state
        state = .ended
        switch before {
        case .new:
            // The mechanism has no initial response.
            guard token.isEmpty else { return .refused }
            state = .challenged
            return .challenge(challenge)
        case .challenged:
            guard token.count <= Self.maximumTokenBytes, let response = DigestResponse(token),
                isMeantForThis(response), let password = passwords[response.user],
                Self.isEqual(proof(response, password, "AUTHENTICATE"), response.proof)
            else { return .refused }
            let own = [UInt8]("rspauth=".utf8) + proof(response, password, "")
            return .authenticated(user: response.user, token: own)
        case .ended: return .refused
        }
    }

    private var challenge: [UInt8] {
        [UInt8]("realm=\"\(realm)\",nonce=\"".utf8) + nonce
            + [UInt8]("\",charset=utf-8,algorithm=md5-sess".utf8)
    }

    private func isMeantForThis(_ response: DigestResponse) -> Bool {
        let first = "00000001"
        return response.realm == realm && response.nonce == nonce
            && response.nonceCount == first && response.quality == "auth"
            && response.digestURI.lowercased() == digestURI
            // Deviation: Java lets a user authenticate as itself and names it so, whatever it asks
            // to be; here who asks to be somebody else is told no.
            && response.authorizationID.map { $0 == response.user } ?? true
    }

    /// RFC 2831, section 2.1.2.1.
    private func proof(
        _ response: DigestResponse, _ password: ByteString, _ method: String
    ) -> [UInt8] {
        let colon = UInt8(ascii: ":")
        var first = Array(
            Insecure.MD5.hash(
                data: Self.latin1(response.user.bytes) + [colon] + [UInt8](response.realm.utf8)
                    + [colon] + Self.latin1(password.bytes)))
        first += [colon] + nonce + [colon] + response.clientNonce
        if let id = response.authorizationID { first += [colon] + id.bytes }
        let second = [UInt8]("\(method):\(response.digestURI)".utf8)
        let middle = [UInt8](":\(response.nonceCount):".utf8)
        return Self.hexadecimalMD5(
            Self.hexadecimalMD5(first) + [colon] + nonce + middle + response.clientNonce
                + [UInt8](":\(response.quality):".utf8) + Self.hexadecimalMD5(second))
    }

    private static func hexadecimalMD5(_ bytes: [UInt8]) -> [UInt8] {
        Hexadecimal.encode(Insecure.MD5.hash(data: bytes)).bytes
    }

    /// Text whose characters are all in ISO 8859-1 is hashed in that.
    private static func latin1(_ utf8: [UInt8]) -> [UInt8] {
        let scalars = String(decoding: utf8, as: UTF8.self).unicodeScalars
        var bytes: [UInt8] = []
        for scalar in scalars {
            guard let byte = UInt8(exactly: scalar.value) else { return utf8 }
            bytes.append(byte)
        }
        return bytes
    }

    /// Takes as long for a proof that is nearly right as for one that is all wrong.
    private static func isEqual(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        guard one.count == other.count else { return false }
        return zip(one, other).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

/// What a client answers to the challenge: `username="bob",realm="zk-sasl-md5",nonce=...`.
struct DigestResponse {
    let user: ByteString
    let realm: String
    let nonce: [UInt8]
    let clientNonce: [UInt8]
    let nonceCount: String
    let quality: String
    let digestURI: String
    let proof: [UInt8]
    let authorizationID: ByteString?

    /// Nil if it cannot be read, or lacks what it must have, or says something twice.
    init?(_ token: [UInt8]) {
        guard let values = SASLDirectives.read(token), let user = values["username"],
            let nonce = values["nonce"], let clientNonce = values["cnonce"],
            let proof = values["response"], let uri = values["digest-uri"],
            let count = values["nc"]
        else { return nil }
        self.user = ByteString(repairing: user)
        self.nonce = nonce
        self.clientNonce = clientNonce
        self.proof = proof
        digestURI = String(decoding: uri, as: UTF8.self)
        nonceCount = String(decoding: count, as: UTF8.self)
        realm = String(decoding: values["realm"] ?? [], as: UTF8.self)
        quality = values["qop"].map { String(decoding: $0, as: UTF8.self) } ?? "auth"
        authorizationID = values["authzid"].map { ByteString(repairing: $0) }
    }
}
