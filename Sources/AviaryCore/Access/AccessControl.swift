import AviaryWire

/// Who may do what to a node, and which lists may be set.
///
/// Source: ZooKeeperServer.checkACL and PrepRequestProcessor.fixupACL, ZooKeeper 3.9.5.
struct AccessControl: Sendable {
    /// `skipACL`: everything is allowed.
    private let isOff: Bool
    private let hasDigest: Bool
    private let sasl: SASLPolicy

    init(isOff: Bool, _ authentication: Authentication) {
        self.isOff = isOff
        hasDigest = authentication.digest != nil
        sasl = authentication.sasl
    }

    func permits(_ list: [ACL], _ needed: Permissions, _ identities: [Identity]) -> Bool {
        if isOff || list.isEmpty || identities.contains(.superUser) { return true }
        return list.contains { entry in
            !entry.permissions.isDisjoint(with: needed) && matches(entry.identity, identities)
        }
    }

    func check(
        _ list: [ACL], _ needed: Permissions, _ identities: [Identity]
    ) throws(ZooKeeperError) {
        if !permits(list, needed, identities) { throw .noAuth }
    }

    private func matches(_ wanted: Identity, _ identities: [Identity]) -> Bool {
        switch wanted.scheme {
        case "world": wanted.id == "anyone"
        case "digest": hasDigest && identities.contains(wanted)
        case "sasl": sasl.isInACLs && sasl.matches(wanted.id, identities)
        case "ip":
            identities.contains { identity in
                identity.scheme == "ip" && IPRange(wanted.id)?.contains(identity.id) == true
            }
        default: false
        }
    }

    /// A list as it is stored: `auth` entries replaced by who is asking, repetitions left out.
    func stored(
        _ list: [ACL]?, for identities: [Identity]
    ) throws(ZooKeeperError) -> [ACL] {
        guard let list, !list.isEmpty else { throw .invalidACL }
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
        return Self.withoutRepetition(result)
    }

    private static func withoutRepetition(_ list: [ACL]) -> [ACL] {
        var result: [ACL] = []
        for entry in list where !result.contains(entry) { result.append(entry) }
        return result
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
