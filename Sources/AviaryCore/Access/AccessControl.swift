import AviaryWire

/// Who may do what to a node, and which lists may be set.
///
/// Source: ZooKeeperServer.checkACL and PrepRequestProcessor.fixupACL, ZooKeeper 3.9.5.
struct AccessControl: Sendable {
    /// `skipACL`: everything is allowed.
    private let isOff: Bool
    private let hasDigest: Bool
    private let sasl: SASLPolicy

    /// `ServerSettings.maximumACLEntries`.
    private let maximumEntries: Int
    /// What a list may take in the log: half a transaction's share.
    private let maximumBytes: Int

    init(_ settings: ServerSettings, _ authentication: Authentication) {
        isOff = settings.skipACL
        maximumEntries = settings.maximumACLEntries
        maximumBytes = settings.maximumTransactionBytes / 2
        hasDigest = authentication.digest != nil
        sasl = authentication.sasl
    }

    func permits(_ list: [ACL], _ needed: Permissions, _ identities: [Identity]) -> Bool {
        if isOff || list == ACL.openToAll || list.isEmpty || identities.contains(.superUser) {
            return true
        }
        return list.contains { entry in
            !entry.permissions.isDisjoint(with: needed) && matches(entry.identity, identities)
        }
    }

    func check(
        _ list: [ACL], _ needed: Permissions, _ identities: [Identity]
    ) throws(ZooKeeperError) {
        if !permits(list, needed, identities) { throw .noAuth }
    }

    /// Made once: a literal is made into bytes each time that it is compared with.
    private enum Scheme {
        static let world: ByteString = "world"
        static let anyone: ByteString = "anyone"
        static let digest: ByteString = "digest"
        static let sasl: ByteString = "sasl"
        static let ip: ByteString = "ip"
    }

    private func matches(_ wanted: Identity, _ identities: [Identity]) -> Bool {
        switch wanted.scheme {
        case Scheme.world: wanted.id == Scheme.anyone
        case Scheme.digest: hasDigest && identities.contains(wanted)
        case Scheme.sasl: sasl.isInACLs && sasl.matches(wanted.id, identities)
        case Scheme.ip:
            identities.contains { identity in
                identity.scheme == Scheme.ip && IPRange(wanted.id)?.contains(identity.id) == true
            }
        default: false
        }
    }

    /// A list as it is stored: `auth` entries replaced by who is asking, repetitions left out.
    func stored(
        _ list: [ACL]?, for identities: [Identity]
    ) throws(ZooKeeperError) -> [ACL] {
        guard let list, (1...maximumEntries).contains(list.count) else { throw .invalidACL }
        if list == ACL.openToAll { return list }
        var result: [ACL] = []
        for entry in Self.withoutRepetition(list) {
            switch entry.identity.scheme {
            case "world":
                guard entry.identity.id == "anyone" else { throw .invalidACL }
                result.append(entry)
            case "auth":
                let own = identities.filter {
                    $0.scheme == "digest" || ($0.scheme == "sasl" && sasl.isInACLs)
                }
                if own.isEmpty { throw .invalidACL }
                for identity in own {
                    result.append(ACL(entry.permissions, identity.scheme, identity.id))
                }
            case "digest":
                guard hasDigest, Self.isDigestID(entry.identity.id) else { throw .invalidACL }
                result.append(entry)
            case "sasl":
                guard sasl.isInACLs, SASLPolicy.isValid(entry.identity.id) else {
                    throw .invalidACL
                }
                result.append(entry)
            case "ip":
                guard IPRange(entry.identity.id) != nil else { throw .invalidACL }
                result.append(entry)
            default: throw .invalidACL
            }
        }
        result = Self.withoutRepetition(result)
        let bytes = result.reduce(0) { $0 + $1.byteCount }
        guard result.count <= maximumEntries, bytes <= maximumBytes else { throw .invalidACL }
        return result
    }

    private static func withoutRepetition(_ list: [ACL]) -> [ACL] {
        var seen: Set<ACL> = []
        return list.filter { seen.insert($0).inserted }
    }

    /// One colon, with something after it.
    private static func isDigestID(_ id: ByteString) -> Bool {
        let parts = id.bytes.split(
            separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        return parts.count == 2 && !parts[1].isEmpty
    }

    /// The list without what only an administrator may see.
    func masked(_ list: [ACL], for identities: [Identity]) -> [ACL] {
        if permits(list, .admin, identities) { return list }
        return list.map { entry in
            guard entry.identity.scheme == "digest" else { return entry }
            let user = entry.identity.id.bytes.prefix { $0 != UInt8(ascii: ":") }
            return ACL(
                entry.permissions, "digest", ByteString(Array(user) + [UInt8](":x".utf8)))
        }
    }
}
