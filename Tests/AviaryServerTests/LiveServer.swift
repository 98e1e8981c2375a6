import AviaryServer
import AviaryWire
import Foundation
import Glibc
import Logging
import NIOCore

/// A directory that is gone when the test is over.
final class TemporaryDirectory {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "aviary-\(UUID())")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }
}

/// Runs `body` against a server of this process on a free port.
func withServer(
    in directory: String, fourLetterWords: FourLetterWordWhitelist = .all,
    _ body: (Server) async throws -> Void
) async throws {
    var configuration = ServerConfiguration(
        dataDir: directory, clientPort: 0, clientPortAddress: "127.0.0.1")
    configuration.fourLetterWords = fourLetterWords
    configuration.preAllocSizeKiB = 64
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let server = try await Server.start(configuration, logger: logger) { error in
        fatalError("the disk failed: \(error)")
    }
    try await body(server)
    await server.stop()
}

/// A blocking socket, so that a test sees exactly what it sent and got.
final class RawSocket {
    private let descriptor: CInt
    private var buffer = [UInt8](repeating: 0, count: 1 << 20)

    init(port: Int) throws {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw POSIXError(.ECONNREFUSED) }
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    func send(_ bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { bytes in
            var sent = 0
            while sent < bytes.count {
                let count = write(descriptor, bytes.baseAddress! + sent, bytes.count - sent)
                if count <= 0 { return }
                sent += count
            }
        }
    }

    /// Waits until so many bytes have come, without keeping them.
    func drain(_ count: Int) -> Int {
        var received = 0
        while received < count {
            let part = read(descriptor, &buffer, min(buffer.count, count - received))
            if part <= 0 { break }
            received += part
        }
        return received
    }

    /// The next frame's payload; nil at the end of the stream or after ten seconds.
    func frame() -> [UInt8]? {
        guard let head = exactly(4) else { return nil }
        return exactly(head.reduce(0) { $0 << 8 | Int($1) })
    }

    /// Everything until the server closes.
    func rest() -> String {
        var bytes: [UInt8] = []
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count <= 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }

    private func exactly(_ count: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let part = read(descriptor, &buffer, count - bytes.count)
            if part <= 0 { return nil }
            bytes += buffer[..<part]
        }
        return bytes
    }
}

extension RawSocket {
    /// - Returns: the session.
    func shake(session: SessionID = .none) -> ConnectResponse? {
        let request = ConnectRequest(
            lastZxidSeen: .zero, timeoutMilliseconds: 30_000, session: session,
            password: session.password, readOnly: false)
        var bytes = ByteBuffer()
        let start = bytes.beginFrame()
        request.write(to: &bytes)
        bytes.endFrame(start)
        send(bytes)
        guard let frame = frame() else { return nil }
        var reader = JuteReader(frame.raw)
        return try? ConnectResponse(from: &reader)
    }

    /// Sends a request and returns the reply's error and body.
    func ask(
        _ code: OpCode, _ body: (inout ByteBuffer) -> Void
    ) -> (error: Int32, body: [UInt8])? {
        send(request(code, body))
        guard let frame = frame() else { return nil }
        var reader = JuteReader(frame.raw)
        guard let header = try? ReplyHeader(from: &reader) else { return nil }
        return (header.error, Array(frame[reader.position...]))
    }

    func request(_ code: OpCode, _ body: (inout ByteBuffer) -> Void) -> ByteBuffer {
        var bytes = ByteBuffer()
        let start = bytes.beginFrame()
        RequestHeader(xid: 1, type: code.rawValue).write(to: &bytes)
        body(&bytes)
        bytes.endFrame(start)
        return bytes
    }

    func create(_ path: String, _ data: [UInt8]) -> Int32? {
        ask(.create) { body in
            body.writeJute(Array(path.utf8))
            body.writeJute(data)
            ACL.writeList(ACL.openToAll, to: &body)
            body.writeInteger(Int32(0))
        }?.error
    }

    func get(_ path: String) -> [UInt8]? {
        guard let reply = ask(.getData, { $0.writeGet(path) }), reply.error == 0 else { return nil }
        var reader = JuteReader(reply.body.raw)
        return (try? reader.readBuffer()) ?? nil
    }
}

extension ByteBuffer {
    mutating func writeGet(_ path: String) {
        writeJute(Array(path.utf8))
        writeBool(false)
    }
}
