import AviaryStorage
import Glibc

/// The operator's word that an empty database is meant to be one: a file beside `version-2`.
///
/// Source: FileTxnSnapLog.restore, ZooKeeper 3.9.5.
extension PosixFiles {
    private var initializePath: String { "\(directory)/../\(Recovery.initializeFile)" }

    var hasInitializeFile: Bool { unsafe access(initializePath, F_OK) == 0 }

    /// Its word counts once.
    func removeInitializeFile() {
        if hasInitializeFile { _ = unsafe unlink(initializePath) }
    }
}
