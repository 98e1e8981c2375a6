import AviaryWire
import NIOCore

/// The nodes, in chunks that are copied on write one at a time: a copy of the table is a snapshot.
struct NodeTable: Sendable {
    private static let chunkSize = 64
    private var chunks: ContiguousArray<ContiguousArray<Znode>> = []
    private var vacant: [NodeID] = []
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
            return id
        }
        if chunks.last.map({ $0.count == Self.chunkSize }) ?? true {
            var chunk = ContiguousArray<Znode>()
            chunk.reserveCapacity(Self.chunkSize)
            chunks.append(chunk)
        }
        let last = chunks.count - 1
        chunks[last].append(node)
        return NodeID(UInt32(last * Self.chunkSize + chunks[last].count - 1))
    }

    mutating func remove(_ id: NodeID) {
        self[id] = .vacant
        vacant.append(id)
        count -= 1
    }
}
