import AviaryStorage
import AviaryWire

/// Prints what a check of logs found.
struct LogVerification {
    let output: Output
    let isJSON: Bool

    /// - Parameter names: of the files; nil is all logs.
    /// - Returns: how much was found.
    func run(_ files: borrowing ServerFiles, names: [String]?) throws(StorageError) -> Int {
        var findings = 0
        var transactions = 0
        var logs = 0
        let directory = files.directory
        try LogCheck.checkLogs(in: files, names: names) { check in
            findings += check.findings.count
            transactions += check.count
            logs += 1
            if isJSON {
                output.json { write(check, directory, to: &$0) }
            } else {
                print(check, directory)
            }
        }
        if !isJSON {
            let summary = [
                Words.count(logs, "log"), Words.count(transactions, "transaction"),
                findings == 0 ? "no damage" : Words.count(findings, "finding"),
            ].joined(separator: ", ")
            output.line(findings == 0 ? output.good(summary) : output.bad(summary))
        }
        return findings
    }

    private func print(_ check: LogCheck, _ directory: String) {
        var words = [output.bold("\(directory)/\(check.file)")]
        words.append(Words.count(check.count, "transaction"))
        if let first = check.first, let last = check.last {
            words.append("\(first.zxid) to \(last.zxid)")
            words.append(
                "\(Timestamp(milliseconds: first.time).text) to "
                    + "\(Timestamp(milliseconds: last.time).text)")
        }
        words.append(check.findings.isEmpty ? output.good("whole") : output.bad("not whole"))
        output.line(words.joined(separator: "  "))
        for finding in check.findings {
            output.line(
                "  " + output.bad(finding.kind.rawValue)
                    + " at \(finding.offset): \(finding.message)")
            output.line("    \(finding.consequence)")
        }
    }

    private func write(_ check: LogCheck, _ directory: String, to json: inout JSONWriter) {
        json.beginObject()
        json.add("directory", directory)
        json.add("file", check.file)
        json.add("size", check.size)
        json.add("contentEnd", check.contentEnd)
        json.add("transactions", check.count)
        if let first = check.first, let last = check.last {
            json.add("firstZxid", first.zxid)
            json.add("lastZxid", last.zxid)
            json.add("firstTime", Timestamp(milliseconds: first.time).text)
            json.add("lastTime", Timestamp(milliseconds: last.time).text)
        }
        json.beginArray("findings")
        for finding in check.findings {
            json.beginObject()
            json.add("kind", finding.kind.rawValue)
            json.add("offset", finding.offset)
            json.add("message", finding.message)
            json.add("consequence", finding.consequence)
            json.endObject()
        }
        json.endArray()
        json.endObject()
    }
}
