package import NIOCore

/// What leader and learner send each other on the quorum port, before it is known what it means.
/// Packets stand back to back in the stream, with no length around them.
///
/// Source: `QuorumPacket` of zookeeper.jute, 3.9.5.
package struct QuorumPacket: Hashable, Sendable {
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

    /// Its data holds on to the whole buffer.
    package init(
        _ layout: PacketLayout, in buffer: ByteBuffer, _ memo: inout IdentityMemo
    ) throws(WireError) {
        type = layout.type
        zxid = layout.zxid
        data = layout.data(in: buffer)
        identities = try memo.read(buffer.readableBytesSpan.extracting(layout.identities))
    }

    fileprivate static func readIdentities(
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
        var zxid = first.rawValue
        var left = count
        while left > 0 {
            let some = min(left, packetsAtOnce)
            buffer.writeFields(byteCount: some * emptyByteCount) { fields in
                for _ in 0..<some {
                    write(kind, Zxid(zxid), data: nil, to: &fields)
                    zxid += 1
                }
            }
            left -= some
        }
    }

    private static let packetsAtOnce = 256

    /// A packet without identities.
    static func write(_ kind: Kind, _ zxid: Zxid, data: RawSpan, to buffer: inout ByteBuffer) {
        buffer.writeFields(byteCount: emptyByteCount + data.byteCount) {
            write(kind, zxid, data: data, to: &$0)
        }
    }

    @inline(__always)
    private static func write(
        _ kind: Kind, _ zxid: Zxid, data: RawSpan?, to fields: inout JuteFields
    ) {
        fields.write(kind.rawValue)
        fields.write(zxid.rawValue)
        fields.write(data)
        fields.write(-1 as Int32)
    }

    package func write(to buffer: inout ByteBuffer) {
        var byteCount = Self.emptyByteCount + (data?.readableBytes ?? 0)
        for identity in identities ?? [] {
            byteCount += 8 + identity.scheme.bytes.count + identity.id.bytes.count
        }
        buffer.writeFields(byteCount: byteCount) { fields in
            fields.write(type)
            fields.write(zxid.rawValue)
            if let data {
                fields.write(data.readableBytesSpan)
            } else {
                fields.write(Int32(-1))
            }
            fields.write(identities.map { Int32($0.count) } ?? -1)
            for identity in identities ?? [] {
                fields.write(identity.scheme.bytes)
                fields.write(identity.id.bytes)
            }
        }
    }

    /// Type, zxid, and the two lengths.
    private static let emptyByteCount = 20
}

/// The identities that were read last: a learner's requests come in runs of one client's, and each
/// brings all of them.
package struct IdentityMemo: Sendable {
    private var bytes: [UInt8] = []
    private var identities: [Identity]?

    package init() {}

    /// Reads a packet's identities, with their count.
    mutating func read(_ span: RawSpan) throws(WireError) -> [Identity]? {
        var reader = JuteReader(span)
        // A packet without any is not worth forgetting for.
        if span.byteCount <= 4 { return try QuorumPacket.readIdentities(from: &reader) }
        if bytes.raw.isEqual(to: span) { return identities }
        identities = try QuorumPacket.readIdentities(from: &reader)
        bytes = [UInt8](copying: span)
        return identities
    }
}

extension ByteBuffer {
    package init(copying bytes: RawSpan) {
        self.init()
        writeBytes(bytes)
    }
}
