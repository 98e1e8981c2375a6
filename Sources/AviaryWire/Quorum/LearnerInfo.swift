package import NIOCore

/// How a learner introduces itself to a leader.
///
/// Source: `LearnerInfo` of zookeeper.jute; LearnerHandler.run reads its shorter forms, 3.9.5.
package struct LearnerInfo: WireRecord, Hashable {
    package static let currentProtocol: Int32 = 0x1_0000

    package var server: ServerID
    /// Nil in the oldest form.
    package var protocolVersion: Int32?
    /// Of the configuration the learner has committed. Nil in forms before 3.5.
    package var configurationVersion: Zxid?

    package init(server: ServerID, configurationVersion: Zxid) {
        self.server = server
        protocolVersion = Self.currentProtocol
        self.configurationVersion = configurationVersion
    }

    package init(from reader: inout JuteReader) throws(WireError) {
        server = ServerID(try reader.readLong())
        protocolVersion = reader.remaining >= 4 ? try reader.readInt() : nil
        configurationVersion = reader.remaining >= 8 ? Zxid(try reader.readLong()) : nil
    }

    package func write(to buffer: inout ByteBuffer) {
        buffer.writeInteger(server.rawValue)
        guard let protocolVersion else { return }
        buffer.writeInteger(protocolVersion)
        guard let configurationVersion else { return }
        buffer.writeInteger(configurationVersion.rawValue)
    }
}

/// A session that was active since the last ping, and its timeout.
package struct SessionTouch: Hashable, Sendable {
    package var session: SessionID
    package var timeoutMilliseconds: Int32

    package init(_ session: SessionID, timeoutMilliseconds: Int32) {
        self.session = session
        self.timeoutMilliseconds = timeoutMilliseconds
    }

    init(from reader: inout JuteReader) throws(WireError) {
        session = SessionID(try reader.readLong())
        timeoutMilliseconds = try reader.readInt()
    }

    func write(to buffer: inout ByteBuffer) {
        buffer.writeInteger(session.rawValue)
        buffer.writeInteger(timeoutMilliseconds)
    }

    static let byteCount = 12
}

/// A client's write or sync, on its way from its server to the leader.
package struct ForwardedRequest: Hashable, Sendable {
    package var session: SessionID
    package var cxid: Int32
    /// As it came; it need not be a known `OpCode`.
    package var type: Int32
    /// The connection's identities. Nil for what the server asks for by itself.
    package var identities: [Identity]?
    /// As it travels: session, cxid, type, and the request's record.
    let data: ByteBuffer

    static let headerByteCount = 16

    /// - Parameter body: the request's record.
    package init(
        session: SessionID, cxid: Int32, type: Int32, body: RawSpan, identities: [Identity]?
    ) {
        self.session = session
        self.cxid = cxid
        self.type = type
        self.identities = identities
        var data = ByteBuffer()
        data.reserveCapacity(Self.headerByteCount + body.byteCount)
        data.writeMultipleIntegers(session.rawValue, cxid, type)
        data.writeBytes(body)
        self.data = data
    }

    init(data: ByteBuffer, identities: [Identity]?) throws(WireError) {
        var reader = JuteReader(data.readableBytesSpan)
        session = SessionID(try reader.readLong())
        cxid = try reader.readInt()
        type = try reader.readInt()
        self.identities = identities
        self.data = data
    }

    /// The request's record.
    package var body: RawSpan {
        @_lifetime(borrow self) get {
            data.readableBytesSpan.extracting(droppingFirst: Self.headerByteCount)
        }
    }
}
