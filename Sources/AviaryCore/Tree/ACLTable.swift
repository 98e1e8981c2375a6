package import AviaryWire

/// The distinct access control lists of the tree; nodes hold a number.
package struct ACLTable: Sendable {
    package struct ID: Hashable, Sendable {
        let rawValue: UInt32
        /// world:anyone with every permission, which is never in the table.
        package static let openToAll = ID(rawValue: 0)
    }

    private struct Entry: Sendable {
        var list: [ACL]
        var uses: Int
    }

    private var entries: ContiguousArray = [Entry(list: ACL.openToAll, uses: 1)]
    private var numbers: [[ACL]: ID] = [ACL.openToAll: .openToAll]
    private var vacancies = Vacancies()

    package subscript(id: ID) -> [ACL] { entries[Int(id.rawValue)].list }

    /// The number of a list, which one more node now uses.
    mutating func use(_ list: [ACL]) -> ID {
        if list == ACL.openToAll { return .openToAll }
        if let id = numbers[list] {
            entries[Int(id.rawValue)].uses += 1
            return id
        }
        let entry = Entry(list: list, uses: 1)
        let id: ID
        if let free = vacancies.take(below: entries.count) {
            id = ID(rawValue: free)
            entries[Int(free)] = entry
        } else {
            id = ID(rawValue: UInt32(entries.count))
            entries.append(entry)
        }
        numbers[list] = id
        return id
    }

    /// One more node uses a list that has a number.
    mutating func useAgain(_ id: ID) {
        if id != .openToAll { entries[Int(id.rawValue)].uses += 1 }
    }

    /// Whether no node uses any but `openToAll`.
    var isUnused: Bool { entries.count == 1 }

    mutating func release(_ id: ID) {
        if id == .openToAll { return }
        let index = Int(id.rawValue)
        entries[index].uses -= 1
        if entries[index].uses > 0 { return }
        numbers[entries[index].list] = nil
        numbers.giveBackRoom()
        entries[index] = Entry(list: [], uses: 0)
        entries.cutEnd { $0.uses == 0 }
        vacancies.add(id.rawValue, below: entries.count)
    }

    /// The lists in use but for `openToAll`, with the keys they have in a snapshot.
    package var keyed: [(key: Int64, list: [ACL])] {
        entries.indices.dropFirst().filter { entries[$0].uses > 0 }.map {
            (key: Int64($0), list: entries[$0].list)
        }
    }
}

extension ACLTable.ID {
    /// The key in a snapshot: -1 for `openToAll`.
    package var snapshotKey: Int64 { self == .openToAll ? -1 : Int64(rawValue) }
}
