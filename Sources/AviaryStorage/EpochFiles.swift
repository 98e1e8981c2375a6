import AviaryWire

/// Where a member of an ensemble keeps which epochs it is in and has accepted.
package enum EpochFiles {
    package static let names = ["currentEpoch", "acceptedEpoch"]

    /// The number in one of the files; nil if it is not there or holds none.
    package static func epoch<Files: FileSystem & ~Copyable>(
        _ name: String, in files: borrowing Files
    ) throws(StorageError) -> Int64? {
        guard try files.list().contains(where: { $0.name == name }) else { return nil }
        let text = String(decoding: try files.read(name, at: 0, count: 32), as: UTF8.self)
        return Int64(text.prefix { $0.isNumber })
    }

    /// A member of an ensemble writes its epoch before the epoch's first transaction, so a smaller one
    /// means that the files are not all of the same server, or not of the same time.
    ///
    /// Source: QuorumPeer.loadDataBase, ZooKeeper 3.9.5.
    static func check<Files: FileSystem & ~Copyable>(
        against last: Zxid, in files: borrowing Files
    ) throws(StorageError) {
        let name = names[0]
        guard let epoch = try epoch(name, in: files), epoch < Int64(last.epoch) else { return }
        throw StorageError(
            .corrupt,
            "\(files.directory)/\(name) says \(epoch), and there are transactions up to \(last), which "
                + "is epoch \(last.epoch); restore the file that belongs here, or a backup of all",
            file: name)
    }
}
