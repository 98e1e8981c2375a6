import AviaryWire
import NIOCore
import Testing

/// Bytes that real clients sent to a real server.
struct GoldenTests {
    /// A record read from a request's body and written again.
    private struct Decoded {
        var written: [UInt8]
        var consumed: Int
    }

    @Test func `the fixtures are there`() {
        #expect(WireFixture.all.count == 64)
    }

    @Test func `every request that can be read is written as it came`() throws {
        var seen: Set<OpCode> = []
        for (code, body) in Self.requests {
            guard let decoded = Self.decode(code, body) else { continue }
            seen.insert(code)
            #expect(decoded.written == Array(body.prefix(decoded.consumed)), "\(code)")
        }
        let expected: Set<OpCode> = [
            .create, .create2, .createContainer, .createTTL, .delete, .exists, .getData, .setData,
            .getACL, .setACL, .getChildren, .getChildren2, .sync, .multi, .multiRead, .auth,
            .setWatches, .addWatch, .checkWatches, .removeWatches, .getEphemerals,
            .getAllChildrenNumber,
        ]
        #expect(seen.isSuperset(of: expected), "missing: \(expected.subtracting(seen))")
    }

    @Test func `no truncation of a request can be read to its end`() {
        for (code, body) in Self.requests {
            guard let whole = Self.decode(code, body) else { continue }
            for length in 0..<whole.consumed {
                #expect(Self.decode(code, Array(body.prefix(length))) == nil, "\(code) \(length)")
            }
        }
    }

    @Test func `every handshake is written as it came, and its truncations are refused`() {
        var count = 0
        for body in Self.handshakes {
            var reader = JuteReader(body.raw)
            guard let request = try? ConnectRequest(from: &reader) else { continue }
            count += 1
            var buffer = ByteBuffer()
            request.write(to: &buffer)
            #expect(Array(buffer.readableBytesView) == Array(body.prefix(reader.position)))
            let withoutFlag = request.readOnly == nil ? reader.position : reader.position - 1
            for length in 0..<withoutFlag {
                let part = Array(body.prefix(length))
                var reader = JuteReader(part.raw)
                #expect(throws: WireError.self) { try ConnectRequest(from: &reader) }
            }
        }
        #expect(count > 50)
    }

    @Test func `H.33: the answers to new sessions carry the password that follows from the id`() {
        var count = 0
        for fixture in WireFixture.all where fixture.name.hasPrefix("handshake-new") {
            for step in fixture.steps {
                guard let frame = frames(in: step.received).first, frame.count >= 36 else {
                    continue
                }
                var reader = JuteReader(frame.raw)
                guard let response = try? ConnectResponse(from: &reader),
                    response.session != .none
                else { continue }
                #expect(response.password == response.session.password)
                count += 1
            }
        }
        #expect(count > 0)
    }

    // MARK: The recorded requests

    private static let requests: [(OpCode, [UInt8])] = WireFixture.all.flatMap { fixture in
        var begun: Set<String> = []
        return fixture.steps.flatMap { step -> [(OpCode, [UInt8])] in
            var list = frames(in: step.sent)
            if begun.insert(step.connection).inserted { list = Array(list.dropFirst()) }
            return list.compactMap { frame in
                var reader = JuteReader(frame.raw)
                guard let header = try? RequestHeader(from: &reader),
                    let code = OpCode(rawValue: header.type)
                else { return nil }
                return (code, Array(frame.dropFirst(8)))
            }
        }
    }

    private static let handshakes: [[UInt8]] = WireFixture.all.flatMap { fixture in
        var begun: Set<String> = []
        return fixture.steps.compactMap { step -> [UInt8]? in
            begun.insert(step.connection).inserted ? frames(in: step.sent).first : nil
        }
    }

    private static func decode(_ code: OpCode, _ body: [UInt8]) -> Decoded? {
        switch code {
        case .create, .create2, .createContainer:
            read(body) { reader throws(WireError) in try CreateRequest(from: &reader) }
        case .createTTL:
            read(body) { reader throws(WireError) in try CreateRequest(withTTLFrom: &reader) }
        case .delete, .check:
            read(body) { reader throws(WireError) in try VersionRequest(from: &reader) }
        case .setData:
            read(body) { reader throws(WireError) in try SetDataRequest(from: &reader) }
        case .setACL:
            read(body) { reader throws(WireError) in try SetACLRequest(from: &reader) }
        case .getACL, .sync, .getAllChildrenNumber, .getEphemerals:
            read(body) { reader throws(WireError) in try PathRequest(from: &reader) }
        case .exists, .getData, .getChildren, .getChildren2: readWatched(body)
        case .multi, .multiRead:
            read(body) { reader throws(WireError) in try MultiRequest(from: &reader) }
        case .auth: read(body) { reader throws(WireError) in try AuthPacket(from: &reader) }
        case .setWatches:
            read(body) { reader throws(WireError) in try SetWatchesRequest(from: &reader) }
        case .setWatches2:
            read(body) { reader throws(WireError) in
                try SetWatchesRequest(withPersistentFrom: &reader)
            }
        case .addWatch, .checkWatches, .removeWatches:
            read(body) { reader throws(WireError) in try WatchRequest(from: &reader) }
        default: nil
        }
    }

    private static func read(
        _ body: [UInt8], _ decode: (inout JuteReader) throws(WireError) -> some WireRecord
    ) -> Decoded? {
        var reader = JuteReader(body.raw)
        guard let record = try? decode(&reader) else { return nil }
        var buffer = ByteBuffer()
        record.write(to: &buffer)
        let written = Array(buffer.readableBytesView)
        // A null scheme or id becomes an empty one.
        if written.count == reader.position, let difference = zip(written, body).first(where: !=),
            difference == (0, 0xff), body.firstRange(of: [0xff, 0xff, 0xff, 0xff]) != nil
        {
            return nil
        }
        // Repaired text cannot come out as it went in.
        if written.firstRange(of: [0xef, 0xbf, 0xbd]) != nil { return nil }
        return Decoded(written: written, consumed: reader.position)
    }

    private static func readWatched(_ body: [UInt8]) -> Decoded? {
        var reader = JuteReader(body.raw)
        guard let request = try? ReadRequest(from: &reader) else { return nil }
        var buffer = ByteBuffer()
        buffer.writeJute(request.path)
        buffer.writeBool(request.watch)
        let flag = body[reader.position - 1]
        var written = Array(buffer.readableBytesView)
        if flag > 1 { written[written.count - 1] = flag }
        return Decoded(written: written, consumed: reader.position)
    }
}
