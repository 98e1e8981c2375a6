package import AviaryWire

/// Turns what a client says of itself into identities.
package struct Authentication: Sendable {
    /// The `digest` scheme: users and passwords that nobody has to be told of.
    package struct Digest: Sendable {
        /// The base64 text of the digest of some bytes; the driver has the library for it.
        let base64: @Sendable ([UInt8]) -> ByteString
        /// `user:hash` of the super user, nil if there is none.
        let superDigest: ByteString?

        package init(
            superDigest: ByteString?, base64: @escaping @Sendable ([UInt8]) -> ByteString
        ) {
            self.superDigest = superDigest
            self.base64 = base64
        }
    }

    /// Nil where the scheme is turned off.
    let digest: Digest?
    let sasl: SASLPolicy
    /// `ensembleAuthName`: with the scheme `ensemble`, clients say which ensemble they mean. Nil where
    /// the scheme is not there, empty where any name will do.
    let ensembleNames: [ByteString]?

    package init(
        digest: Digest?, sasl: SASLPolicy = SASLPolicy(), ensembleNames: [ByteString]? = nil
    ) {
        self.digest = digest
        self.sasl = sasl
        self.ensembleNames = ensembleNames
    }

    /// The identities that an auth packet adds, or nil if it is refused.
    ///
    /// Source: handleAuthentication of DigestAuthenticationProvider, IPAuthenticationProvider and
    /// EnsembleAuthenticationProvider, ZooKeeper 3.9.5.
    func identities(scheme: ByteString, auth: [UInt8]?, remote: RemoteAddress) -> [Identity]? {
        switch scheme {
        case "digest":
            guard let auth, let digest else { return nil }
            let id = digest.id(auth)
            let identity = Identity(scheme: "digest", id: id)
            return id == digest.superDigest ? [.superUser, identity] : [identity]
        case "ip": return [Identity(scheme: "ip", id: remote.host)]
        case "ensemble":
            guard let ensembleNames else { return nil }
            let name = ByteString(repairing: auth ?? [])
            let isMeant = name.bytes.isEmpty || ensembleNames.isEmpty
            return isMeant || ensembleNames.contains(name) ? [] : nil
        default: return nil
        }
    }
}

extension Authentication.Digest {
    /// `user:hash`, where the hash is over all of `user:password`.
    fileprivate func id(_ auth: [UInt8]) -> ByteString {
        let text = ByteString(repairing: auth).bytes
        let user = text.prefix { $0 != UInt8(ascii: ":") }
        return ByteString(user + [UInt8(ascii: ":")] + base64(text).bytes)
    }
}

extension Identity {
    /// Who has it bypasses all checks.
    static let superUser = Identity(scheme: "super", id: "")
}
