import Glibc

func writeToStandardError(_ text: String) { write(text, to: STDERR_FILENO) }

func writeToStandardError(_ bytes: [UInt8]) {
    _ = unsafe bytes.withUnsafeBytes { raw in
        unsafe Glibc.write(STDERR_FILENO, raw.baseAddress, raw.count)
    }
}

/// At once, also into a file or a pipe.
func writeToStandardOutput(_ text: String) { write(text, to: STDOUT_FILENO) }

private func write(_ text: String, to descriptor: CInt) {
    var text = text
    text.withUTF8 { bytes in
        _ = unsafe Glibc.write(descriptor, bytes.baseAddress, bytes.count)
    }
}
