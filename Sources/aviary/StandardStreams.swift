import Glibc

func writeToStandardError(_ text: String) { write(text, to: STDERR_FILENO) }

/// At once, also into a file or a pipe.
func writeToStandardOutput(_ text: String) { write(text, to: STDOUT_FILENO) }

private func write(_ text: String, to descriptor: CInt) {
    var text = text
    text.withUTF8 { bytes in
        _ = unsafe Glibc.write(descriptor, bytes.baseAddress, bytes.count)
    }
}
