import AviaryCore
import AviaryWire
import NIOCore

/// The part of a snapshot that is the same in a file and in the stream to a learner: sessions, access
/// control lists and nodes, written in pieces.
///
/// Source: SerializeUtils.serializeSnapshot, ZooKeeper 3.9.5.
struct SnapshotBody: Sendable {
    private let sessions: [(id: SessionID, timeoutMilliseconds: Int32)]
    private let lists: [(key: Int64, list: [ACL])]
    private var cursor: TreeSnapshot.Cursor
    /// The next record before the nodes: each of the two tables is preceded by its count.
    private var next = 0
    private var isEnded = false

    init(_ snapshot: TreeSnapshot) {
        sessions = snapshot.sessions.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        lists = snapshot.acls.keyed
        cursor = snapshot.cursor
    }

    /// Writes until there are so many bytes in the buffer.
    ///
    /// - Returns: false when all is written, and the mark that ends the nodes.
    mutating func writeNext(to buffer: inout ByteBuffer, atLeast count: Int) -> Bool {
        while next < sessions.count + lists.count + 2 {
            writeTableRecord(to: &buffer)
            next += 1
            if buffer.readableBytes >= count { return true }
        }
        if isEnded { return false }
        if cursor.writeNext(to: &buffer, atLeast: count) { return true }
        buffer.writeBytes(SnapshotFormat.end)
        isEnded = true
        return false
    }

    private func writeTableRecord(to buffer: inout ByteBuffer) {
        if next == 0 {
            buffer.writeInteger(Int32(sessions.count))
        } else if next <= sessions.count {
            let session = sessions[next - 1]
            buffer.writeInteger(session.id.rawValue)
            buffer.writeInteger(session.timeoutMilliseconds)
        } else if next == sessions.count + 1 {
            buffer.writeInteger(Int32(lists.count))
        } else {
            let entry = lists[next - sessions.count - 2]
            buffer.writeInteger(entry.key)
            ACL.writeList(entry.list, to: &buffer)
        }
    }
}
