import AviaryWire
import Glibc
import NIOCore
import Testing

/// A blocking socket, for what no honest server does. Each call gives up after 30 seconds.
final class RawLink: Sendable {
    private let descriptor: CInt

    /// - Parameter receiveBuffer: bytes that the system keeps for a reader who is slow.
    init(connectingTo port: Int, receiveBuffer: CInt? = nil) throws {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        if let receiveBuffer { set(SO_RCVBUF, receiveBuffer) }
        limitTime()
        var address = loopback(port)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(result == 0, "cannot connect to port \(port)")
    }

    fileprivate init(descriptor: CInt) {
        self.descriptor = descriptor
        limitTime()
    }

    deinit { Glibc.close(descriptor) }

    private func set(_ option: CInt, _ value: CInt) {
        var value = value
        setsockopt(
            descriptor, SOL_SOCKET, option, &value, socklen_t(MemoryLayout<CInt>.size))
    }

    private func limitTime() {
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(
                descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    func send(_ bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { bytes in
            var sent = 0
            while sent < bytes.count {
                let count = Glibc.send(
                    descriptor, bytes.baseAddress! + sent, bytes.count - sent,
                    CInt(MSG_NOSIGNAL))
                if count <= 0 { return }
                sent += count
            }
        }
    }

    /// Fewer bytes if the other side closes before.
    func read(_ count: Int) -> ByteBuffer {
        var bytes = [UInt8](repeating: 0, count: count)
        var received = 0
        while received < count {
            let part = bytes.withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress! + received, count - received)
            }
            if part <= 0 { break }
            received += part
        }
        return ByteBuffer(bytes: bytes[..<received])
    }

    /// Whatever one call of `read` gives.
    func readOnce() -> ByteBuffer {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        return ByteBuffer(bytes: bytes[..<max(0, count)])
    }

    /// Waits until the other side has closed; false if something comes instead.
    var isClosed: Bool {
        var byte: UInt8 = 0
        let count = Glibc.read(descriptor, &byte, 1)
        // Nothing came for 30 seconds: it is open.
        if count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) { return false }
        return count <= 0
    }

    /// No more will be sent.
    func finish() {
        shutdown(descriptor, CInt(SHUT_WR))
    }
}

/// A port of a server that is made up.
final class RawPort: Sendable {
    private let descriptor: CInt
    let port: Int

    init() throws {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 16) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        self.descriptor = descriptor
        port = Int(UInt16(bigEndian: address.sin_port))
        try #require(isBound)
    }

    deinit { close(descriptor) }

    /// Whether another connection waits to be taken.
    var hasMore: Bool {
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return Glibc.poll(&poll, 1, 0) > 0
    }

    func next() throws -> RawLink {
        let accepted = accept(descriptor, nil, nil)
        try #require(accepted >= 0, "nobody has connected")
        return RawLink(descriptor: accepted)
    }
}

private func loopback(_ port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    return address
}

extension RawLink {
    /// Says which server this is, on an election port.
    func introduce(_ server: Int64, address: String = "0.0.0.0:1") {
        var bytes = ByteBuffer()
        InitialMessage(
            server: ServerID(server), addresses: [ByteString(address)], sendsAll: false
        ).write(to: &bytes)
        send(bytes)
    }

    func send(_ vote: Notification) {
        var bytes = ByteBuffer()
        let start = bytes.beginFrame()
        vote.write(to: &bytes)
        bytes.endFrame(start)
        send(bytes)
    }

    func send(_ packet: QuorumPacket) {
        var bytes = ByteBuffer()
        packet.write(to: &bytes)
        send(bytes)
    }

    func send(_ message: LearnerMessage) {
        var bytes = ByteBuffer()
        message.write(to: &bytes)
        send(bytes)
    }

    /// Reads an initial message in its form with a version.
    func readInitialMessage() throws -> InitialMessage {
        var bytes = read(20)
        let length = try #require(bytes.getInteger(at: 16, as: Int32.self))
        bytes.writeImmutableBuffer(read(Int(length)))
        return try #require(try InitialMessage.first(in: bytes.readableBytesSpan)?.message)
    }

    /// The next vote; nil at the end.
    func readVote() throws -> Notification? {
        guard let length = read(4).getInteger(at: 0, as: Int32.self) else { return nil }
        let frame = read(Int(length))
        guard frame.readableBytes == length else { return nil }
        var reader = JuteReader(frame.readableBytesSpan)
        return try Notification(from: &reader)
    }
}

extension Notification {
    /// A vote that can be told from others by its round.
    static func round(_ round: Int64, configurationLength: Int = 8) -> Notification {
        Notification(
            state: .looking, leader: ServerID(1), zxid: Zxid(0x100), electionEpoch: round,
            peerEpoch: 1,
            configuration: ByteString(
                [UInt8](repeating: UInt8(ascii: "c"), count: configurationLength)))
    }
}
