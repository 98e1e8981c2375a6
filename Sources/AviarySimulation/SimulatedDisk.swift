import AviaryCore
import AviaryStorage
import AviaryWire

/// A directory that forgets at a crash what was not synced: of each file, and of the names, the
/// changes since the last sync but for a first part of them, with the last write cut at any byte.
final class SimulatedDisk {
    private enum Change {
        case write([UInt8], at: Int)
        case resize(Int)
    }

    private struct Inode {
        var bytes: [UInt8] = []
        var durable: [UInt8] = []
        var changes: [Change] = []
        /// A sync failed, so that `durable` may never become what `bytes` is.
        var hasLost = false
    }

    /// A file's name, and which file it is.
    private struct Name {
        let text: String
        let inode: Int
    }

    let directory: String
    private var inodes: [Inode] = []
    /// Sorted, so that a listing is the same in each run.
    private var names: [Name] = []
    private var durableNames: [Name] = []
    /// What the names were after each change since the last sync.
    private var nameChanges: [[Name]] = []
    private var random: SeededRandom
    /// So many operations succeed before the power fails; nil is without end.
    var operationsLeft: Int?
    /// One in so many operations fails; nil: none does.
    var operationsPerFault: Int?

    static let crash = StorageError(.failed, "the simulation pulled the plug")
    static let fault = StorageError(.failed, "the simulation broke the disk")

    init(directory: String, seed: UInt64) {
        self.directory = directory
        random = SeededRandom(seed: seed)
    }

    func crash() {
        let kept = random.below(nameChanges.count + 1)
        if kept > 0 { durableNames = nameChanges[kept - 1] }
        names = durableNames
        nameChanges = []
        for name in names { inodes[name.inode] = crashed(inodes[name.inode]) }
        operationsLeft = nil
        operationsPerFault = nil
    }

    private func crashed(_ inode: Inode) -> Inode {
        if inode.changes.isEmpty { return inode }
        var bytes = inode.durable
        let kept = random.below(inode.changes.count + 1)
        for var change in inode.changes.prefix(kept) {
            if case .write(let data, let offset) = change, random.below(3) == 0 {
                change = .write(Array(data.prefix(random.below(data.count + 1))), at: offset)
            }
            Self.apply(change, to: &bytes)
        }
        return Inode(bytes: bytes, durable: bytes)
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
        bytes.append(contentsOf: repeatElement(0, count: size - bytes.count))
    }

    private func spend() throws(StorageError) {
        guard let left = operationsLeft else { return }
        if left == 0 { throw Self.crash }
        operationsLeft = left - 1
    }

    /// Whether this operation goes wrong.
    private func hasFault() -> Bool {
        guard let operationsPerFault else { return false }
        return random.below(operationsPerFault) == 0
    }

    private func inode(_ file: String) throws(StorageError) -> Int {
        guard let name = names.first(where: { $0.text == file }) else {
            throw StorageError(.failed, "there is no file \(file)", file: file)
        }
        return name.inode
    }

    private func change(_ file: String, _ change: Change) throws(StorageError) {
        try spend()
        let inode = try inode(file)
        var change = change
        let isFaulty = hasFault()
        if isFaulty {
            // Some of it may have been written.
            guard case .write(let data, let offset) = change else { throw Self.fault }
            change = .write(Array(data.prefix(random.below(data.count + 1))), at: offset)
        }
        Self.apply(change, to: &inodes[inode].bytes)
        inodes[inode].changes.append(change)
        if isFaulty { throw Self.fault }
    }

    private func changeNames(_ changed: [Name]) throws(StorageError) {
        try spend()
        if hasFault() { throw Self.fault }
        names = changed
        nameChanges.append(changed)
    }

    private func without(_ file: String) -> [Name] { names.filter { $0.text != file } }

    private func with(_ name: Name) -> [Name] {
        var changed = without(name.text)
        let index = changed.firstIndex { $0.text > name.text } ?? changed.count
        changed.insert(name, at: index)
        return changed
    }
}

// MARK: - Operations

extension SimulatedDisk {
    fileprivate var entries: [FileEntry] {
        names.map { FileEntry(name: $0.text, size: inodes[$0.inode].bytes.count) }
    }

    fileprivate func read(
        _ file: String, _ offset: Int, _ count: Int
    ) throws(StorageError) -> [UInt8] {
        Array(inodes[try inode(file)].bytes.dropFirst(offset).prefix(count))
    }

    fileprivate func write(_ data: [UInt8], _ file: String, _ offset: Int) throws(StorageError) {
        try change(file, .write(data, at: offset))
    }

    fileprivate func resize(
        _ file: String, to size: Int, onlyLonger: Bool
    ) throws(StorageError) {
        let current = inodes[try inode(file)].bytes.count
        try change(file, .resize(onlyLonger ? max(size, current) : size))
    }

    fileprivate func sync(_ file: String) throws(StorageError) {
        try spend()
        let inode = try inode(file)
        let isFaulty = hasFault()
        if isFaulty {
            // The system takes the pages for written: no later sync will write them.
            inodes[inode].hasLost = true
        } else if inodes[inode].hasLost {
            for change in inodes[inode].changes {
                Self.apply(change, to: &inodes[inode].durable)
            }
        } else {
            inodes[inode].durable = inodes[inode].bytes
        }
        inodes[inode].changes = []
        if isFaulty { throw Self.fault }
    }

    fileprivate func create(_ file: String) throws(StorageError) {
        if names.contains(where: { $0.text == file }) {
            return try resize(file, to: 0, onlyLonger: false)
        }
        inodes.append(Inode())
        try changeNames(with(Name(text: file, inode: inodes.count - 1)))
    }

    fileprivate func rename(_ file: String, to name: String) throws(StorageError) {
        let inode = try inode(file)
        let changed = with(Name(text: name, inode: inode)).filter { $0.text != file }
        try changeNames(changed)
    }

    fileprivate func remove(_ file: String) throws(StorageError) {
        _ = try inode(file)
        try changeNames(without(file))
    }

    fileprivate func syncNames() throws(StorageError) {
        try spend()
        if hasFault() { throw Self.fault }
        durableNames = names
        nameChanges = []
    }
}

/// The directory of a `SimulatedDisk`.
struct SimulatedFiles: FileSystem, ~Copyable {
    let disk: SimulatedDisk
    var directory: String { disk.directory }

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
        try disk.rename(file, to: name)
    }

    mutating func remove(_ file: String) throws(StorageError) { try disk.remove(file) }

    mutating func close(_ file: String) throws(StorageError) {}
}
