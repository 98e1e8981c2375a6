/// The line that is being typed, and where in it the cursor stands.
struct EditBuffer {
    private(set) var characters: [Character] = []
    /// Of the characters, how many are left of it.
    private(set) var cursor = 0
    /// What was taken out last, to be put in again.
    private var killed: [Character] = []

    var text: String { String(characters) }
    var beforeCursor: String { String(characters[..<cursor]) }

    mutating func replace(with text: String) {
        characters = Array(text)
        cursor = characters.count
    }

    mutating func insert(_ text: some Sequence<Character>) {
        let new = Array(text)
        characters.insert(contentsOf: new, at: cursor)
        cursor += new.count
    }

    /// Puts a word in the place of the one that ends at the cursor.
    mutating func replaceWord(_ count: Int, with word: String) {
        characters.removeSubrange(cursor - count..<cursor)
        cursor -= count
        insert(word)
    }

    /// - Returns: false if the key is none that edits.
    mutating func edit(_ key: Key) -> Bool {
        switch key {
        case .character(let character): insert([character])
        case .backspace: remove(max(0, cursor - 1)..<cursor)
        case .delete: remove(cursor..<min(cursor + 1, characters.count))
        case .left: cursor = max(0, cursor - 1)
        case .right: cursor = min(characters.count, cursor + 1)
        case .home: cursor = 0
        case .end: cursor = characters.count
        case .wordLeft: cursor = wordStart
        case .wordRight: cursor = wordEnd
        case .killToEnd: kill(cursor..<characters.count)
        case .killToStart: kill(0..<cursor)
        case .killWord: kill(wordStart..<cursor)
        case .killNextWord: kill(cursor..<wordEnd)
        case .yank: insert(killed)
        case .enter, .tab, .up, .down, .search, .clearScreen, .interrupt, .endOfInput, .escape:
            return false
        }
        return true
    }

    private var wordStart: Int {
        var start = cursor
        while start > 0, characters[start - 1].isWhitespace { start -= 1 }
        while start > 0, !characters[start - 1].isWhitespace { start -= 1 }
        return start
    }

    private var wordEnd: Int {
        var end = cursor
        while end < characters.count, characters[end].isWhitespace { end += 1 }
        while end < characters.count, !characters[end].isWhitespace { end += 1 }
        return end
    }

    private mutating func remove(_ range: Range<Int>) {
        characters.removeSubrange(range)
        cursor = range.lowerBound
    }

    private mutating func kill(_ range: Range<Int>) {
        if range.isEmpty { return }
        killed = Array(characters[range])
        remove(range)
    }
}
