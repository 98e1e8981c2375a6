package import AviaryCore
package import NIOCore

/// The constants of the stream that follows a leader's SNAP.
enum SnapshotStreamFormat {
    /// The only thing that tells a whole stream from one that broke off: it has no checksum.
    static let signature = Array("BenWasHere".utf8)
}

/// Writes a tree as a leader sends it to a learner, right after the packet SNAP: no header, no
/// checksum, no digest, and a signature at the end.
///
/// Source: LearnerHandler.run and SerializeUtils.serializeSnapshot, ZooKeeper 3.9.5.
package struct SnapshotStreamWriter: Sendable {
    private var body: SnapshotBody
    private var isSigned = false

    /// - Parameter snapshot: its zxid is that of the SNAP.
    package init(_ snapshot: TreeSnapshot) {
        body = SnapshotBody(snapshot)
    }

    /// Writes the next piece: until there are so many bytes in the buffer, with whole records only.
    ///
    /// - Returns: false when the whole of it is written; what is in the buffer is its end.
    package mutating func writeNext(to buffer: inout ByteBuffer, atLeast count: Int) -> Bool {
        if body.writeNext(to: &buffer, atLeast: count) { return true }
        if !isSigned {
            buffer.writeInteger(Int32(SnapshotStreamFormat.signature.count))
            buffer.writeBytes(SnapshotStreamFormat.signature)
            isSigned = true
        }
        return false
    }
}
