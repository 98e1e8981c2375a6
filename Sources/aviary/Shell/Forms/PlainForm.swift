import AviaryClient
import AviaryServer

/// What zkCli.sh prints.
enum PlainForm {
    static func stat(_ stat: Stat) -> [String] {
        [
            "cZxid = \(hexadecimal(stat.czxid))",
            "ctime = \(LocalTime.java(milliseconds: stat.ctime))",
            "mZxid = \(hexadecimal(stat.mzxid))",
            "mtime = \(LocalTime.java(milliseconds: stat.mtime))",
            "pZxid = \(hexadecimal(stat.pzxid))",
            "cversion = \(stat.cversion)",
            "dataVersion = \(stat.version)",
            "aclVersion = \(stat.aversion)",
            "ephemeralOwner = 0x\(String(UInt64(bitPattern: stat.ephemeralOwner), radix: 16))",
            "dataLength = \(stat.dataLength)",
            "numChildren = \(stat.numChildren)",
        ]
    }

    static func list(_ texts: [String]) -> String { "[\(texts.joined(separator: ", "))]" }

    static func acl(_ acl: [ACL]) -> [String] {
        acl.flatMap { entry in
            [
                "'\(entry.identity.scheme),'\(entry.identity.id)",
                ": \(ACLText.letters(entry.permissions))",
            ]
        }
    }

    static func hexadecimal(_ zxid: Zxid) -> String {
        "0x\(String(UInt64(bitPattern: zxid.rawValue), radix: 16))"
    }

    static func data(_ data: NodeData, _ form: DataForm) -> [UInt8] {
        if data.isNull { return Array("null".utf8) }
        return switch form {
        case .text: data.data
        case .base64: Base64.encode(data.data).bytes
        case .hexDump: Array(HexDump.text(data.data).utf8)
        }
    }
}

extension Shell {
    func printPlain(_ answer: Answer) {
        switch answer {
        case .done: break
        case .created(let path): console.error("Created \(path)")
        case .data(_, let data, let withStat, let form):
            console.line(PlainForm.data(data, form))
            if withStat { console.lines(PlainForm.stat(data.stat)) }
        case .children(_, let children, let withStat):
            console.line(PlainForm.list(children.names.sorted(by: Self.isOrdered)))
            if withStat { console.lines(PlainForm.stat(children.stat)) }
        case .listing(_, let children):
            console.line(PlainForm.list(children.map(\.name).sorted(by: Self.isOrdered)))
        case .stat(_, let stat): console.lines(PlainForm.stat(stat))
        case .acl(_, let acl, let withStat):
            console.lines(PlainForm.acl(acl.acl))
            if withStat { console.lines(PlainForm.stat(acl.stat)) }
        case .number(_, _, let number): console.line("\(number)")
        case .paths(_, let paths): console.line(PlainForm.list(paths.map(\.description)))
        case .identities(let identities):
            console.line("Auth scheme: User")
            console.lines(identities.map { "\($0.scheme): \($0.id)" })
        case .text(let text, _): console.line(text)
        }
    }

    /// By UTF-16, as Java sorts.
    static func isOrdered(_ left: String, _ right: String) -> Bool {
        left.utf16.lexicographicallyPrecedes(right.utf16)
    }
}

/// Sixteen bytes a line: their offset, in hexadecimal, and as ASCII.
enum HexDump {
    static func text(_ bytes: [UInt8]) -> String {
        stride(from: 0, to: bytes.count, by: 16).map { start in
            line(start, bytes[start..<min(start + 16, bytes.count)])
        }.joined(separator: "\n")
    }

    private static func line(_ offset: Int, _ bytes: ArraySlice<UInt8>) -> String {
        let digits = bytes.map { padded(String($0, radix: 16), 2) + " " }.joined()
        let ascii = bytes.map { (0x20..<0x7f).contains($0) ? String(UnicodeScalar($0)) : "." }
        let gap = String(repeating: " ", count: 48 - digits.count)
        return "\(padded(String(offset, radix: 16), 8))  \(digits)\(gap) \(ascii.joined())"
    }

    private static func padded(_ text: String, _ count: Int) -> String {
        String(repeating: "0", count: max(0, count - text.count)) + text
    }
}
