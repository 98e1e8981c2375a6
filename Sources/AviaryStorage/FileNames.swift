import AviaryWire

/// `log.` and `snapshot.` and the hexadecimal zxid that the file begins with or shows.
enum FileNames {
    static func log(_ zxid: Zxid) -> String { "log." + zxid.hexadecimal }
    static func snapshot(_ zxid: Zxid) -> String { "snapshot." + zxid.hexadecimal }
    /// While it is being written; nobody takes it for a snapshot.
    static func unfinished(_ snapshot: String) -> String { "tmp." + snapshot }
    /// A copy of what was cut off a log, for whoever wants to look.
    static func torn(_ log: String, at offset: Int) -> String { "torn.\(log).\(offset)" }

    /// The zxid in a name, if the name has this prefix and nothing else.
    static func zxid(in name: String, prefix: String) -> Zxid? {
        guard name.hasPrefix(prefix), let value = UInt64(name.dropFirst(prefix.count), radix: 16)
        else { return nil }
        return Zxid(Int64(bitPattern: value))
    }

    /// The files with this prefix, by ascending zxid.
    static func sorted(
        _ entries: [FileEntry], prefix: String
    ) -> [(zxid: Zxid, name: String, size: Int)] {
        entries.compactMap { entry in
            zxid(in: entry.name, prefix: prefix).map {
                (zxid: $0, name: entry.name, size: entry.size)
            }
        }.sorted { $0.zxid < $1.zxid }
    }
}
