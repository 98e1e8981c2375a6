import AviaryClient

/// What is wrong with a path, in zkCli.sh's words.
///
/// Source: what org.apache.zookeeper.common.PathUtils.validatePath says, 3.9.5.
enum ShellPath {
    static func checked(_ text: String, isSequential: Bool = false) throws(ShellError) -> Path {
        // A sequential node's number makes the last name complete.
        if let complaint = complaint(isSequential ? text + "1" : text) {
            throw ShellError(complaint)
        }
        return Path(text)
    }

    private static func complaint(_ text: String) -> String? {
        if text.isEmpty { return "Path length must be > 0" }
        if !text.hasPrefix("/") { return "Path must start with / character" }
        if text == "/" { return nil }
        if text.hasSuffix("/") { return "Path must not end with / character" }
        guard let reason = invalidity(Array(text.utf16)) else { return nil }
        return "Invalid path string \"\(text)\" caused by \(reason)"
    }

    private static func invalidity(_ units: [UInt16]) -> String? {
        let slash = UInt16(UInt8(ascii: "/"))
        let dot = UInt16(UInt8(ascii: "."))
        for index in 1..<units.count {
            let unit = units[index]
            let endsName = index + 1 == units.count || units[index + 1] == slash
            if unit == 0 { return "null character not allowed @\(index)" }
            if unit == slash && units[index - 1] == slash {
                return "empty node name specified @\(index)"
            }
            if unit == dot && endsName {
                let isParent = units[index - 1] == dot && units[index - 2] == slash
                if isParent || units[index - 1] == slash {
                    return "relative paths not allowed @\(index)"
                }
            }
            if isForbidden(unit) { return "invalid character @\(index)" }
        }
        return nil
    }

    private static func isForbidden(_ unit: UInt16) -> Bool {
        switch unit {
        case 0x01...0x1f, 0x7f...0x9f, 0xd800...0xf8ff, 0xfff0...0xffff: true
        default: false
        }
    }
}
