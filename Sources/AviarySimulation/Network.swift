import AviaryWire
import DequeModule
import NIOCore

/// What lies between the nodes: members first, then clients.
struct Network {
    /// Until when nothing passes from one node to another.
    private var cuts: [[Int64]]
    /// The way between two members' election ports.
    private var elections: [[ElectionPath]]

    /// From one member to another.
    struct ElectionPath {
        var isUp = false
        var isDialing = false
        /// The one that is not on its way yet; a newer one takes its place.
        var waiting: ByteBuffer?
        var underway: Deque<ByteBuffer> = []
        var lastArrival: Int64 = 0
        /// So many arrivals are of a connection that is no more.
        var lost = 0
    }

    init(nodes: Int, members: Int) {
        cuts = Array(repeating: Array(repeating: 0, count: nodes), count: nodes)
        elections = Array(
            repeating: Array(repeating: ElectionPath(), count: members), count: members)
    }

    func isCut(from: Int, to: Int, at time: Int64) -> Bool { cuts[from][to] > time }

    func cutEnd(from: Int, to: Int) -> Int64 { cuts[from][to] }

    mutating func cut(from: Int, to: Int, until end: Int64) {
        cuts[from][to] = max(cuts[from][to], end)
    }

    subscript(from: Int, to: Int) -> ElectionPath {
        get { elections[from][to] }
        _modify { yield &elections[from][to] }
    }
}
