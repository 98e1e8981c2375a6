import AviaryStorage
import AviaryWire

/// Prints transactions of a log, one line or one JSON object each.
struct LogPrinter {
    let output: Output
    let isJSON: Bool
    let withData: Bool

    func print(_ record: LogRecord) {
        if isJSON {
            output.json { write(record, to: &$0) }
        } else {
            printLine(record.entry)
        }
    }

    // MARK: For people

    private func printLine(_ entry: LogEntry) {
        let header = entry.header
        var words = [
            output.bold("\(header.zxid)"), Timestamp(milliseconds: header.time).text,
            "\(header.session)", "\(header.cxid)", "\(header.type)",
        ]
        words += details(header.type, entry.txn)
        if let digest = entry.digest {
            words.append(output.dim("digest 0x" + String(digest.treeDigest, radix: 16)))
        }
        output.line(words.joined(separator: "  "))
        guard case .multi(let parts) = entry.txn else { return }
        for part in parts {
            let words = ["   ", "\(part.type)"] + details(part.type, part.txn)
            output.line(words.joined(separator: "  "))
        }
    }

    private func details(_ type: OpCode, _ txn: Txn) -> [String] {
        switch txn {
        case .createSession(let timeout): return ["timeout \(timeout) ms"]
        case .closeSession(let paths):
            guard let paths else { return [] }
            return [Words.count(paths.count, "ephemeral")] + paths.map(\.shown)
        case .create(let create):
            var words = [create.path.shown] + data(create.data)
            if create.isEphemeral { words.append("ephemeral") }
            if type == .createTTL { words.append("ttl \(create.ttlMilliseconds) ms") }
            if create.acl != ACL.openToAll { words.append("acl " + Words.acl(create.acl)) }
            return words
        case .delete(let path): return [path.shown]
        case .setData(let path, let bytes, let version):
            return [path.shown] + data(bytes) + ["version \(version)"]
        case .setACL(let path, let acl, let version):
            return [path.shown, "acl " + Words.acl(acl), "version \(version)"]
        case .check(let path, let version): return [path.shown, "version \(version)"]
        case .multi(let parts):
            let count = Words.count(parts.count, "operation")
            return isRefused(parts) ? [count, output.bad("refused")] : [count]
        case .error(let code): return ["code \(code)"]
        }
    }

    private func data(_ bytes: [UInt8]?) -> [String] {
        guard withData, let bytes else { return [Words.dataLength(bytes)] }
        return [Words.dataLength(bytes), Words.data(bytes)]
    }

    /// A multi with an error in it changed nothing.
    private func isRefused(_ parts: [Txn.Part]) -> Bool { parts.contains { $0.type == .error } }

    // MARK: For programs

    private func write(_ record: LogRecord, to json: inout JSONWriter) {
        let header = record.entry.header
        json.beginObject()
        json.add("file", record.file)
        json.add("offset", record.offset)
        json.add("zxid", header.zxid)
        json.add("time", Timestamp(milliseconds: header.time).text)
        json.add("timeMilliseconds", header.time)
        json.add("session", header.session)
        json.add("cxid", header.cxid)
        write(header.type, record.entry.txn, to: &json)
        if let digest = record.entry.digest { json.add("digest", hexadecimal: digest.treeDigest) }
        json.endObject()
    }

    private func write(_ type: OpCode, _ txn: Txn, to json: inout JSONWriter) {
        json.add("type", "\(type)")
        switch txn {
        case .createSession(let timeout): json.add("timeoutMilliseconds", timeout)
        case .closeSession(let paths):
            if let paths { json.add("ephemerals", paths.map(\.description)) }
        case .create(let create):
            json.add("path", create.path)
            json.add(data: create.data, withBytes: withData)
            json.add("acl", create.acl)
            json.add("ephemeral", create.isEphemeral)
            if let version = create.parentCVersion { json.add("parentCversion", version) }
            if type == .createTTL { json.add("ttlMilliseconds", create.ttlMilliseconds) }
        case .delete(let path): json.add("path", path)
        case .setData(let path, let data, let version):
            json.add("path", path)
            json.add(data: data, withBytes: withData)
            json.add("version", version)
        case .setACL(let path, let acl, let version):
            json.add("path", path)
            json.add("acl", acl)
            json.add("version", version)
        case .check(let path, let version):
            json.add("path", path)
            json.add("version", version)
        case .multi(let parts):
            json.add("refused", isRefused(parts))
            json.beginArray("operations")
            for part in parts {
                json.beginObject()
                write(part.type, part.txn, to: &json)
                json.endObject()
            }
            json.endArray()
        case .error(let code): json.add("error", code)
        }
    }
}
