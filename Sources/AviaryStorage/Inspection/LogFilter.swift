package import AviaryWire

/// Which transactions of a log are wanted; nil is without that limit.
package struct LogFilter: Hashable, Sendable {
    /// At or below it; of a multi or a closed session one path is enough.
    package var path: Path?
    package var session: SessionID?
    package var firstZxid: Zxid?
    package var lastZxid: Zxid?
    /// Milliseconds since 1970.
    package var since: Int64?
    /// Milliseconds since 1970, inclusive.
    package var until: Int64?

    package init() {}

    package func matches(_ entry: LogEntry) -> Bool {
        let header = entry.header
        if let firstZxid, header.zxid < firstZxid { return false }
        if let lastZxid, header.zxid > lastZxid { return false }
        if let since, header.time < since { return false }
        if let until, header.time > until { return false }
        if let session, header.session != session { return false }
        if let path { return touches(path, entry.txn) }
        return true
    }

    private func touches(_ top: Path, _ txn: Txn) -> Bool {
        switch txn {
        case .create(let create): create.path.isAtOrBelow(top)
        case .delete(let path), .setData(let path, _, _), .setACL(let path, _, _),
            .check(let path, _):
            path.isAtOrBelow(top)
        case .closeSession(let ephemerals):
            ephemerals?.contains { $0.isAtOrBelow(top) } ?? false
        case .multi(let parts): parts.contains { touches(top, $0.txn) }
        case .createSession, .error: false
        }
    }
}
