package import AviaryWire

/// Where the other members reach one of them. A member with several networks has several addresses
/// for each port.
package struct PeerAddress: Hashable, Sendable {
    /// A host name or address, and a port. Names are resolved anew each time they are used.
    package struct Endpoint: Hashable, Sendable, CustomStringConvertible {
        package let host: String
        package let port: Int

        package init(_ host: String, _ port: Int) {
            self.host = host
            self.port = port
        }

        /// Reads `host:port`, the host of an IPv6 address in brackets; nil for anything else.
        package init?(_ text: ByteString) {
            let text = text.description
            guard let colon = text.lastIndex(of: ":"),
                let port = Int(text[text.index(after: colon)...]),
                (1...65_535).contains(port)
            else { return nil }
            var host = text[..<colon]
            if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
            if host.isEmpty { return nil }
            self.init(String(host), port)
        }

        package var description: String {
            host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        }

        /// Whether it names no machine, only "all addresses" of whoever says it.
        var isWildcard: Bool { host == "0.0.0.0" || host == "::" || host == "0:0:0:0:0:0:0:0" }
    }

    package let id: ServerID
    package var quorum: [Endpoint]
    package var election: [Endpoint]

    package init(id: ServerID, quorum: [Endpoint], election: [Endpoint]) {
        precondition(!quorum.isEmpty, "a member has an address for its quorum port")
        precondition(!election.isEmpty, "a member has an address for its election port")
        self.id = id
        self.quorum = quorum
        self.election = election
    }
}
