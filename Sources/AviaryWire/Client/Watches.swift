package import NIOCore

/// setWatches, and with the persistent lists setWatches2.
package struct SetWatchesRequest: WireRecord, Hashable {
    package struct Persistent: Hashable, Sendable {
        package var plain: [Path]
        package var recursive: [Path]

        package init(plain: [Path], recursive: [Path]) {
            self.plain = plain
            self.recursive = recursive
        }
    }

    package var relativeZxid: Zxid
    package var data: [Path]
    package var exist: [Path]
    package var child: [Path]
    package var persistent: Persistent?

    package init(
        relativeZxid: Zxid, data: [Path], exist: [Path], child: [Path], persistent: Persistent?
    ) {
        self.relativeZxid = relativeZxid
        self.data = data
        self.exist = exist
        self.child = child
        self.persistent = persistent
    }

    package init(from reader: inout JuteReader) throws(WireError) {
        relativeZxid = Zxid(try reader.readLong())
        data = try Self.readPaths(from: &reader)
        exist = try Self.readPaths(from: &reader)
        child = try Self.readPaths(from: &reader)
    }

    package init(withPersistentFrom reader: inout JuteReader) throws(WireError) {
        try self.init(from: &reader)
        persistent = Persistent(
            plain: try Self.readPaths(from: &reader), recursive: try Self.readPaths(from: &reader))
    }

    private static func readPaths(from reader: inout JuteReader) throws(WireError) -> [Path] {
        guard let count = try reader.readCount(elementSize: 4) else { throw .unexpectedNull }
        var paths: [Path] = []
        paths.reserveCapacity(count)
        for _ in 0..<count { paths.append(try reader.readPath()) }
        return paths
    }

    package func write(to buffer: inout ByteBuffer) {
        buffer.writeInteger(relativeZxid.rawValue)
        var lists = [data, exist, child]
        if let persistent { lists += [persistent.plain, persistent.recursive] }
        for list in lists { buffer.writeVector(list) { $0.writeJute($1) } }
    }
}

/// addWatch (`type` is the mode), checkWatches and removeWatches.
package struct WatchRequest: WireRecord, Hashable {
    package var path: Path
    package var type: Int32

    package init(path: Path, type: Int32) {
        self.path = path
        self.type = type
    }

    package init(from reader: inout JuteReader) throws(WireError) {
        path = try reader.readPath()
        type = try reader.readInt()
    }

    package func write(to buffer: inout ByteBuffer) {
        buffer.writeJute(path)
        buffer.writeInteger(type)
    }
}

/// A notification's body. The state is always 3 (connected).
package struct WatcherEvent: WireRecord, Hashable {
    package var type: Int32
    package var state: Int32
    package var path: Path

    package init(type: WatchEventType, path: Path) {
        self.type = type.rawValue
        self.state = 3
        self.path = path
    }

    package init(from reader: inout JuteReader) throws(WireError) {
        type = try reader.readInt()
        state = try reader.readInt()
        path = try reader.readPath()
    }

    package func write(to buffer: inout ByteBuffer) {
        buffer.writeInteger(type)
        buffer.writeInteger(state)
        buffer.writeJute(path)
    }
}

/// What happened to a watched node.
package enum WatchEventType: Int32, Sendable {
    case nodeCreated = 1
    case nodeDeleted = 2
    case nodeDataChanged = 3
    case nodeChildrenChanged = 4
}
