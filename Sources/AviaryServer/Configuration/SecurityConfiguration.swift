import AviaryCore
import AviaryWire

/// The keys about who a client is and what that allows.
package struct SecurityConfiguration: Sendable, Hashable {
    /// Whether every client may do everything.
    package var skipACL = false
    /// Whether clients may say who they are with the scheme `digest`.
    package var digestEnabled = true
    package var digestAlgorithm = DigestAlgorithm.sha1
    /// `user:hash` of the superuser, as the digest scheme makes it; nil: there is none.
    package var superDigest: String?
    /// A JAAS file with the users of SASL DIGEST-MD5 (`java.security.auth.login.config`).
    package var jaasFile: String?
    /// The section of the JAAS file (`sasl.serverconfig`).
    package var jaasSection = "Server"
    /// A file with the users of SASL DIGEST-MD5, `user:password` a line. Aviary's own key.
    package var saslUsersFile: String?
    /// SASL users who bypass all checks: `superUser`, and `superUser.` with anything after it.
    package var superUsers: [String] = []
    package var letAnySaslUserDoX: String?
    package var allowSaslFailedClients = false
    package var sessionRequireClientSASLAuth = false
    package var enforceAuthEnabled = false
    /// `enforce.auth.schemes`, a comma between two.
    package var enforceAuthSchemes: String?
    /// A comma between two.
    package var ensembleAuthName: String?
    /// What `authProvider.N` names and Aviary knows.
    package var providers: Set<Provider> = []

    package init() {}

    package enum Provider: String, Sendable, Hashable, CaseIterable {
        case sasl = "org.apache.zookeeper.server.auth.SASLAuthenticationProvider"
        case ensemble = "org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider"
        /// Always there.
        case digest = "org.apache.zookeeper.server.auth.DigestAuthenticationProvider"
        case ip = "org.apache.zookeeper.server.auth.IPAuthenticationProvider"
    }

    /// Which schemes a client must have one of; empty: it need not say who it is.
    ///
    /// Source: AuthenticationHelper.initConfigurations, ZooKeeper 3.9.5.
    var requiredSchemes: [ByteString] {
        if sessionRequireClientSASLAuth { return ["sasl"] }
        return enforceAuthEnabled ? namedSchemes.map { ByteString($0) } : []
    }

    /// Why the required schemes cannot be used; nil: they can.
    ///
    /// Source: AuthenticationHelper.validateConfiguredProviders, ZooKeeper 3.9.5.
    var mistakeInRequiredSchemes: String? {
        if sessionRequireClientSASLAuth || !enforceAuthEnabled { return nil }
        if namedSchemes.isEmpty {
            return "enforce.auth.enabled=true, and no scheme is named; write one as in "
                + "enforce.auth.schemes=sasl"
        }
        for scheme in namedSchemes {
            switch scheme {
            case "ip": continue
            case "digest" where digestEnabled: continue
            case "sasl":
                if !hasSASL && !providers.contains(.sasl) {
                    return "enforce.auth.schemes names sasl; \(Self.saslAdvice)"
                }
            default:
                return "enforce.auth.schemes names \(scheme), which is not there; "
                    + "the schemes are digest, ip and sasl"
            }
        }
        return nil
    }

    /// Nobody could do what is asked of everyone.
    var shutsEveryoneOut: Bool { requiredSchemes == ["sasl"] && !hasSASL }

    private var hasSASL: Bool { jaasFile != nil || saslUsersFile != nil }

    static let saslAdvice =
        "name the users' file with java.security.auth.login.config or sasl.usersFile"

    private var namedSchemes: [String] {
        (enforceAuthSchemes ?? "").split(separator: ",")
            .map { String($0.filter { !$0.isWhitespace }) }.filter { !$0.isEmpty }
    }
}

/// `DigestAuthenticationProvider.digestAlg`, by Java's names.
package enum DigestAlgorithm: String, Sendable, Hashable, CaseIterable {
    case md5 = "MD5"
    case sha1 = "SHA1"
    case sha256 = "SHA-256"
    case sha384 = "SHA-384"
    case sha512 = "SHA-512"

    /// Java also takes `SHA-1` and `SHA`, and does not mind the case.
    init?(javaName name: String) {
        let name = name.uppercased()
        if name == "SHA" || name == "SHA-1" {
            self = .sha1
        } else {
            self.init(rawValue: name)
        }
    }
}
