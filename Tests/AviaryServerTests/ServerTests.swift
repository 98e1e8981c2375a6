import AviaryServer
import AviaryWire
import NIOCore
import Testing

struct ServerTests {
    @Test func `what was acknowledged is there after a restart, and so is the session`()
        async throws
    {
        let directory = try TemporaryDirectory()
        var session = SessionID.none
        try await withServer(in: directory.path) { server in
            let socket = try RawSocket(port: server.port)
            session = socket.shake()?.session ?? .none
            #expect(socket.create("/a", [1, 2, 3]) == 0)
        }
        try await withServer(in: directory.path) { server in
            let socket = try RawSocket(port: server.port)
            #expect(socket.shake(session: session)?.session == session)
            #expect(socket.get("/a") == [1, 2, 3])
        }
    }

    @Test func `a directory that is in use is refused with a way out`() async throws {
        let directory = try TemporaryDirectory()
        try await withServer(in: directory.path) { _ in
            let error = await #expect(throws: LaunchError.self) {
                try await withServer(in: directory.path) { _ in }
            }
            #expect(error?.message.contains("another server uses") == true)
            #expect(error?.exitCode == 1)
        }
    }

    @Test func `words are answered with their text and a closed connection`() async throws {
        let directory = try TemporaryDirectory()
        try await withServer(in: directory.path) { server in
            for (word, beginning) in [
                ("ruok", "imok"), ("isro", "rw"), ("srvr", "Zookeeper version: 3.9.5-"),
                ("conf", "clientPort=\(server.port)\n"), ("wchs", "0 connections watching 0 paths"),
                ("dump", "SessionTracker dump:\nSession Sets (0)/(0):\n"),
                ("mntr", "zk_version\t3.9.5-"), ("envi", "Environment:\n"),
            ] {
                let socket = try RawSocket(port: server.port)
                socket.send(ByteBuffer(string: word))
                #expect(socket.rest().hasPrefix(beginning), "\(word)")
            }
        }
    }

    @Test func `a word in pieces is answered, one that is not allowed is named`() async throws {
        let directory = try TemporaryDirectory()
        try await withServer(in: directory.path, fourLetterWords: .words([])) { server in
            let socket = try RawSocket(port: server.port)
            for part in ["ru", "o", "k\n"] { socket.send(ByteBuffer(string: part)) }
            #expect(
                socket.rest() == "ruok is not executed because it is not in the whitelist.\n")
            let other = try RawSocket(port: server.port)
            other.send(ByteBuffer(string: "RUOK"))
            #expect(other.rest() == "")
        }
    }

    @Test func `many large replies to one read do not need memory for all at once`() async throws {
        let directory = try TemporaryDirectory()
        try await withServer(in: directory.path) { server in
            let socket = try RawSocket(port: server.port)
            _ = socket.shake()
            let data = [UInt8](repeating: 7, count: 1_000_000)
            #expect(socket.create("/big", data) == 0)
            var pipeline = ByteBuffer()
            for _ in 0..<200 {
                pipeline.writeImmutableBuffer(socket.request(.getData) { $0.writeGet("/big") })
            }
            socket.send(pipeline)
            let expected = 200 * (4 + 16 + 4 + data.count + Stat.byteCount)
            #expect(socket.drain(expected) == expected)
        }
    }
}
