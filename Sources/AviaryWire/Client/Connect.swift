package import NIOCore

/// A connection's first frame.
package struct ConnectRequest: WireRecord, Hashable {
    package var protocolVersion: Int32
    package var lastZxidSeen: Zxid
    package var timeoutMilliseconds: Int32
    /// `.none` asks for a new session.
    package var session: SessionID
    package var password: [UInt8]?
    /// Whether a read-only server will do; nil from clients that do not know of it (3.3 and older),
    /// which send and expect one byte less.
    package var readOnly: Bool?

    package init(
        lastZxidSeen: Zxid, timeoutMilliseconds: Int32, session: SessionID, password: [UInt8]?,
        readOnly: Bool?
    ) {
        self.protocolVersion = 0
        self.lastZxidSeen = lastZxidSeen
        self.timeoutMilliseconds = timeoutMilliseconds
        self.session = session
        self.password = password
        self.readOnly = readOnly
    }

    package init(from reader: inout JuteReader) throws(WireError) {
        protocolVersion = try reader.readInt()
        lastZxidSeen = Zxid(try reader.readLong())
        timeoutMilliseconds = try reader.readInt()
        session = SessionID(try reader.readLong())
        password = try reader.readBuffer()
        readOnly = reader.remaining > 0 ? try reader.readBool() : nil
    }

    package func write(to buffer: inout ByteBuffer) {
        buffer.writeInteger(protocolVersion)
        buffer.writeInteger(lastZxidSeen.rawValue)
        buffer.writeInteger(timeoutMilliseconds)
        buffer.writeInteger(session.rawValue)
        buffer.writeJute(password)
        if let readOnly { buffer.writeBool(readOnly) }
    }
}

package struct ConnectResponse: WireRecord, Hashable {
    package var protocolVersion: Int32 = 0
    /// The negotiated timeout; 0 with a zero session says that the session is gone.
    package var timeoutMilliseconds: Int32
    package var session: SessionID
    package var password: [UInt8]
    /// Whether the server is read-only now; present only if the request carried the byte.
    package var readOnly: Bool?

    package init(
        timeoutMilliseconds: Int32, session: SessionID, password: [UInt8], readOnly: Bool?
    ) {
        self.timeoutMilliseconds = timeoutMilliseconds
        self.session = session
        self.password = password
        self.readOnly = readOnly
    }

    /// The answer to a session that is unknown, expired, closed, or whose password is wrong.
    package static func refused(readOnly: Bool?) -> ConnectResponse {
        ConnectResponse(
            timeoutMilliseconds: 0, session: .none, password: [UInt8](repeating: 0, count: 16),
            readOnly: readOnly)
    }

    package init(from reader: inout JuteReader) throws(WireError) {
        protocolVersion = try reader.readInt()
        timeoutMilliseconds = try reader.readInt()
        session = SessionID(try reader.readLong())
        guard let password = try reader.readBuffer() else { throw .unexpectedNull }
        self.password = password
        readOnly = reader.remaining > 0 ? try reader.readBool() : nil
    }

    package func write(to buffer: inout ByteBuffer) {
        buffer.writeInteger(protocolVersion)
        buffer.writeInteger(timeoutMilliseconds)
        buffer.writeInteger(session.rawValue)
        buffer.writeJute(password)
        if let readOnly { buffer.writeBool(readOnly) }
    }
}
