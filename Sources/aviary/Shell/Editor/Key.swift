/// What is typed at a terminal.
enum Key: Hashable, Sendable {
    case character(Character)
    case enter, tab, backspace, delete
    case left, right, up, down, home, end, wordLeft, wordRight
    case killToEnd, killToStart, killWord, killNextWord, yank
    case search, clearScreen, interrupt, endOfInput, escape
}

/// Makes keys of the bytes that a terminal sends, which may come in pieces.
struct KeyDecoder {
    /// An escape sequence is shorter; what is longer is thrown away.
    private static let longestSequence = 16

    private var pending: [UInt8] = []

    /// - Returns: the keys that are complete. An escape that nothing follows is one.
    mutating func decode(_ bytes: [UInt8]) -> [Key] {
        pending += bytes
        var keys: [Key] = []
        var rest = pending[...]
        while let first = rest.first {
            if first == 0x1b {
                guard let (key, count) = Self.sequence(rest) else { break }
                if let key { keys.append(key) }
                rest = rest.dropFirst(count)
            } else if first < 0x20 || first == 0x7f {
                if let key = Self.control(first) { keys.append(key) }
                rest.removeFirst()
            } else {
                let count = Self.characterLength(first)
                if rest.count < count { break }
                let text = String(decoding: rest.prefix(count), as: UTF8.self)
                keys += text.map { .character($0) }
                rest = rest.dropFirst(count)
            }
        }
        pending = Array(rest)
        return keys
    }

    private static func characterLength(_ first: UInt8) -> Int {
        switch first {
        case 0xc0..<0xe0: 2
        case 0xe0..<0xf0: 3
        case 0xf0...0xff: 4
        default: 1
        }
    }

    private static func control(_ byte: UInt8) -> Key? {
        switch byte {
        case 0x01: .home
        case 0x02: .left
        case 0x03: .interrupt
        case 0x04: .endOfInput
        case 0x05: .end
        case 0x06: .right
        case 0x07: .escape
        case 0x08, 0x7f: .backspace
        case 0x09: .tab
        case 0x0a, 0x0d: .enter
        case 0x0b: .killToEnd
        case 0x0c: .clearScreen
        case 0x0e: .down
        case 0x10: .up
        case 0x12: .search
        case 0x15: .killToStart
        case 0x17: .killWord
        case 0x19: .yank
        default: nil
        }
    }

    /// - Returns: the key, if it is one we know, and how many bytes it took; nil if more must come.
    private static func sequence(_ bytes: ArraySlice<UInt8>) -> (Key?, Int)? {
        let bytes = Array(bytes.prefix(longestSequence))
        guard bytes.count > 1 else { return (.escape, 1) }
        switch bytes[1] {
        case UInt8(ascii: "b"): return (.wordLeft, 2)
        case UInt8(ascii: "f"): return (.wordRight, 2)
        case UInt8(ascii: "d"): return (.killNextWord, 2)
        case 0x7f, 0x08: return (.killWord, 2)
        case UInt8(ascii: "["), UInt8(ascii: "O"): break
        default: return (.escape, 1)
        }
        guard let end = bytes.dropFirst(2).firstIndex(where: { (0x40...0x7e).contains($0) }) else {
            return bytes.count == longestSequence ? (nil, longestSequence) : nil
        }
        let parameters = String(decoding: bytes[2..<end], as: UTF8.self)
        return (key(final: bytes[end], parameters), end + 1)
    }

    private static func key(final: UInt8, _ parameters: String) -> Key? {
        let isWithControl = parameters.hasSuffix(";5") || parameters.hasSuffix(";3")
        switch final {
        case UInt8(ascii: "A"): return .up
        case UInt8(ascii: "B"): return .down
        case UInt8(ascii: "C"): return isWithControl ? .wordRight : .right
        case UInt8(ascii: "D"): return isWithControl ? .wordLeft : .left
        case UInt8(ascii: "H"): return .home
        case UInt8(ascii: "F"): return .end
        case UInt8(ascii: "~"): break
        default: return nil
        }
        return switch parameters {
        case "1", "7": .home
        case "4", "8": .end
        case "3": .delete
        default: nil
        }
    }
}
