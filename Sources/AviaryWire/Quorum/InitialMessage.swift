package import NIOCore

/// What a server sends first on a connection to another's election port.
///
/// Source: QuorumCnxManager.InitialMessage, ZooKeeper 3.9.5.
package struct InitialMessage: Hashable, Sendable {
    package enum Form: Hashable, Sendable {
        /// The id alone, as servers before 3.5 send it.
        case bare
        /// Protocol version -65536.
        case oneAddress
        /// Protocol version -65535, which servers before 3.6 refuse.
        case manyAddresses
    }

    package static let maximumAddressLength = 2048

    package var form: Form
    package var server: ServerID
    /// Each as `host:port`, the host of an IPv6 address in brackets.
    package var addresses: [ByteString]

    package init(server: ServerID, addresses: [ByteString], sendsAll: Bool) {
        form = sendsAll ? .manyAddresses : .oneAddress
        self.server = server
        self.addresses = sendsAll ? addresses : Array(addresses.prefix(1))
    }

    private static let oneAddressVersion: Int64 = -65536
    private static let manyAddressesVersion: Int64 = -65535
    private static let separator = UInt8(ascii: "|")

    /// The message at the start of a connection and where it ends, or nil if it has not all arrived.
    package static func first(
        in bytes: RawSpan
    ) throws(WireError) -> (message: InitialMessage, end: Int)? {
        guard bytes.byteCount >= 8 else { return nil }
        var reader = JuteReader(bytes)
        let first = try reader.readLong()
        if first >= 0 {
            return (InitialMessage(bare: ServerID(first)), reader.position)
        }
        let form: Form
        switch first {
        case oneAddressVersion: form = .oneAddress
        case manyAddressesVersion: form = .manyAddresses
        default: throw .unknownType(Int32(clamping: first))
        }
        guard reader.remaining >= 12 else { return nil }
        let server = ServerID(try reader.readLong())
        let length = try reader.readInt()
        guard length > 0, Int(length) <= maximumAddressLength else {
            throw .lengthOutOfBounds(length)
        }
        guard reader.remaining >= Int(length) else { return nil }
        let start = reader.position
        try reader.skip(Int(length))
        let text = [UInt8](copying: reader.span(start..<reader.position))
        let addresses = text.split(separator: separator).map { ByteString([UInt8]($0)) }
        let message = InitialMessage(form: form, server: server, addresses: addresses)
        return (message, reader.position)
    }

    private init(bare server: ServerID) {
        self.init(form: .bare, server: server, addresses: [])
    }

    private init(form: Form, server: ServerID, addresses: [ByteString]) {
        self.form = form
        self.server = server
        self.addresses = addresses
    }

    /// To be sent in one piece: older receivers read the address with a single call.
    package func write(to buffer: inout ByteBuffer) {
        switch form {
        case .bare:
            buffer.writeInteger(server.rawValue)
            return
        case .oneAddress: buffer.writeInteger(Self.oneAddressVersion)
        case .manyAddresses: buffer.writeInteger(Self.manyAddressesVersion)
        }
        buffer.writeInteger(server.rawValue)
        buffer.writeJute([UInt8](addresses.map(\.bytes).joined(separator: [Self.separator])))
    }
}
