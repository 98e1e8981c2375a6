import AviaryCore
import Synchronization

/// Hands a tree from one thread to another: it is put in once and taken out once.
final class TreeBox: Sendable {
    private let tree: Mutex<DataTree?>

    init(_ tree: consuming sending DataTree) {
        self.tree = Mutex(tree)
    }

    /// Nil if it was taken before.
    func take() -> DataTree? {
        tree.withLock { $0.take() }
    }
}
