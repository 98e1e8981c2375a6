import AviaryCore
import AviaryWire
import Crypto

extension Authentication {
    /// Reads the files that the configuration names.
    init(_ security: SecurityConfiguration) throws(ConfigurationError) {
        let algorithm = security.digestAlgorithm
        let digest = Digest(superDigest: security.superDigest.map { ByteString($0) }) { bytes in
            Base64.encode(algorithm.hash(bytes))
        }
        let names = (security.ensembleAuthName ?? "").split(separator: ",")
        self.init(
            digest: security.digestEnabled ? digest : nil, sasl: try SASLPolicy(security),
            ensembleNames: security.providers.contains(.ensemble)
                ? names.map { ByteString($0) } : nil)
    }
}

extension SASLPolicy {
    fileprivate init(_ security: SecurityConfiguration) throws(ConfigurationError) {
        self.init()
        var passwords: [ByteString: ByteString] = [:]
        if let file = security.jaasFile {
            let text = try Self.read(file)
            passwords = try SASLUsers.parse(
                jaas: text, section: security.jaasSection, file: file)
        }
        if let file = security.saslUsersFile {
            let own = try SASLUsers.parse(lines: try Self.read(file), file: file)
            passwords.merge(own) { _, own in own }
        }
        if !passwords.isEmpty {
            let passwords = passwords
            begin = { DigestMD5(passwords: passwords, nonce: Self.makeNonce()) }
        }
        isInACLs = security.providers.contains(.sasl)
        superUsers = security.superUsers.map { ByteString($0) }
        anyUser = security.letAnySaslUserDoX.map { ByteString($0) }
        keepsRefused = security.allowSaslFailedClients
    }

    private static func read(_ file: String) throws(ConfigurationError) -> String {
        do throws(TextFileError) {
            return try readTextFile(file)
        } catch {
            throw ConfigurationError(file: file, line: nil, reason: error.reason)
        }
    }

    private static func makeNonce() -> [UInt8] {
        let nonceBytes = 30
        var generator = SystemRandomNumberGenerator()
        let random = (0..<nonceBytes).map { _ in UInt8.random(in: 0...255, using: &generator) }
        return Base64.encode(random).bytes
    }
}

extension DigestAlgorithm {
    func hash(_ bytes: [UInt8]) -> [UInt8] {
        switch self {
        case .md5: Array(Insecure.MD5.hash(data: bytes))
        case .sha1: Array(Insecure.SHA1.hash(data: bytes))
        case .sha256: Array(SHA256.hash(data: bytes))
        case .sha384: Array(SHA384.hash(data: bytes))
        case .sha512: Array(SHA512.hash(data: bytes))
        }
    }
}
