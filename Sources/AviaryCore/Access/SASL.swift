package import AviaryWire
import NIOCore

/// One client's way through a SASL mechanism (RFC 4422), on the server's side.
package protocol SASLExchange: Sendable {
    /// What follows from the client's next token.
    mutating func step(_ token: [UInt8]) -> SASLStep
}

package enum SASLStep: Hashable, Sendable {
    /// The client is to answer this.
    case challenge([UInt8])
    /// The client is who it says; the token proves the server to it.
    case authenticated(user: ByteString, token: [UInt8])
    case refused
}

/// How clients prove who they are by SASL, and what follows.
///
/// Source: ZooKeeperServer.processSasl and SASLAuthenticationProvider, 3.9.5.
package struct SASLPolicy: Sendable {
    /// Begins an exchange; nil where clients cannot authenticate by SASL.
    package var begin: (@Sendable () -> any SASLExchange)?
    /// `superUser`: these users bypass all checks.
    package var superUsers: [ByteString] = []
    /// Whether ACLs may name users of this scheme (`authProvider.N`).
    package var isInACLs = false
    /// `letAnySaslUserDoX`: an entry with this id is for every user.
    package var anyUser: ByteString?
    /// `allowSaslFailedClients`: who is refused keeps the connection.
    package var keepsRefused = false

    package init() {}

    static let scheme: ByteString = "sasl"

    func identities(of user: ByteString) -> [Identity] {
        let identity = Identity(scheme: Self.scheme, id: user)
        return superUsers.contains(user) ? [identity, .superUser] : [identity]
    }

    /// Whether an ACL entry's id is for one of a connection's identities.
    func matches(_ wanted: ByteString, _ identities: [Identity]) -> Bool {
        identities.contains { identity in
            identity.scheme == Self.scheme
                && (identity.id == wanted || identity.id == "super"
                    || (anyUser != nil && wanted == anyUser))
        }
    }

    /// A user's name, or a Kerberos principal: `user`, `service/host@REALM`.
    ///
    /// Source: org.apache.zookeeper.server.auth.KerberosName, 3.9.5.
    static func isValid(_ id: ByteString) -> Bool {
        let at = UInt8(ascii: "@")
        let parts = id.bytes.split(separator: at, omittingEmptySubsequences: false)
        if parts.count == 1 { return true }
        let slash = UInt8(ascii: "/")
        return parts.count == 2 && !parts[1].contains(slash)
            && parts[0].count(where: { $0 == slash }) <= 1
    }
}

extension ServerCore {
    /// Answered at once, before whatever is pending.
    mutating func sasl(
        _ header: RequestHeader, _ source: consuming JuteReader, on slot: UInt32,
        reply: inout ByteBuffer, into effects: inout StepEffects
    ) throws(WireError) {
        var reader = source
        let token = try reader.readBuffer()
        var answer: [UInt8]?
        if let begin = authentication.sasl.begin {
            // Apache closes the connection here without a word.
            guard let token else { throw .unexpectedNull }
            var exchange = connections[slot].sasl ?? begin()
            switch exchange.step(token) {
            case .challenge(let challenge): answer = challenge
            case .authenticated(let user, let proof):
                answer = proof
                add(authentication.sasl.identities(of: user), to: slot)
            case .refused:
                statistics.authFailures += 1
                if !authentication.sasl.keepsRefused || requiresSASL {
                    refuseSASL(header.xid, on: slot, reply: &reply, into: &effects)
                    return
                }
            }
            connections[slot].sasl = exchange
        }
        reply.writeReply(
            ReplyHeader(xid: header.xid, zxid: .zero), byteCount: JuteFields.byteCount(of: answer)
        ) { $0.write(answer) }
    }

    private mutating func refuseSASL(
        _ xid: Int32, on slot: UInt32, reply: inout ByteBuffer, into effects: inout StepEffects
    ) {
        let error =
            requiresSASL ? ZooKeeperError.sessionClosedRequireAuth : ZooKeeperError.authFailed
        let noToken: [UInt8]? = nil
        reply.writeReply(
            ReplyHeader(xid: xid, zxid: .zero, error: error.rawValue),
            byteCount: JuteFields.byteCount(of: noToken)
        ) { $0.write(noToken) }
        close(slot, into: &effects)
    }

    /// Identities last as long as the connection.
    ///
    /// - Returns: false if they would be too many.
    @discardableResult
    mutating func add(_ identities: [Identity], to slot: UInt32) -> Bool {
        for identity in identities where !connections[slot].identities.contains(identity) {
            let own = connections[slot].identities
            let bytes = own.reduce(identity.id.bytes.count) { $0 + $1.id.bytes.count }
            guard own.count < settings.maximumIdentities, bytes <= settings.maximumIdentityBytes
            else { return false }
            connections[slot].identities.append(identity)
        }
        return true
    }

    // MARK: Enforced authentication

    private var requiresSASL: Bool { settings.requiredSchemes.contains(SASLPolicy.scheme) }

    /// Whether a connection has yet to say who it is before it may ask for anything
    /// (`enforce.auth.enabled`, `sessionRequireClientSASLAuth`).
    ///
    /// Source: AuthenticationHelper.enforceAuthentication, ZooKeeper 3.9.5.
    func lacksAuthentication(_ slot: UInt32) -> Bool {
        if settings.requiredSchemes.isEmpty { return false }
        return !connections[slot].identities.contains {
            settings.requiredSchemes.contains($0.scheme)
        }
    }
}
