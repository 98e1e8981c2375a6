import Glibc

/// Host names and addresses as a configuration writes them, without brackets.
enum HostText {
    /// IPv6 addresses in the one form that Java writes, `0:0:0:0:0:0:0:1`; others as they are.
    static func canonical(_ host: String) -> String {
        guard host.contains(":") else { return host }
        let parts = host.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        guard let groups = ipv6Groups(String(parts[0])) else { return host }
        let scope = parts.count == 2 ? "%" + parts[1] : ""
        return groups.map { String($0, radix: 16) }.joined(separator: ":") + scope
    }

    static func isIPv6(_ host: String) -> Bool {
        ipv6Groups(String(host.prefix { $0 != "%" })) != nil
    }

    /// Whether the host is an address, which needs no name service to be compared.
    static func isAddress(_ host: String) -> Bool {
        var address = in_addr()
        let isIPv4 = unsafe inet_pton(AF_INET, host, &address) == 1
        return isIPv4 || isIPv6(host)
    }

    /// Whether `canonical` stands for all interfaces.
    static func isWildcard(canonical: String) -> Bool {
        canonical == "0.0.0.0" || canonical == "0:0:0:0:0:0:0:0"
    }

    /// Whether `canonical` is another machine for each that reads it.
    static func isLoopback(canonical: String) -> Bool {
        canonical == "localhost" || canonical == "0:0:0:0:0:0:0:1"
            || (canonical.hasPrefix("127.") && isAddress(canonical))
    }

    /// `host:port`, with brackets where the host has colons itself.
    static func text(_ host: String, ports: Int...) -> String {
        let host = host.contains(":") ? "[\(host)]" : host
        return ports.reduce(host) { "\($0):\($1)" }
    }

    private static func ipv6Groups(_ text: String) -> [UInt16]? {
        var address = in6_addr()
        guard unsafe inet_pton(AF_INET6, text, &address) == 1 else { return nil }
        return unsafe withUnsafeBytes(of: address) { bytes in
            let octets = unsafe bytes.map(UInt16.init)
            return stride(from: 0, to: 16, by: 2).map { octets[$0] << 8 | octets[$0 + 1] }
        }
    }
}
