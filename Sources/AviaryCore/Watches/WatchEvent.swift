package import AviaryWire

/// Something a watcher may want to know. The path is a prefix of an array that the transaction
/// holds anyway.
package struct WatchEvent: Sendable {
    package let type: WatchEventType
    private let bytes: [UInt8]
    private let length: Int
    /// A watcher is told only if it may read the node.
    let acl: [ACL]

    init(_ type: WatchEventType, at path: Path, acl: [ACL]) {
        self.type = type
        self.bytes = path.bytes
        self.length = path.bytes.count
        self.acl = acl
    }

    /// - Parameter parentLength: as `Path.parentLength` has it.
    init(_ type: WatchEventType, atParentOf path: Path, parentLength: Int, acl: [ACL]) {
        self.type = type
        self.bytes = parentLength == 0 ? Path.root.bytes : path.bytes
        self.length = parentLength == 0 ? 1 : parentLength
        self.acl = acl
    }

    package var path: RawSpan {
        @_lifetime(borrow self) get { bytes.raw.extracting(first: length) }
    }
}
