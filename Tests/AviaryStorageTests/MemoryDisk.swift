import AviaryCore
import AviaryWire

@testable import AviaryStorage

/// A directory that forgets at a crash what was not synced: of each file, and of the names, the
/// changes since the last sync but for a first part of them, with the last write cut at any byte.
final class MemoryDisk {
    private enum Change {
        case write([UInt8], at: Int)
        case resize(Int)
    }

    private struct Inode {
        var bytes: [UInt8] = []
        var durable: [UInt8] = []
        var changes: [Change] = []
    }

    private var inodes: [Inode] = []
    private var names: [String: Int] = [:]
    private var durableNames: [String: Int] = [:]
    /// What the names were after each change since the last sync.
    private var nameChanges: [[String: Int]] = []
    /// So many operations succeed before the next fails; nil is without end.
    var operationsLeft: Int?
    /// Decides which operations go wrong without a crash; nil: none does.
    var faults: SeededRandom?
    /// How many operations there are to a fault.
    var operationsPerFault = 12
    /// No file grows while this is so.
    private var isFull = false

    static let crash = StorageError(.failed, "the test pulled the plug")
    static let fault = StorageError(.failed, "the test broke the disk")

    func crash(_ random: inout SeededRandom) {
        let history = [durableNames] + nameChanges
        names = history[random.below(history.count)]
        durableNames = names
        nameChanges = []
        for index in inodes.indices {
            var bytes = inodes[index].durable
            let kept = random.below(inodes[index].changes.count + 1)
            for change in inodes[index].changes.prefix(kept) {
                var change = change
                if case .write(let data, let offset) = change, random.below(3) == 0 {
                    change = .write(Array(data.prefix(random.below(data.count + 1))), at: offset)
                }
                Self.apply(change, to: &bytes)
            }
            inodes[index] = Inode(bytes: bytes, durable: bytes)
        }
        operationsLeft = nil
        faults = nil
        isFull = false
    }

    private static func apply(_ change: Change, to bytes: inout [UInt8]) {
        switch change {
        case .write(let data, let offset):
            if bytes.count < offset + data.count { resize(&bytes, offset + data.count) }
            bytes.replaceSubrange(offset..<offset + data.count, with: data)
        case .resize(let size): resize(&bytes, size)
        }
    }

    private static func resize(_ bytes: inout [UInt8], _ size: Int) {
        if bytes.count > size { bytes.removeSubrange(size...) }
        bytes.append(contentsOf: [UInt8](repeating: 0, count: size - bytes.count))
    }

    private func spend() throws(StorageError) {
        if let left = operationsLeft {
            if left == 0 { throw Self.crash }
            operationsLeft = left - 1
        }
    }

    /// Whether this operation goes wrong.
    private func hasFault() -> Bool {
        guard faults != nil else { return false }
        if faults?.below(operationsPerFault * 2) == 0 { isFull.toggle() }
        return faults?.below(operationsPerFault) == 0
    }

    private func inode(_ file: String) throws(StorageError) -> Int {
        guard let inode = names[file] else { throw StorageError(.failed, "no file \(file)") }
        return inode
    }

    /// The files by name.
    var sizes: [String: Int] { names.mapValues { inodes[$0].bytes.count } }

    fileprivate var entries: [FileEntry] {
        names.map { FileEntry(name: $0.key, size: inodes[$0.value].bytes.count) }
    }

    fileprivate func read(
        _ file: String, _ offset: Int, _ count: Int
    ) throws(StorageError) -> [UInt8] {
        Array(inodes[try inode(file)].bytes.dropFirst(offset).prefix(count))
    }

    private func change(_ file: String, _ make: () -> Change) throws(StorageError) {
        try spend()
        let inode = try inode(file)
        var change = make()
        let isFaulty = hasFault()
        if isFaulty {
            // Some of it may have been written.
            guard case .write(let data, let offset) = change else { throw Self.fault }
            let written = faults?.below(data.count + 1) ?? 0
            change = .write(Array(data.prefix(written)), at: offset)
        } else if isFull && grows(change, inode) {
            throw Self.fault
        }
        Self.apply(change, to: &inodes[inode].bytes)
        inodes[inode].changes.append(change)
        if isFaulty { throw Self.fault }
    }

    private func grows(_ change: Change, _ inode: Int) -> Bool {
        let size = inodes[inode].bytes.count
        return switch change {
        case .write(let data, let offset): offset + data.count > size
        case .resize(let newSize): newSize > size
        }
    }

    fileprivate func write(_ data: [UInt8], _ file: String, _ offset: Int) throws(StorageError) {
        try change(file) { .write(data, at: offset) }
    }

    fileprivate func resize(
        _ file: String, to size: Int, onlyLonger: Bool
    ) throws(StorageError) {
        let current = inodes[try inode(file)].bytes.count
        try change(file) { .resize(onlyLonger ? max(size, current) : size) }
    }

    fileprivate func sync(_ file: String) throws(StorageError) {
        try spend()
        let inode = try inode(file)
        let isFaulty = hasFault()
        // After an error the system takes the pages for written: no later sync will write them.
        if !isFaulty {
            for change in inodes[inode].changes {
                Self.apply(change, to: &inodes[inode].durable)
            }
        }
        inodes[inode].changes = []
        if isFaulty { throw Self.fault }
    }

    fileprivate func changeNames(
        _ body: (inout [String: Int]) -> Void
    ) throws(StorageError) {
        try spend()
        if hasFault() { throw Self.fault }
        body(&names)
        nameChanges.append(names)
    }

    fileprivate func create(_ file: String) throws(StorageError) {
        if names[file] != nil { return try resize(file, to: 0, onlyLonger: false) }
        inodes.append(Inode())
        let inode = inodes.count - 1
        try changeNames { $0[file] = inode }
    }

    fileprivate func syncNames() throws(StorageError) {
        try spend()
        if hasFault() { throw Self.fault }
        durableNames = names
        nameChanges = []
    }
}

/// A directory of a `MemoryDisk`.
struct MemoryFiles: FileSystem, ~Copyable {
    let disk: MemoryDisk
    var directory: String { "memory" }

    func list() throws(StorageError) -> [FileEntry] { disk.entries }

    func read(_ file: String, at offset: Int, count: Int) throws(StorageError) -> [UInt8] {
        try disk.read(file, offset, count)
    }

    mutating func create(_ file: String) throws(StorageError) { try disk.create(file) }

    mutating func write(_ bytes: RawSpan, to file: String, at offset: Int) throws(StorageError) {
        try disk.write([UInt8](copying: bytes), file, offset)
    }

    mutating func extend(_ file: String, to size: Int) throws(StorageError) {
        try disk.resize(file, to: size, onlyLonger: true)
    }

    mutating func truncate(_ file: String, to size: Int) throws(StorageError) {
        try disk.resize(file, to: size, onlyLonger: false)
    }

    mutating func sync(_ file: String) throws(StorageError) { try disk.sync(file) }

    mutating func syncDirectory() throws(StorageError) { try disk.syncNames() }

    mutating func rename(_ file: String, to name: String) throws(StorageError) {
        try disk.changeNames { $0[name] = $0.removeValue(forKey: file) }
    }

    mutating func remove(_ file: String) throws(StorageError) {
        try disk.changeNames { $0[file] = nil }
    }

    mutating func close(_ file: String) throws(StorageError) {}
}
