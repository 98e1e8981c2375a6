import AviaryWire
import Foundation
import NIOCore
import Recordings
import Testing

/// Bytes that servers of Apache ZooKeeper 3.9.5 sent each other, in `Tests/Fixtures/quorum-wire`.
struct QuorumGoldenTests {
    @Test func `the recordings are there`() {
        #expect(QuorumRecording.all.count == 9)
        #expect(QuorumRecording.messages.count > 600)
    }

    @Test func `every packet is read and written as it came`() throws {
        var kinds: Set<QuorumPacket.Kind> = []
        for message in QuorumRecording.messages where message.isPacket {
            var rest = ByteBuffer(bytes: message.bytes)
            let packet = try #require(try takePackets(from: &rest).first)
            #expect(rest.readableBytes == 0)
            #expect(bytes(of: packet) == message.bytes)
            let kind = try #require(packet.kind)
            #expect(Self.name(kind) == message.type)
            kinds.insert(kind)
            var again = ByteBuffer()
            var arrived = PacketBuffer { $0.writeBytes(message.bytes) }
            if message.isFromLeader {
                var said: [LeaderMessage] = []
                try arrived.takeMessages(QuorumPacketDecoder(), into: &said)
                #expect(said == [try packet.leaderMessage])
                for said in said { said.write(to: &again) }
            } else {
                var said: [[LearnerMessage]] = []
                try arrived.takeMessages(QuorumPacketDecoder(), into: &said)
                #expect(said == [[try packet.learnerMessage]])
                for said in said.joined() { said.write(to: &again) }
            }
            #expect(Array(again.readableBytesView) == message.bytes, "\(message.type)")
        }
        #expect(kinds == Set(QuorumPacket.Kind.allCases))
    }

    @Test func `no truncation of a packet is taken for the whole of it`() throws {
        for message in QuorumRecording.messages where message.isPacket {
            for length in 0..<message.bytes.count {
                let part = Array(message.bytes.prefix(length))
                #expect(try firstPacket(in: part) == nil)
            }
        }
    }

    @Test func `every vote and every greeting is read and written as it came`() throws {
        var votes = 0
        var greetings = 0
        let frames = FrameDecoder(maximumLength: Notification.maximumLength)
        for message in QuorumRecording.messages where message.isElection {
            var buffer = ByteBuffer()
            if message.type == "INIT" {
                let first = try #require(try InitialMessage.first(in: message.bytes.raw))
                #expect(first.end == message.bytes.count)
                first.message.write(to: &buffer)
                greetings += 1
            } else {
                let range = try #require(try frames.nextFrame(in: message.bytes.raw, from: 0))
                let payload = Array(message.bytes[range])
                var reader = JuteReader(payload.raw)
                let notification = try Notification(from: &reader)
                #expect(reader.remaining == 0)
                let frame = buffer.beginFrame()
                notification.write(to: &buffer)
                buffer.endFrame(frame)
                votes += 1
            }
            #expect(Array(buffer.readableBytesView) == message.bytes)
        }
        #expect(votes == 93 && greetings == 46)
    }

    @Test func `the fields are what an independent decoder found`() throws {
        for message in QuorumRecording.messages where message.isPacket {
            let packet = try #require(try firstPacket(in: message.bytes))
            #expect("0x" + packet.zxid.hexadecimal == message.fields["zxid"] as? String)
            guard !message.isFromLeader else { continue }
            switch try packet.learnerMessage {
            case .followerInfo(let info, _), .observerInfo(let info, _):
                #expect(info?.server.rawValue == message.fields["sid"] as? Int64)
                #expect(info?.protocolVersion == LearnerInfo.currentProtocol)
            case .ackEpoch(_, let epoch):
                #expect(epoch == (message.fields["currentEpoch"] as? Int).map(Int32.init))
            case .request(let request):
                #expect(request.session.description == message.fields["session"] as? String)
                #expect(request.cxid == (message.fields["cxid"] as? Int).map(Int32.init))
                #expect(request.type == (message.fields["op"] as? Int).map(Int32.init))
                #expect(request.body.byteCount == message.fields["body_len"] as? Int)
            case .ping(_, let touched):
                #expect(touched.count == (message.fields["touch"] as? [Any])?.count ?? 0)
            case .revalidate(let session, let timeout):
                #expect(session.description == message.fields["session"] as? String)
                #expect(timeout == (message.fields["timeout"] as? Int).map(Int32.init))
            case .ack: break
            case .unknown: Issue.record("a learner's packet is not known")
            }
        }
    }

    /// A proposal's data is an entry of the log.
    @Test func `every proposal holds a transaction that is written as it came`() throws {
        var count = 0
        for message in QuorumRecording.messages where message.isPacket && message.isFromLeader {
            let packet = try #require(try firstPacket(in: message.bytes))
            let entry: ByteBuffer
            switch try packet.leaderMessage {
            case .proposal(_, let data), .inform(_, let data), .informAndActivate(_, _, let data):
                entry = data
            default: continue
            }
            var reader = JuteReader(entry.readableBytesSpan)
            let decoded = try LogEntry(from: &reader)
            #expect(decoded.header.zxid == packet.zxid)
            var again = ByteBuffer()
            decoded.write(to: &again)
            #expect(again == entry)
            count += 1
        }
        #expect(count > 80)
    }

    /// However a stream is cut, the same packets are found.
    @Test func `packets are found in whatever pieces they come`() throws {
        let messages = QuorumRecording.all[0].messages.filter { $0.isPacket && $0.isFromLeader }
        let stream = messages.flatMap(\.bytes)
        for size in [1, 7, 100, stream.count] {
            var pending = ByteBuffer()
            var found: [[UInt8]] = []
            for start in stride(from: 0, to: stream.count, by: size) {
                pending.writeBytes(stream[start..<min(start + size, stream.count)])
                found += try takePackets(from: &pending).map { bytes(of: $0) }
            }
            #expect(pending.readableBytes == 0)
            #expect(found == messages.map(\.bytes))
        }
    }

    private func bytes(of packet: QuorumPacket) -> [UInt8] {
        var buffer = ByteBuffer()
        packet.write(to: &buffer)
        return Array(buffer.readableBytesView)
    }

    private static func name(_ kind: QuorumPacket.Kind) -> String {
        "\(kind)".uppercased()
    }
}

struct QuorumRecording {
    struct Message {
        let isElection: Bool
        let isFromLeader: Bool
        let type: String
        let bytes: [UInt8]
        let fields: [String: Any]

        /// A snapshot stands between packets without being one.
        var isPacket: Bool { !isElection && type != "SNAPSHOT_STREAM" }
    }

    let messages: [Message]

    static var messages: [Message] { all.flatMap(\.messages) }

    static var all: [QuorumRecording] {
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let folder = tests.appending(path: "Fixtures/quorum-wire")
        let files = try? FileManager.default.contentsOfDirectory(
            at: folder, includingPropertiesForKeys: nil)
        return (files ?? []).filter { $0.pathExtension == "jsonl" }.sorted { $0.path < $1.path }
            .compactMap { try? QuorumRecording(contentsOf: $0) }
    }

    init(contentsOf url: URL) throws {
        let text = try String(contentsOf: url, encoding: .utf8)
        messages = try text.split(separator: "\n").dropFirst().map { line in
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
            let fields = object as? [String: Any] ?? [:]
            let decoded = fields["msg"] as? [String: Any] ?? [:]
            return Message(
                isElection: fields["kind"] as? String == "election",
                isFromLeader: fields["dir"] as? String == "acceptor->initiator",
                type: decoded["type"] as? String ?? "",
                bytes: AviaryWireTests.bytes(hex: fields["hex"] as? String ?? ""),
                fields: decoded)
        }
    }
}
