import AviaryClient

/// How answers are printed.
enum Form: Sendable {
    /// As zkCli.sh prints them.
    case plain
    /// One JSON object a line.
    case json
    /// For people: columns, sizes, ISO times.
    case table

    init?(option: String) {
        switch option {
        case "--json": self = .json
        case "--table": self = .table
        case "--plain": self = .plain
        default: return nil
        }
    }
}

/// What a command found out, before it is printed in one form or another.
enum Answer {
    /// It was done, and there is nothing to say.
    case done
    case created(Path)
    /// - stat: whether zkCli.sh would print it.
    case data(Path, NodeData, stat: Bool, DataForm)
    case children(Path, NodeChildren, stat: Bool)
    /// Children with what a table shows of them.
    case listing(Path, [(name: String, stat: Stat)])
    case stat(Path, Stat)
    case acl(Path, NodeACL, stat: Bool)
    case number(Path, StaticString, Int)
    case paths(StaticString, [Path])
    case identities([Identity])
    /// A line, and its name in JSON.
    case text(String, StaticString)
}

/// How the bytes of a node's data are printed.
enum DataForm {
    case text
    case base64
    case hexDump
}
