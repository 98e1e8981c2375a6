package import AviaryWire

/// The epochs of a member of an ensemble.
package struct Epochs: Hashable, Sendable {
    /// The highest epoch that it has agreed to follow.
    package let accepted: Int64
    /// The epoch whose history it holds.
    package let current: Int64

    package init(accepted: Int64, current: Int64) {
        self.accepted = accepted
        self.current = current
    }
}

/// Where a member of an ensemble keeps which epochs it is in and has accepted: in decimal digits, and
/// nothing else.
///
/// A member appends the first entries of an epoch, syncs them, and then saves the epoch as current; it
/// has saved it as accepted long before. So a crash can leave a log that is one epoch ahead of
/// `currentEpoch`. Who has an entry of an epoch has all that came before the epoch, so then that epoch
/// is the current one. That the files and the log are of the same server, and of the same time, shows
/// in `acceptedEpoch`: it is never behind the log.
/// Apache does not start then, unless it finds `currentEpoch.tmp`; see QuorumPeer.loadDataBase,
/// ZooKeeper 3.9.5.
package enum EpochFiles {
    private static let current = "currentEpoch"
    private static let accepted = "acceptedEpoch"
    /// The current epoch, which is raised after the accepted one, first.
    package static let names = [current, accepted]

    /// Enough for any number.
    private static let maximumByteCount = 32

    private static func unfinished(_ name: String) -> String { name + ".tmp" }

    /// The number in one of the files; nil if it is not there or holds none.
    package static func epoch<Files: FileSystem & ~Copyable>(
        _ name: String, in files: borrowing Files
    ) throws(StorageError) -> Int64? {
        guard try files.list().contains(where: { $0.name == name }) else { return nil }
        let bytes = try files.read(name, at: 0, count: maximumByteCount)
        return Int64(String(decoding: bytes, as: UTF8.self).prefix { $0.isNumber })
    }

    /// The epochs of a member whose log ends with a zxid. They are to be saved, which puts right what
    /// was missing.
    ///
    /// Source: QuorumPeer.loadDataBase, ZooKeeper 3.9.5. Deviation: files that say -1, which Apache
    /// writes for an empty database that it does not trust, count as missing as long as it is empty.
    ///
    /// - Parameter last: zero or less if the database is empty.
    /// - Throws: `corrupt` if the files cannot belong to this log.
    package static func load<Files: FileSystem & ~Copyable>(
        last: Zxid, in files: borrowing Files
    ) throws(StorageError) -> Epochs {
        let isEmpty = last <= .zero
        let epoch = isEmpty ? 0 : Int64(last.epoch)
        var current = try number(Self.current, in: files)
        var accepted = try number(Self.accepted, in: files)
        if isEmpty {
            current = current.map { max(0, $0) }
            accepted = accepted.map { max(0, $0) }
        }
        if let behind = current, behind < epoch {
            current = try raised(behind, to: last, accepted: accepted, in: files)
        }
        let epochs = Epochs(accepted: accepted ?? epoch, current: current ?? epoch)
        guard epochs.accepted >= epochs.current else {
            throw StorageError(
                .corrupt,
                "\(files.directory)/\(Self.accepted) says \(epochs.accepted), and "
                    + "\(Self.current) \(epochs.current), which was never accepted; restore the "
                    + "files that belong here, or a backup of all", file: Self.accepted)
        }
        return epochs
    }

    /// Sees that the files can belong to a log that ends with this zxid, if they are there at all.
    static func check<Files: FileSystem & ~Copyable>(
        against last: Zxid, in files: borrowing Files
    ) throws(StorageError) {
        guard let current = try epoch(Self.current, in: files), current < Int64(last.epoch) else {
            return
        }
        let accepted = try epoch(Self.accepted, in: files)
        _ = try raised(current, to: last, accepted: accepted, in: files)
    }

    /// The current epoch of a member whose log is ahead of the file.
    private static func raised<Files: FileSystem & ~Copyable>(
        _ current: Int64, to last: Zxid, accepted: Int64?, in files: borrowing Files
    ) throws(StorageError) -> Int64 {
        let epoch = Int64(last.epoch)
        guard let accepted, accepted >= epoch else {
            let known =
                accepted.map { "\(Self.accepted) says \($0)" } ?? "there is no \(Self.accepted)"
            throw StorageError(
                .corrupt,
                "\(files.directory)/\(Self.current) says \(current), \(known), and there are "
                    + "transactions up to \(last), which is epoch \(epoch); restore the files that "
                    + "belong here, or a backup of all", file: Self.current)
        }
        // What was about to be saved when everything it stands for was safe; it may be torn.
        let saving = try Self.epoch(unfinished(Self.current), in: files) ?? epoch
        return (epoch...accepted).contains(saving) ? saving : epoch
    }

    /// As `epoch`, but what is no number ends the start: a lost epoch may not be taken for none.
    private static func number<Files: FileSystem & ~Copyable>(
        _ name: String, in files: borrowing Files
    ) throws(StorageError) -> Int64? {
        guard try files.list().contains(where: { $0.name == name }) else { return nil }
        let bytes = try files.read(name, at: 0, count: maximumByteCount)
        let text = String(decoding: bytes, as: UTF8.self).prefix { !$0.isWhitespace }
        if let number = Int64(text) { return number }
        throw StorageError(
            .corrupt,
            "\(files.directory)/\(name) holds no number; restore it from a backup: a member that has "
                + "forgotten its epochs may follow two leaders", file: name)
    }

    // MARK: Saving

    /// Returns when both would outlive a crash, the accepted epoch before the current one.
    ///
    /// After an error it is not known what the files hold, and no other epochs than these may be
    /// saved or told to anyone.
    /// Source: QuorumPeer.writeLongToFile and AtomicFileOutputStream, ZooKeeper 3.9.5, which do not
    /// sync the directory.
    package static func save<Files: FileSystem & ~Copyable>(
        accepted: Int64, current: Int64, in files: inout Files
    ) throws(StorageError) {
        precondition(current >= 0, "an epoch is not negative")
        precondition(current <= accepted, "an epoch is accepted before it is entered")
        try save(accepted, as: Self.accepted, in: &files)
        try save(current, as: Self.current, in: &files)
    }

    private static func save<Files: FileSystem & ~Copyable>(
        _ epoch: Int64, as name: String, in files: inout Files
    ) throws(StorageError) {
        let text = Array(String(epoch).utf8)
        let unfinished = unfinished(name)
        let entries = try files.list()
        if let entry = entries.first(where: { $0.name == name }), entry.size == text.count,
            try files.read(name, at: 0, count: text.count) == text
        {
            if entries.contains(where: { $0.name == unfinished }) { try files.remove(unfinished) }
        } else {
            try files.create(unfinished)
            try files.write(text.raw, to: unfinished, at: 0)
            try files.sync(unfinished)
            try files.close(unfinished)
            try files.rename(unfinished, to: name)
        }
        // Also if the file says so already: an earlier attempt may have come so far and no further.
        try files.syncDirectory()
    }
}
