import Synchronization

/// Hands a tree from one thread to another: it is put in once and taken out once.
package final class TreeBox: Sendable {
    private let tree: Mutex<DataTree?>

    package init(_ tree: consuming sending DataTree) {
        self.tree = Mutex(tree)
    }

    /// Nil if it was taken before.
    package func take() -> DataTree? {
        tree.withLock { $0.take() }
    }
}
