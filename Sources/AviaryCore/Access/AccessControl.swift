import AviaryWire

/// Who may do what to a node, and which lists may be set.
///
/// Source: ZooKeeperServer.checkACL and PrepRequestProcessor.fixupACL, ZooKeeper 3.9.5.
struct AccessControl: Sendable {
    /// `skipACL`: everything is allowed.
    let isOff: Bool

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
        case "digest": identities.contains(wanted)
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
                let own = identities.filter { $0.scheme == "digest" }
                if own.isEmpty { throw .invalidACL }
                for identity in own {
                    result.append(ACL(entry.permissions, identity.scheme, identity.id))
                }
            case "digest":
                guard Self.isDigestID(entry.identity.id) else { throw .invalidACL }
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

/// The addresses that an `ip` entry allows: `10.0.0.1`, `10.0.0.0/8`, `::1`, `fe80::/10`.
struct IPRange: Sendable {
    private let address: [UInt8]
    private let bits: Int

    init?(_ text: ByteString) {
        let parts = text.bytes.split(
            separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard let first = parts.first, parts.count <= 2, let address = Self.parse(Array(first))
        else { return nil }
        self.address = address
        if parts.count == 1 {
            bits = address.count * 8
        } else {
            guard let bits = Int(String(decoding: parts[1], as: UTF8.self)),
                (0...address.count * 8).contains(bits)
            else { return nil }
            self.bits = bits
        }
    }

    func contains(_ host: ByteString) -> Bool {
        guard let other = Self.parse(host.bytes), other.count == address.count else { return false }
        for index in 0..<bits {
            let mask = UInt8(0x80) >> UInt8(index % 8)
            if (address[index / 8] ^ other[index / 8]) & mask != 0 { return false }
        }
        return true
    }

    private static func parse(_ text: [UInt8]) -> [UInt8]? {
        text.contains(UInt8(ascii: ":")) ? parseIPv6(text) : parseIPv4(text)
    }

    private static func parseIPv4(_ text: [UInt8]) -> [UInt8]? {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard part.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
                let value = UInt8(String(decoding: part, as: UTF8.self))
            else { return nil }
            bytes.append(value)
        }
        return bytes
    }

    /// Up to eight groups of hexadecimal digits with at most one `::`.
    private static func parseIPv6(_ text: [UInt8]) -> [UInt8]? {
        let string = String(decoding: text, as: UTF8.self)
        guard let gap = string.firstRange(of: "::") else {
            let groups = parseGroups(string[...])
            return groups?.count == 16 ? groups : nil
        }
        let rest = string[gap.upperBound...]
        guard let head = parseGroups(string[..<gap.lowerBound]), let tail = parseGroups(rest),
            head.count + tail.count <= 14
        else { return nil }
        return head + [UInt8](repeating: 0, count: 16 - head.count - tail.count) + tail
    }

    private static func parseGroups(_ text: Substring) -> [UInt8]? {
        if text.isEmpty { return [] }
        var bytes: [UInt8] = []
        for group in text.split(separator: ":", omittingEmptySubsequences: false) {
            guard (1...4).contains(group.utf8.count), group.first != "+",
                let value = UInt16(group, radix: 16)
            else { return nil }
            bytes += [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)]
        }
        return bytes
    }
}
