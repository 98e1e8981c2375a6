import AviaryClient
import AviaryServer

/// Columns that are as wide as what is in them.
struct TextTable {
    enum Side { case left, right }

    private let sides: [Side]
    private var rows: [[String]]

    init(_ columns: [(String, Side)]) {
        sides = columns.map(\.1)
        rows = [columns.map(\.0)]
    }

    mutating func add(_ row: [String]) { rows.append(row) }

    /// - Parameter emphasize: marks the heading.
    func lines(emphasize: (String) -> String) -> [String] {
        let widths = sides.indices.map { column in
            rows.map { DisplayWidth.of($0[column]) }.max() ?? 0
        }
        return rows.enumerated().map { index, row in
            let cells = row.indices.map { column in
                let gap = String(
                    repeating: " ", count: widths[column] - DisplayWidth.of(row[column]))
                let cell = sides[column] == .left ? row[column] + gap : gap + row[column]
                return index == 0 ? emphasize(cell) : cell
            }
            let line = cells.joined(separator: "  ")
            return index == 0 ? line : String(line.trimmingSuffix { $0 == " " })
        }
    }
}

extension String {
    fileprivate func trimmingSuffix(while isTrimmed: (Character) -> Bool) -> Substring {
        var end = endIndex
        while end > startIndex, isTrimmed(self[index(before: end)]) { end = index(before: end) }
        return self[..<end]
    }
}

extension Shell {
    func printTable(_ answer: Answer) {
        switch answer {
        case .done: console.line("done")
        case .created(let path): console.line("created \(path.shown)")
        case .data(let path, let data, _, _):
            printFields(path, data.stat)
            console.line(
                console.bold("data") + "  "
                    + (data.isNull ? "none" : "\(Words.data(data.data))"))
        case .children(let path, let children, _): printFields(path, children.stat)
        case .listing(_, let children): printListing(children)
        case .stat(let path, let stat): printFields(path, stat)
        case .acl(_, let acl, _):
            var table = TextTable([("SCHEME", .left), ("ID", .left), ("PERMISSIONS", .left)])
            for entry in acl.acl {
                table.add([
                    Path.shown(entry.identity.scheme.bytes), Path.shown(entry.identity.id.bytes),
                    ACLText.letters(entry.permissions),
                ])
            }
            console.lines(table.lines(emphasize: console.bold))
        case .number(let path, let name, let number):
            console.line("\(path.shown)  \(name) \(number)")
        case .paths(_, let paths): console.lines(paths.map(\.shown))
        case .identities(let identities):
            var table = TextTable([("SCHEME", .left), ("USER", .left)])
            for identity in identities {
                table.add([
                    Path.shown(identity.scheme.bytes), Path.shown(identity.id.bytes),
                ])
            }
            console.lines(table.lines(emphasize: console.bold))
        case .text(let text, _): console.line(text)
        }
    }

    private func printListing(_ children: [(name: String, stat: Stat)]) {
        var table = TextTable([
            ("NAME", .left), ("BYTES", .right), ("CHILDREN", .right), ("VERSION", .right),
            ("CHANGED", .left), ("OWNER", .left),
        ])
        for (name, stat) in children.sorted(by: { Self.isOrdered($0.name, $1.name) }) {
            table.add([
                Path.shown(Array(name.utf8)), "\(stat.dataLength)", "\(stat.numChildren)",
                "\(stat.version)", LocalTime.short(milliseconds: stat.mtime), owner(stat),
            ])
        }
        console.lines(table.lines(emphasize: console.bold))
    }

    private func owner(_ stat: Stat) -> String {
        switch UInt64(bitPattern: stat.ephemeralOwner) {
        case 0: ""
        case 1 << 63: "container"
        case let owner where owner >> 56 == 0xff: "ttl \(owner & 0xff_ffff_ffff) ms"
        case let owner: "session 0x\(String(owner, radix: 16))"
        }
    }

    private func printFields(_ path: Path, _ stat: Stat) {
        let holder = owner(stat)
        let fields = [
            ("path", path.shown),
            ("bytes", "\(stat.dataLength)"),
            ("children", "\(stat.numChildren)"),
            (
                "created",
                "\(LocalTime.short(milliseconds: stat.ctime))  zxid "
                    + PlainForm.hexadecimal(stat.czxid)
            ),
            (
                "changed",
                "\(LocalTime.short(milliseconds: stat.mtime))  zxid "
                    + "\(PlainForm.hexadecimal(stat.mzxid))  version \(stat.version)"
            ),
            ("children's", "zxid \(PlainForm.hexadecimal(stat.pzxid))  version \(stat.cversion)"),
            ("ACL's", "version \(stat.aversion)"),
            ("kind", holder.isEmpty ? "persistent" : holder),
        ]
        for (name, value) in fields {
            let gap = String(repeating: " ", count: 10 - name.count)
            console.line("\(console.bold(name))\(gap)  \(value)")
        }
    }
}
