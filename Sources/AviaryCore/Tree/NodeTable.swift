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
