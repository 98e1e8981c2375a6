import Glibc

/// Lines that were typed in this session and earlier ones.
@ShellActor
final class HistoryFile {
    private static let limit = 1000

    private(set) var lines: [String] = []
    private let file: String?

    /// - Parameter file: nil keeps nothing.
    init(_ file: String?) {
        self.file = file
        // Damage or a file of somebody else's is no reason not to begin.
        if let file, let bytes = try? WholeFile.read(file) {
            lines = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
                .suffix(Self.limit).map(String.init)
        }
    }

    /// `AVIARY_HISTORY`, or `.aviary_history` in the home directory.
    static var standardPath: String? {
        if let named = unsafe getenv("AVIARY_HISTORY") {
            let path = unsafe String(cString: named)
            return path.isEmpty ? nil : path
        }
        return unsafe getenv("HOME").map { unsafe String(cString: $0) + "/.aviary_history" }
    }

    func add(_ line: String) {
        let words = CommandWords.split(line)
        if words.isEmpty || lines.last == line { return }
        lines.append(line)
        if lines.count > Self.limit { lines.removeFirst() }
        // Passwords are for this session only.
        guard let file, words[0] != "addauth" else { return }
        let kept = lines.filter { CommandWords.split($0).first != "addauth" }
        let text = kept.joined(separator: "\n") + "\n"
        try? WholeFile.write(Array(text.utf8), to: file)
    }
}
