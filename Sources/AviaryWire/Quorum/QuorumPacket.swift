package import NIOCore

/// What leader and learner send each other on the quorum port, before it is known what it means.
/// Packets stand back to back in the stream, with no length around them.
///
/// Source: `QuorumPacket` of zookeeper.jute, 3.9.5.
package struct QuorumPacket: WireRecord, Hashable {
    /// As it came; it need not be a known `Kind`.
    package var type: Int32
    package var zxid: Zxid
    /// Null and empty are not the same: a learner's answer to a ping has an empty one.
    package var data: ByteBuffer?
    /// Who asks; in requests only.
    package var identities: [Identity]?

    package init(
        _ kind: Kind, _ zxid: Zxid, data: ByteBuffer? = nil, identities: [Identity]? = nil
    ) {
        type = kind.rawValue
        self.zxid = zxid
        self.data = data
        self.identities = identities
    }

    /// Source: the constants of `Leader`, ZooKeeper 3.9.5.
    package enum Kind: Int32, Sendable, CaseIterable {
        case request = 1
        case proposal = 2
        case ack = 3
        case commit = 4
        case ping = 5
        case revalidate = 6
        case sync = 7
        case inform = 8
        case commitAndActivate = 9
        case newLeader = 10
        case followerInfo = 11
        case upToDate = 12
        case diff = 13
        case trunc = 14
        case snap = 15
        case observerInfo = 16
        case leaderInfo = 17
        case ackEpoch = 18
        case informAndActivate = 19
    }

    package var kind: Kind? { Kind(rawValue: type) }

    package init(from reader: inout JuteReader) throws(WireError) {
        type = try reader.readInt()
        zxid = Zxid(try reader.readLong())
        data = try reader.readRange().map { ByteBuffer(copying: reader.span($0)) }
        identities = try Self.readIdentities(from: &reader)
    }

    /// The same without a copy of the data, which then holds on to the whole buffer.
    ///
    /// - Parameter range: where the packet is among the readable bytes.
    init(from buffer: ByteBuffer, at range: Range<Int>) throws(WireError) {
        var reader = JuteReader(buffer.readableBytesSpan.extracting(range))
        type = try reader.readInt()
        zxid = Zxid(try reader.readLong())
        if let part = try reader.readRange() {
            let start = buffer.readerIndex + range.lowerBound + part.lowerBound
            data = buffer.getSlice(at: start, length: part.count)
        }
        identities = try Self.readIdentities(from: &reader)
    }

    private static func readIdentities(
        from reader: inout JuteReader
    ) throws(WireError) -> [Identity]? {
        guard let count = try reader.readCount(elementSize: 8) else { return nil }
        var list: [Identity] = []
        list.reserveCapacity(count)
        for _ in 0..<count {
            let scheme = try reader.readString() ?? ""
            list.append(Identity(scheme: scheme, id: try reader.readString() ?? ""))
        }
        return list
    }

    /// Packets of a kind that is no more than a zxid, for as many zxids in a row.
    static func writeRun(_ kind: Kind, _ first: Zxid, count: Int, to buffer: inout ByteBuffer) {
        for offset in 0..<Int64(count) {
            QuorumPacket(kind, Zxid(first.rawValue + offset)).write(to: &buffer)
        }
    }

    package func write(to buffer: inout ByteBuffer) {
        let none: Int32 = -1
        if let data {
            buffer.writeMultipleIntegers(type, zxid.rawValue, Int32(data.readableBytes))
            buffer.writeImmutableBuffer(data)
        } else if identities == nil {
            buffer.writeMultipleIntegers(type, zxid.rawValue, none, none)
            return
        } else {
            buffer.writeMultipleIntegers(type, zxid.rawValue, none)
        }
        guard let identities else {
            buffer.writeInteger(-1, as: Int32.self)
            return
        }
        buffer.writeVector(identities) {
            $0.writeJute($1.scheme)
            $0.writeJute($1.id)
        }
    }
}

extension ByteBuffer {
    package init(copying bytes: RawSpan) {
        self.init()
        writeBytes(bytes)
    }
}
