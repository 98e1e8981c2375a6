import Glibc

/// Where the shell prints: answers on standard output, complaints on standard error, and both above
/// the line that is being typed.
@ShellActor
final class Console {
    private let output = Output()
    /// Takes the line that is being typed off the screen, and puts it back.
    var editor: (any ScreenLine)?

    nonisolated init() {}

    func line(_ text: String) { output.line(text) }

    func lines(_ texts: [String]) {
        for text in texts { output.line(text) }
    }

    func line(_ bytes: [UInt8]) { output.line(bytes) }

    func json(_ write: (inout JSONWriter) -> Void) { output.json(write) }

    /// A line on standard error, after all that was printed before.
    func error(_ text: String) {
        output.flush()
        writeToStandardError(text + "\n")
    }

    /// Prints something that nobody waits for, as a watch's event.
    func interject(_ print: () -> Void) {
        editor?.hide()
        print()
        output.flush()
        editor?.show()
    }

    func flush() { output.flush() }

    /// Writes what is left.
    /// - Returns: false if standard output did not take it.
    func finish() -> Bool {
        do {
            try output.finish()
            return true
        } catch {
            return false
        }
    }

    func bold(_ text: String) -> String { output.bold(text) }
    func dim(_ text: String) -> String { output.dim(text) }
    func good(_ text: String) -> String { output.good(text) }
    func bad(_ text: String) -> String { output.bad(text) }
}

/// A line on the screen that others' output must not run through.
@ShellActor
protocol ScreenLine {
    func hide()
    func show()
}
