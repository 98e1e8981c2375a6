import AviaryCore
import AviaryStorage
import AviaryWire

/// A transaction log. An input is: how it is read; the log.
///
/// It ends in a tree or a `StorageError`, and what was recovered once is recovered again.
func fuzzTransactionLog(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let manner = input.byte()
    var log = input.all()
    if manner & 1 != 0 { log = SealedFiles.log(log) }
    if manner & 2 != 0 { log += [UInt8](repeating: 0, count: 300) }
    let disk = FuzzDisk()
    disk.files["log." + SealedFiles.firstZxid(ofLog: log)] = log
    if manner & 4 != 0 { disk.files["log.200000001"] = Array(log.prefix(16)) }
    checkRecovery(disk, isForged: manner & 1 != 0)
}

/// A snapshot. An input is: how it is read; the snapshot, or what its first seal is about.
func fuzzSnapshot(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let manner = input.byte()
    var snapshot = input.all()
    if manner & 1 != 0 { snapshot = SealedFiles.snapshot(snapshot) }
    let disk = FuzzDisk()
    disk.files["snapshot.100000001"] = snapshot
    checkRecovery(disk, isForged: manner & 1 != 0)
}

/// - Parameter isForged: whether what no server wrote may have the right checksum. Then the tree may be
///   odd, but neither reading it nor doing so again may stop the program.
private func checkRecovery(_ disk: FuzzDisk, isForged: Bool) {
    do throws(StorageError) {
        let first = try FuzzDisk.recover(disk)
        if !isForged { first.tree.checkInvariants() }
        let second = try FuzzDisk.recover(disk)
        must(
            first.tree.snapshot.isSame(as: second.tree.snapshot), "a recovery can be repeated")
        if !isForged { FuzzTree.checkRoundTrip(of: first.tree.snapshot) }
    } catch {
        must(!error.message.isEmpty, "an error says what to do")
    }
}

/// Files whose checksums are right whatever is in them.
enum SealedFiles {
    private static let logHeaderByteCount = 16
    private static let entryPrefixByteCount = 12

    /// Mends checksums and end marks for as long as the lengths make sense.
    static func log(_ bytes: [UInt8]) -> [UInt8] {
        var log = bytes
        var start = logHeaderByteCount
        while start + entryPrefixByteCount < log.count {
            let length = log[start + 8..<start + 12].reduce(0) { $0 << 8 | Int($1) }
            let payload = start + entryPrefixByteCount
            guard length > 0, length < log.count - payload else { break }
            let content = Array(log[payload..<payload + length])
            log.replaceSubrange(start..<start + 8, with: sum(content))
            log[payload + length] = UInt8(ascii: "B")
            start = payload + length + 1
        }
        return log
    }

    /// As the log's name has it.
    static func firstZxid(ofLog bytes: [UInt8]) -> String {
        let start = logHeaderByteCount + entryPrefixByteCount + 12
        let zxid = bytes.dropFirst(start).prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return String(zxid, radix: 16)
    }

    /// Ends the nodes, and seals them.
    static func snapshot(_ bytes: [UInt8]) -> [UInt8] {
        let end: [UInt8] = [0, 0, 0, 1, UInt8(ascii: "/")]
        let content = bytes + end
        return content + sum(content) + end
    }

    private static func sum(_ bytes: [UInt8]) -> [UInt8] {
        let value = UInt64(bitPattern: Adler32.checksum(bytes.raw))
        return (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(56 - 8 * $0)) }
    }
}
