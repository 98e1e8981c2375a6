import AviaryWire
import Foundation
import NIOCore

/// What servers of Apache ZooKeeper 3.9.5 said to each other: one of `Tests/Fixtures/quorum-wire`.
package struct Recording {
    package struct Connection {
        package let id: Int
        package let isElection: Bool
        package let initiator: ServerID
        /// -1 for a follower that observers go to in place of the leader.
        package let acceptor: ServerID
        /// In milliseconds, like all times.
        package let opened: Int64
    }

    package enum Content {
        case vote(AviaryWire.Notification)
        case fromLeader(LeaderMessage)
        case fromLearner(LearnerMessage)
        /// The stream after `SNAP`.
        case tree
        /// The greeting on the election port, which is the links' affair.
        case greeting
    }

    package struct Message {
        package let time: Int64
        package let connection: Int
        package let sender: ServerID
        package let receiver: ServerID
        package let content: Content

        /// The same, later.
        package func after(_ milliseconds: Int64) -> Message {
            Message(
                time: milliseconds + time, connection: connection, sender: sender,
                receiver: receiver, content: content)
        }
    }

    package let connections: [Connection]
    /// By time.
    package let messages: [Message]

    package init(_ name: String) throws {
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let url = tests.appending(path: "Fixtures/quorum-wire/\(name).jsonl")
        let lines = try String(contentsOf: url, encoding: .utf8).split(separator: "\n")
        let objects = try lines.map { line in
            try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
        }
        let described = objects.first?["connections"] as? [[String: Any]] ?? []
        connections = described.map {
            Connection(
                id: $0["conn"] as? Int ?? -1, isElection: $0["kind"] as? String == "election",
                initiator: Self.server($0["initiator"]), acceptor: Self.server($0["acceptor"]),
                opened: Self.milliseconds($0["opened"]))
        }
        messages = try objects.dropFirst().map(Self.message)
    }

    private static func message(_ object: [String: Any]) throws -> Message {
        Message(
            time: milliseconds(object["t"]), connection: object["conn"] as? Int ?? -1,
            sender: server(object["from"]), receiver: server(object["to"]),
            content: try content(object))
    }

    private static func content(_ object: [String: Any]) throws -> Content {
        let bytes = Self.bytes(hex: object["hex"] as? String ?? "")
        let type = (object["msg"] as? [String: Any])?["type"] as? String ?? ""
        if object["kind"] as? String == "election" {
            if type == "INIT" { return .greeting }
            let payload = Array(bytes.dropFirst(4))
            var reader = JuteReader(payload.raw)
            return .vote(try Notification(from: &reader))
        }
        if type == "SNAPSHOT_STREAM" { return .tree }
        var packets = PacketBuffer { $0.writeBytes(bytes) }
        if object["dir"] as? String == "acceptor->initiator" {
            var messages: [LeaderMessage] = []
            try packets.takeMessages(QuorumPacketDecoder(), into: &messages)
            if let message = messages.first { return .fromLeader(message) }
        } else {
            var lists: [[LearnerMessage]] = []
            try packets.takeMessages(QuorumPacketDecoder(), into: &lists)
            if let message = lists.first?.first { return .fromLearner(message) }
        }
        throw CocoaError(.fileReadCorruptFile)
    }

    private static func server(_ value: Any?) -> ServerID {
        ServerID((value as? Int).map(Int64.init) ?? -1)
    }

    private static func milliseconds(_ value: Any?) -> Int64 {
        Int64(((value as? Double) ?? 0) * 1000)
    }

    private static func bytes(hex: String) -> [UInt8] {
        let digits = hex.compactMap { $0.hexDigitValue.map(UInt8.init) }
        return stride(from: 0, to: digits.count - 1, by: 2).map {
            digits[$0] << 4 | digits[$0 + 1]
        }
    }
}
