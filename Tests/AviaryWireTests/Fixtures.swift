import Foundation

/// The exchanges recorded from Apache ZooKeeper 3.9.5, in `Tests/Fixtures/client-wire`.
struct WireFixture {
    let name: String
    let tags: Set<String>
    let steps: [Step]

    struct Step {
        let connection: String
        let sent: [UInt8]
        let received: [UInt8]
    }

    static let all: [WireFixture] = {
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let folder = tests.appending(path: "Fixtures/client-wire")
        let files = try? FileManager.default.contentsOfDirectory(
            at: folder, includingPropertiesForKeys: nil)
        return (files ?? []).filter { $0.pathExtension == "json" }
            .sorted { $0.path < $1.path }.compactMap { try? WireFixture(contentsOf: $0) }
    }()

    private struct Document: Decodable {
        struct Step: Decodable {
            var conn: String
            var send_hex: String?
            var recv_hex: String?
            var send_fill: [String: Fill]?
        }
        enum Fill: Decodable {
            case number(Int)
            case text(String)
            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                if let number = try? container.decode(Int.self) {
                    self = .number(number)
                } else {
                    self = .text(try container.decode(String.self))
                }
            }
        }
        var name: String
        var tags: [String]
        var steps: [Step]
    }

    init(contentsOf url: URL) throws {
        let document = try JSONDecoder().decode(Document.self, from: Data(contentsOf: url))
        name = document.name
        tags = Set(document.tags)
        steps = document.steps.map {
            // A step with a filled-in run keeps only the bytes before it on disk.
            let sent = $0.send_fill == nil ? bytes(hex: $0.send_hex ?? "") : []
            return Step(
                connection: $0.conn, sent: sent, received: bytes(hex: $0.recv_hex ?? ""))
        }
    }
}

func bytes(hex: String) -> [UInt8] {
    var result: [UInt8] = []
    var high: UInt8?
    for digit in hex.compactMap(\.hexDigitValue) {
        if let first = high {
            result.append(first << 4 | UInt8(digit))
            high = nil
        } else {
            high = UInt8(digit)
        }
    }
    return result
}

/// The payloads of the frames in a stream; what is left of a broken one is not returned.
func frames(in stream: [UInt8]) -> [[UInt8]] {
    var result: [[UInt8]] = []
    var rest = stream[...]
    while rest.count >= 4 {
        let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        guard length <= rest.count - 4 else { break }
        result.append(Array(rest.dropFirst(4).prefix(length)))
        rest = rest.dropFirst(4 + length)
    }
    return result
}
