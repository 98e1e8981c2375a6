import AviaryWire

/// The addresses that an `ip` entry allows: `10.0.0.1`, `10.0.0.0/8`, `::1`, `fe80::/10`.
struct IPRange: Sendable {
    private let address: [UInt8]
    private let bits: Int

    init?(_ text: ByteString) {
        let parts = text.bytes.split(
            separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard let first = parts.first, parts.count <= 2,
            let address = IPAddress.bytes(of: Array(first))
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
        guard let other = IPAddress.bytes(of: host.bytes), other.count == address.count else {
            return false
        }
        for index in 0..<bits {
            let mask = UInt8(0x80) >> UInt8(index % 8)
            if (address[index / 8] ^ other[index / 8]) & mask != 0 { return false }
        }
        return true
    }
}

/// Numeric addresses as text.
enum IPAddress {
    /// Four or sixteen bytes; nil if the text is no address.
    static func bytes(of text: [UInt8]) -> [UInt8]? {
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

    /// As Java writes an address, since that is what ACLs name: of IPv6 all eight groups, without
    /// leading zeros. An IPv4 client of a socket for both is an IPv4 client.
    static func javaText(of address: String) -> String {
        guard address.contains(":") else { return address }
        let mapped = "::ffff:"
        if address.hasPrefix(mapped) && address.contains(".") {
            return String(address.dropFirst(mapped.count))
        }
        guard let bytes = parseIPv6([UInt8](address.utf8)) else { return address }
        return stride(from: 0, to: bytes.count, by: 2).map { index in
            String(UInt16(bytes[index]) << 8 | UInt16(bytes[index + 1]), radix: 16)
        }.joined(separator: ":")
    }
}

extension RemoteAddress {
    /// - Parameter ipAddress: numeric, as the system writes it.
    package init(ipAddress: String, port: Int) {
        self.init(host: ByteString(IPAddress.javaText(of: ipAddress)), port: port)
    }
}
