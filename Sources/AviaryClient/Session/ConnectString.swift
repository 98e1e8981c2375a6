package import AviaryWire

/// A server, by the name or address that is looked up at each attempt.
package struct Host: Hashable, Sendable, CustomStringConvertible {
    package var name: String
    package var port: Int

    package init(name: String, port: Int) {
        self.name = name
        self.port = port
    }

    package var description: String { name.contains(":") ? "[\(name)]:\(port)" : "\(name):\(port)" }
}

/// `host:port,[::1]:2181,other/chroot`. The port is 2181 where none is given.
package struct ConnectString: Hashable, Sendable {
    package var hosts: [Host]
    /// Put before every path; nil for none.
    package var chroot: Path?

    package static let defaultPort = 2181

    package init(_ text: String) throws(ClientError) {
        let slash = text.firstIndex(of: "/") ?? text.endIndex
        if slash < text.endIndex {
            let path = Path(text[slash...])
            guard path.isValid else {
                throw Self.refused("the chroot \"\(path)\" is not a valid path")
            }
            chroot = path == .root ? nil : path
        }
        hosts = []
        for part in text[..<slash].split(separator: ",") {
            let part = part.drop { $0 == " " }
            let end = part.lastIndex { $0 != " " }
            guard let end else { continue }
            hosts.append(try Self.host(part[...end]))
        }
        if hosts.isEmpty { throw Self.refused("\"\(text)\" names no server: write host:port,...") }
    }

    private static func host(_ text: Substring) throws(ClientError) -> Host {
        let name: Substring
        var port: Substring
        if text.first == "[" {
            guard let bracket = text.firstIndex(of: "]") else {
                throw refused("\"\(text)\" has no closing bracket: write [address]:port")
            }
            name = text[text.index(after: text.startIndex)..<bracket]
            port = text[text.index(after: bracket)...]
            guard port.isEmpty || port.first == ":" else {
                throw refused("\"\(text)\" has no colon behind the bracket: write [address]:port")
            }
            port = port.dropFirst()
        } else if let colon = text.lastIndex(of: ":") {
            name = text[..<colon]
            port = text[text.index(after: colon)...]
        } else {
            name = text
            port = ""
        }
        guard !name.isEmpty else { throw refused("\"\(text)\" has no host: write host:port") }
        if port.isEmpty { return Host(name: String(name), port: defaultPort) }
        guard let number = UInt16(port), number > 0 else {
            throw refused("\"\(text)\": the port must be a number from 1 to 65535")
        }
        return Host(name: String(name), port: Int(number))
    }

    private static func refused(_ detail: String) -> ClientError {
        ClientError(.invalidArgument, operation: "connect string", detail: detail)
    }
}

extension Path {
    /// The path below the chroot, as the server knows it.
    package func prefixed(by chroot: Path?) -> Path {
        guard let chroot else { return self }
        return self == .root ? chroot : Path(chroot.bytes + bytes)
    }

    /// The path as the client knows it. One that is not below the chroot stays as it is.
    package func stripped(of chroot: Path?) -> Path {
        guard let chroot, bytes.starts(with: chroot.bytes) else { return self }
        if bytes.count == chroot.bytes.count { return .root }
        guard bytes[chroot.bytes.count] == UInt8(ascii: "/") else { return self }
        return Path(Array(bytes[chroot.bytes.count...]))
    }
}
