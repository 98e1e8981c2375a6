import AviaryCore
import AviaryStorage
import AviaryWire
import NIOCore

/// What is on its way out on one link of the quorum port, in order. A tree is made into bytes only
/// as fast as the other side takes them; what is sent after it waits until it is through.
final class LinkWriter {
    private enum Item {
        case packets(ByteBuffer)
        case tree(TreeSnapshot)
    }

    /// Called when the other side has taken a piece of a tree.
    var progressed: (() -> Void)?
    private let channel: any Channel
    /// Since the last flush.
    private var collected = ByteBuffer()
    /// Behind a tree.
    private var waiting: [Item] = []
    private var stream: SnapshotStreamWriter?
    private var isGoingOn = false
    private var isClosed = false
    /// What the socket has not taken yet, in bytes, without what is left of a tree.
    private(set) var queuedByteCount = 0

    private static let pieceByteCount = 256 << 10
    private static let longestItem = 1 << 20

    init(_ channel: any Channel) {
        self.channel = channel
    }

    func append(_ write: (inout ByteBuffer) -> Void) {
        let before = collected.writerIndex
        write(&collected)
        queuedByteCount += collected.writerIndex - before
    }

    /// Bytes that other links may be sent too: with nothing to stand behind, they are shared.
    func append(_ bytes: ByteBuffer) {
        queuedByteCount += bytes.readableBytes
        if collected.readableBytes == 0 {
            collected = bytes
        } else {
            collected.writeImmutableBuffer(bytes)
        }
    }

    func append(_ snapshot: TreeSnapshot) {
        settle()
        waiting.append(.tree(snapshot))
    }

    func flush() {
        settle()
        goOn()
    }

    /// The socket takes more, or no more.
    func writabilityChanged() {
        goOn()
    }

    func close() {
        isClosed = true
        waiting = []
        stream = nil
        channel.close(promise: nil)
    }

    /// Ends a buffer: what comes next does not belong to it.
    private func settle() {
        guard collected.readableBytes > 0 else { return }
        var next = ByteBuffer()
        swap(&next, &collected)
        if case .packets(var last) = waiting.last, last.readableBytes < Self.longestItem {
            // Taken out, so that there is one owner and nothing is copied but the new bytes.
            waiting.removeLast()
            last.writeImmutableBuffer(next)
            waiting.append(.packets(last))
        } else {
            waiting.append(.packets(next))
        }
    }

    private func goOn() {
        while !isClosed {
            if stream != nil {
                guard channel.isWritable, !isGoingOn else { return }
                if writePiece() { return goOnLater() }
            } else {
                if waiting.isEmpty { return }
                switch waiting.removeFirst() {
                case .packets(let bytes): write(bytes)
                case .tree(let snapshot): stream = SnapshotStreamWriter(snapshot)
                }
            }
        }
    }

    /// - Returns: whether there is more of the tree.
    private func writePiece() -> Bool {
        var piece = ByteBuffer()
        piece.reserveCapacity(Self.pieceByteCount + 4096)
        let isMore = stream?.writeNext(to: &piece, atLeast: Self.pieceByteCount) ?? false
        if !isMore { stream = nil }
        queuedByteCount += piece.readableBytes
        write(piece, ofTree: true)
        return isMore
    }

    /// The other connections of the loop get their turn between two pieces.
    private func goOnLater() {
        isGoingOn = true
        // A task for now would run before the sockets are looked at.
        let soon = TimeAmount.microseconds(20)
        channel.eventLoop.assumeIsolated().scheduleTask(in: soon) { [weak self] in
            self?.isGoingOn = false
            self?.goOn()
        }
    }

    private func write(_ bytes: ByteBuffer, ofTree: Bool = false) {
        let count = bytes.readableBytes
        channel.writeAndFlush(bytes).assumeIsolated().whenComplete { _ in
            self.queuedByteCount -= count
            if ofTree && !self.isClosed { self.progressed?() }
        }
    }
}
