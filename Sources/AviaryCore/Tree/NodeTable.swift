import AviaryWire
import NIOCore

/// The nodes, in chunks that are copied on write one at a time: a copy of the table is a snapshot.
struct NodeTable: Sendable {
    private static let chunkSize = 64
    private var chunks: ContiguousArray<ContiguousArray<Znode>> = []
    private var vacancies = Vacancies()
    /// Nodes in each chunk.
    private var used: ContiguousArray<UInt8> = []
    private(set) var count = 0

    subscript(id: NodeID) -> Znode {
        _read {
            yield chunks[Int(id.rawValue) / Self.chunkSize][Int(id.rawValue) % Self.chunkSize]
        }
        _modify {
            yield &chunks[Int(id.rawValue) / Self.chunkSize][Int(id.rawValue) % Self.chunkSize]
        }
    }

    /// Reads several things of a node: what is reached through the subscript is retained and released
    /// each time.
    func read<Value>(_ id: NodeID, _ body: (borrowing Znode) -> Value) -> Value {
        unsafe chunks.withUnsafeBufferPointer { unsafe Self.read(id, in: $0, body) }
    }

    @inline(__always)
    private static func read<Value>(
        _ id: NodeID, in chunks: UnsafeBufferPointer<ContiguousArray<Znode>>,
        _ body: (borrowing Znode) -> Value
    ) -> Value {
        let place = Int(id.rawValue) % chunkSize
        return unsafe chunks[Int(id.rawValue) / chunkSize].withUnsafeBufferPointer { nodes in
            guard let first = nodes.baseAddress, place < nodes.count else {
                preconditionFailure("a node is in the table")
            }
            return unsafe body(first.advanced(by: place).pointee)
        }
    }

    /// Changes several things of a node, for which it is looked up once.
    mutating func change<Value>(_ id: NodeID, _ body: (inout Znode) -> Value) -> Value {
        body(&self[id])
    }

    /// The names of a node and the siblings that come after it.
    ///
    /// Through pointers, because a node that is reached through the subscript is retained and
    /// released, and there may be 100,000 of them.
    func writeNames(from first: NodeID, to reply: inout ByteBuffer) {
        unsafe chunks.withUnsafeBufferPointer { chunks in
            var id = first
            while id != .none {
                id = unsafe Self.read(id, in: chunks) { node in
                    reply.writeJute(node.name)
                    return node.nextSibling
                }
            }
        }
    }

    mutating func insert(_ node: consuming Znode) -> NodeID {
        count += 1
        if let number = vacancies.take(below: end) {
            self[NodeID(number)] = node
            used[Int(number) / Self.chunkSize] += 1
            return NodeID(number)
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
        return NodeID(UInt32(end - 1))
    }

    /// How many places there are.
    private var end: Int {
        guard let last = chunks.last else { return 0 }
        return (chunks.count - 1) * Self.chunkSize + last.count
    }

    mutating func remove(_ id: NodeID) {
        self[id] = .vacant
        used[Int(id.rawValue) / Self.chunkSize] -= 1
        count -= 1
        // One is kept, or a node that comes and goes would take a new chunk each time.
        used.cutEnd(keeping: 1) { $0 == 0 }
        chunks.cut(to: used.count)
        vacancies.add(id.rawValue, below: end)
    }
}
