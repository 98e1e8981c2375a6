package import AviaryWire

/// Turns what a client says of itself into identities.
package struct Authentication: Sendable {
    /// The base64 text of the digest (SHA-1) of some bytes.
    private let digestBase64: @Sendable ([UInt8]) -> ByteString
    private let superDigest: ByteString?

    /// - Parameters:
    ///   - superDigest: `user:hash` of the super user, nil if there is none.
    ///   - digestBase64: base64 of SHA-1; the driver has the library for it.
    package init(
        superDigest: ByteString?, digestBase64: @escaping @Sendable ([UInt8]) -> ByteString
    ) {
        self.superDigest = superDigest
        self.digestBase64 = digestBase64
    }

    /// The identities that an auth packet adds, or nil if it is refused.
    ///
    /// Source: DigestAuthenticationProvider.handleAuthentication and
    /// IPAuthenticationProvider.handleAuthentication, ZooKeeper 3.9.5.
    func identities(scheme: ByteString, auth: [UInt8]?, remote: RemoteAddress) -> [Identity]? {
        switch scheme {
        case "digest":
            guard let auth else { return nil }
            let id = digestID(auth)
            let identity = Identity(scheme: "digest", id: id)
            return id == superDigest ? [.superUser, identity] : [identity]
        case "ip": return [Identity(scheme: "ip", id: remote.host)]
        default: return nil
        }
    }

    /// `user:hash`, where the hash is over all of `user:password`.
    private func digestID(_ auth: [UInt8]) -> ByteString {
        let text = ByteString(repairing: auth).bytes
        let user = text.prefix { $0 != UInt8(ascii: ":") }
        return ByteString(user + [UInt8(ascii: ":")] + digestBase64(text).bytes)
    }
}

extension Identity {
    /// Who has it bypasses all checks.
    static let superUser = Identity(scheme: "super", id: "")
}
