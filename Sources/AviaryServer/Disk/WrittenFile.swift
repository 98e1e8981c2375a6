import Glibc

/// A file that is being written, and what of it is in the page cache.
///
/// Nobody reads what is written but a later start, and now and then a tool or a member that lags. Left
/// alone it would take all memory that is free, and each page of it the kernel would have to find anew.
struct WrittenFile {
    let descriptor: CInt
    private var end = 0
    /// The pages before this are dropped. A multiple of `chunk`.
    private var dropped = 0

    /// Pages go by so many bytes, once as many are there behind them: what was written just now the
    /// kernel may still hold on to, and to drop that it would have to ask all processors.
    private static let chunk = 1 << 20

    init(_ descriptor: CInt) {
        self.descriptor = descriptor
    }

    mutating func wrote(_ byteCount: Int, at offset: Int) {
        end = offset + byteCount
        dropped = min(dropped, offset / Self.chunk * Self.chunk)
    }

    /// All that was written is on the disk.
    mutating func synced() {
        let limit = (end / Self.chunk - 1) * Self.chunk
        guard limit > dropped else { return }
        // An advice: where it is not taken, as in a file system in memory, nothing is lost.
        _ = posix_fadvise(descriptor, off_t(dropped), off_t(limit - dropped), POSIX_FADV_DONTNEED)
        dropped = limit
    }
}
