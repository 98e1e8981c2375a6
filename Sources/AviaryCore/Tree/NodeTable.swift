import AviaryWire
import NIOCore

/// The nodes, in chunks that are copied on write one at a time: a copy of the table is a snapshot.
struct NodeTable: Sendable {
    private static let chunkSize = 64
    private var chunks: ContiguousArray<ContiguousArray<Znode>> = []
    private var vacant: [NodeID] = []
    /// Nodes in each chunk.
    private var used: [UInt8] = []
    /// With so many vacant places the last chunks are given back, if they hold nothing.
    private var giveBackAt = nodesKept
    private(set) var count = 0

    subscript(id: NodeID) -> Znode {
        _read {
            yield chunks[Int(id.rawValue) / Self.chunkSize][Int(id.rawValue) % Self.chunkSize]
        }
        _modify {
            yield &chunks[Int(id.rawValue) / Self.chunkSize][Int(id.rawValue) % Self.chunkSize]
        }
    }

    /// The names of a node and the siblings that come after it.
    ///
    /// Through pointers, because a node that is reached through the subscript is retained and
    /// released, and there may be 100,000 of them.
    func writeNames(from first: NodeID, to reply: inout ByteBuffer) {
        unsafe chunks.withUnsafeBufferPointer { chunks in
            var id = first
            while id != .none {
                let place = Int(id.rawValue)
                let chunk = place / Self.chunkSize
                id = unsafe chunks[chunk].withUnsafeBufferPointer { nodes in
                    let node = place % Self.chunkSize
                    let bytes = unsafe nodes[node].bytes
                    let length = unsafe nodes[node].nameLength
                    reply.writeJute(bytes.raw.extracting(first: length))
                    return unsafe nodes[node].nextSibling
                }
            }
        }
    }

    mutating func insert(_ node: consuming Znode) -> NodeID {
        count += 1
        if let id = vacant.popLast() {
            self[id] = node
            used[Int(id.rawValue) / Self.chunkSize] += 1
            return id
        }
        if chunks.last.map({ $0.count == Self.chunkSize }) ?? true {
            var chunk = ContiguousArray<Znode>()
            chunk.reserveCapacity(Self.chunkSize)
            chunks.append(chunk)
            used.append(0)
        }
        let last = chunks.count - 1
        chunks[last].append(node)
        used[last] += 1
        return NodeID(UInt32(last * Self.chunkSize + chunks[last].count - 1))
    }

    mutating func remove(_ id: NodeID) {
        self[id] = .vacant
        used[Int(id.rawValue) / Self.chunkSize] -= 1
        vacant.append(id)
        count -= 1
        if vacant.count >= giveBackAt { giveBack() }
    }

    /// After a flood of nodes the chunks behind the last one in use go.
    private mutating func giveBack() {
        let needed = (used.lastIndex { $0 > 0 } ?? -1) + 1
        // If one is in use near the end, it is not looked again before many more are free.
        giveBackAt = vacant.count + max(Self.nodesKept, count / 8)
        guard needed <= chunks.count / 2 else { return }
        chunks.removeLast(chunks.count - needed)
        used.removeLast(used.count - needed)
        vacant = vacant.filter { $0.rawValue < needed * Self.chunkSize }
        giveBackAt = max(Self.nodesKept, vacant.count * 2)
    }

    private static let nodesKept = 4096
}
