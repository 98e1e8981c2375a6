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

    /// Reads a node where it is: what is reached through the subscript is copied, and what it refers to
    /// retained and released.
    @inline(__always)
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

    /// A step further down a path.
    func appendName(of id: NodeID, to path: inout [UInt8]) {
        path.append(UInt8(ascii: "/"))
        path.append(self[id].name)
    }

    /// The names of a node and the siblings that come after it.
    ///
    /// As many at a time as there is room for, because each write to a buffer makes sure of it anew,
    /// and there may be 100,000 of them.
    func writeNames(from first: NodeID, to reply: inout ByteBuffer) {
        var id = first
        while id != .none {
            let needed = read(id) { JuteFields.byteCount(of: $0.name) }
            reply.writeFields(atLeast: max(needed, Self.namesRoom)) { fields in
                while id != .none, let next = writeName(of: id, to: &fields) { id = next }
            }
        }
    }

    /// - Returns: the next sibling; nil if there is no room for the name.
    private func writeName(of id: NodeID, to fields: inout JuteFields) -> NodeID? {
        read(id) { node in
            guard fields.hasRoom(for: node.name) else { return nil }
            fields.write(node.name)
            return node.nextSibling
        }
    }

    /// In bytes.
    private static let namesRoom = 1024

    mutating func insert(_ node: consuming Znode) -> NodeID {
        count += 1
        if let number = vacancies.take(below: end) {
            self[NodeID(number)] = consume node
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
        chunks[last].append(consume node)
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
