import ArgumentParser
import AviaryServer
import AviaryStorage
import AviaryWire
import Glibc

/// What a tool prints, in larger pieces.
final class Output {
    private var pending: [UInt8] = []
    private var failure: CInt?
    /// Only on a terminal whose user did not set `NO_COLOR`.
    let isColored = unsafe isatty(STDOUT_FILENO) == 1 && getenv("NO_COLOR") == nil

    private static let pieceByteCount = 1 << 16

    func line(_ text: String) {
        pending.append(contentsOf: text.utf8)
        endLine()
    }

    /// The bytes as they are, and the end of a line.
    func line(_ bytes: [UInt8]) {
        pending.append(contentsOf: bytes)
        endLine()
    }

    /// One JSON value on a line of its own.
    func json(_ write: (inout JSONWriter) -> Void) {
        var writer = JSONWriter()
        write(&writer)
        pending.append(contentsOf: writer.bytes)
        endLine()
    }

    private func endLine() {
        pending.append(UInt8(ascii: "\n"))
        if pending.count >= Self.pieceByteCount { flush() }
    }

    func flush() {
        var written = 0
        while written < pending.count && failure == nil {
            let count = unsafe pending.withUnsafeBytes { bytes in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[written...])
                return unsafe write(STDOUT_FILENO, rest.baseAddress, rest.count)
            }
            if count >= 0 {
                written += count
            } else if errno != EINTR {
                failure = errno
            }
        }
        pending.removeAll(keepingCapacity: true)
    }

    /// Writes what is left, and sees that all of it was taken.
    func finish() throws {
        flush()
        guard let failure else { return }
        let reason = unsafe String(cString: strerror(failure))
        throw ToolExit.unusable("cannot write to standard output: \(reason)")
    }

    // MARK: Colours

    func bold(_ text: String) -> String { colored(text, "1") }
    func dim(_ text: String) -> String { colored(text, "2") }
    func good(_ text: String) -> String { colored(text, "32") }
    func bad(_ text: String) -> String { colored(text, "31") }

    private func colored(_ text: String, _ code: String) -> String {
        isColored ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
    }
}

/// How a tool ends when not all is well; scripts rely on it.
enum ToolExit {
    /// Damage or a difference was found.
    static let found = ExitCode(1)
    /// Wrong use, or something that cannot be read or written.
    static let unusable = ExitCode(2)

    static let help = """
        Exit status: 0 all is well; 1 damage or a difference was found; 2 wrong use, or something \
        could not be read or written.
        """

    static func found(_ reason: String) -> ExitCode {
        writeToStandardError("aviary: \(reason)\n")
        return found
    }

    static func unusable(_ reason: String) -> ExitCode {
        writeToStandardError("aviary: \(reason)\n")
        return unusable
    }

    /// Says what went wrong with the files, and returns what ends the program.
    static func because(_ error: StorageError) -> ExitCode {
        switch error.code {
        case .corrupt, .missing, .misplaced: found(error.message)
        case .failed, .inUse: unusable(error.message)
        }
    }
}

/// How much was read so far, on standard error: only on a terminal, and only after a second.
final class Progress {
    private let start = ContinuousClock.now
    private var shown: ContinuousClock.Instant?
    private var byteCount = 0
    private let isTerminal = isatty(STDERR_FILENO) == 1

    func didRead(_ count: Int) {
        byteCount += count
        guard isTerminal else { return }
        let now = ContinuousClock.now
        guard now - start > .seconds(1), shown.map({ now - $0 > .milliseconds(200) }) ?? true
        else { return }
        shown = now
        let seconds = (now - start).components.seconds
        writeToStandardError("\r\(byteCount >> 20) MiB read, \(seconds) s ")
    }

    /// Takes the line away again.
    func finish() {
        if shown != nil { writeToStandardError("\r\u{1b}[K") }
        shown = nil
    }
}

// MARK: - Words

extension Path {
    /// For people: without what could move the cursor of a terminal.
    var shown: String { Self.shown(bytes.isEmpty ? Path.root.bytes : bytes) }

    static func shown(_ bytes: [UInt8]) -> String {
        let isPlain = bytes.allSatisfy { $0 >= 0x20 && $0 < 0x7f }
        let text = String(decoding: bytes, as: UTF8.self)
        return isPlain ? text : String(text.unicodeScalars.flatMap { escaped($0) })
    }

    private static func escaped(_ scalar: Unicode.Scalar) -> String {
        switch scalar.value {
        case 0..<0x20, 0x7f..<0xa0, 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x2069:
            "\\u{\(String(scalar.value, radix: 16))}"
        default: String(scalar)
        }
    }
}

enum Words {
    static func count(_ number: Int, _ noun: String) -> String {
        if number == 1 { return "1 \(noun)" }
        return "\(number) \(noun.hasSuffix("y") ? noun.dropLast() + "ies" : noun + "s")"
    }

    static func dataLength(_ data: [UInt8]?) -> String {
        data.map { count($0.count, "byte") } ?? "no data"
    }

    /// Text in quotes, or hexadecimal.
    static func data(_ bytes: [UInt8]) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            return "0x\(Hexadecimal.encode(bytes))"
        }
        let escaped = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        return "\"" + Path.shown([UInt8](escaped.utf8)) + "\""
    }

    static func acl(_ list: [ACL]) -> String {
        list.map { entry in
            let identity = entry.identity
            let who = Path.shown(identity.scheme.bytes) + ":" + Path.shown(identity.id.bytes)
            return who + ":" + permissions(entry.permissions)
        }.joined(separator: ",")
    }

    /// As in `cdrwa`, the shell's order.
    private static func permissions(_ set: Permissions) -> String {
        let letters: [(Permissions, String)] = [
            (.create, "c"), (.delete, "d"), (.read, "r"), (.write, "w"), (.admin, "a"),
        ]
        return letters.map { set.contains($0.0) ? $0.1 : "" }.joined()
    }
}

extension JSONWriter {
    mutating func add(_ key: StaticString, _ zxid: Zxid) {
        add(key, hexadecimal: UInt64(bitPattern: zxid.rawValue))
    }

    mutating func add(_ key: StaticString, _ session: SessionID) {
        add(key, hexadecimal: UInt64(bitPattern: session.rawValue))
    }

    mutating func add(_ key: StaticString? = nil, _ path: Path) {
        add(key, (path.bytes.isEmpty ? Path.root : path).description)
    }

    mutating func add(_ key: StaticString, _ list: [ACL]) {
        beginArray(key)
        for entry in list {
            beginObject()
            add("permissions", entry.permissions.rawValue)
            add("scheme", entry.identity.scheme.description)
            add("id", entry.identity.id.description)
            endObject()
        }
        endArray()
    }

    /// Its length, and the bytes in base64 if they are wanted.
    mutating func add(data: [UInt8]?, withBytes: Bool) {
        add("dataLength", data?.count ?? 0)
        guard withBytes else { return }
        if let data { add("data", Base64.encode(data).description) } else { addNull("data") }
    }
}
