import AviaryCore
import AviaryWire
import NIOCore
import Testing
import Zab

@testable import AviaryServer

/// What anybody may send to an election port, and what it costs.
struct ElectionStrangerTests {
    @Test func `a frame of a length that cannot be ends the link`() async throws {
        let peer = try await LinkPeer(1)
        try await withPeers(peer) {
            for length in [Int32(0), -1, 524_289, .max] {
                let link = try RawLink(connectingTo: peer.electionPort)
                link.introduce(9)
                link.send(.round(1))
                link.send(ByteBuffer(integer: length))
                #expect(link.isClosed, "after a length of \(length)")
            }
            #expect(peer.heard.count == 4)
        }
    }

    @Test func `the longest frame is read`() async throws {
        let peer = try await LinkPeer(1)
        try await withPeers(peer) {
            let link = try RawLink(connectingTo: peer.electionPort)
            link.introduce(9)
            link.send(.round(1, configurationLength: Notification.maximumLength - 44))
            try await peer.wait(for: "vote 1 from 9")
        }
    }

    @Test func `a vote that makes no sense is dropped, and the next is heard`() async throws {
        let peer = try await LinkPeer(1)
        try await withPeers(peer) {
            let link = try RawLink(connectingTo: peer.electionPort)
            link.introduce(9)
            var bytes = ByteBuffer()
            let start = bytes.beginFrame()
            bytes.writeInteger(Int32(77))
            bytes.writeRepeatingByte(0, count: 24)
            bytes.endFrame(start)
            link.send(bytes)
            link.send(ByteBuffer(bytes: [0, 0, 0, 2, 1, 2]))
            link.send(.round(4))
            try await peer.wait(for: "vote 4 from 9")
            #expect(peer.heard.count == 1)
        }
    }

    @Test func `bytes that come one by one are put together`() async throws {
        let peer = try await LinkPeer(1)
        try await withPeers(peer) {
            let link = try RawLink(connectingTo: peer.electionPort)
            var bytes = ByteBuffer()
            InitialMessage(server: ServerID(9), addresses: ["h:1"], sendsAll: true)
                .write(to: &bytes)
            for round in Int64(1)...2 {
                let start = bytes.beginFrame()
                Notification.round(round).write(to: &bytes)
                bytes.endFrame(start)
            }
            while let byte = bytes.readSlice(length: 1) { link.send(byte) }
            try await peer.wait(for: "vote 1 from 9", "vote 2 from 9")
        }
    }

    @Test func `half a frame at the end of a connection is nothing`() async throws {
        let peer = try await LinkPeer(1)
        try await withPeers(peer) {
            try await peer.know(
                PeerAddress(id: ServerID(9), quorum: [.any], election: [.init("127.0.0.1", 1)]))
            let link = try RawLink(connectingTo: peer.electionPort)
            link.introduce(9)
            link.send(ByteBuffer(bytes: [0, 0, 1, 0, 1, 2, 3]))
            link.finish()
            try await peer.wait(for: "found 9", "lost 9")
            #expect(peer.heard.count == 2)
        }
    }

    @Test func `what is no introduction is not listened to`() async throws {
        let peer = try await LinkPeer(1)
        try await withPeers(peer) {
            let http = try RawLink(connectingTo: peer.electionPort)
            http.send(ByteBuffer(integer: Int64(-5)))
            #expect(http.isClosed)
            let long = try RawLink(connectingTo: peer.electionPort)
            var bytes = ByteBuffer(integer: Int64(-65536))
            bytes.writeInteger(Int64(9))
            bytes.writeInteger(Int32(2049))
            long.send(bytes)
            #expect(long.isClosed)
            #expect(peer.heard.isEmpty)
        }
    }

    @Test func `a server with the same id is sent away`() async throws {
        let peer = try await LinkPeer(3)
        try await withPeers(peer) {
            let link = try RawLink(connectingTo: peer.electionPort)
            link.introduce(3)
            #expect(link.isClosed)
            #expect(peer.heard.isEmpty)
        }
    }

    @Test func `so many strangers are let in and no more, until one goes`() async throws {
        let peer = try await LinkPeer(1, .test.with { $0.maximumStrangers = 3 })
        try await withPeers(peer) {
            var strangers: [RawLink] = []
            for _ in 0..<3 { strangers.append(try RawLink(connectingTo: peer.electionPort)) }
            for _ in 0..<5 {
                #expect(try RawLink(connectingTo: peer.electionPort).isClosed)
            }
            let message = "too many connections to the election port; refusing one"
            #expect(peer.logs.count(.warning, message) == 1)
            #expect(peer.logs.count(.debug, message) == 4)

            // Who says who it is makes room.
            strangers[0].introduce(9)
            strangers[0].send(.round(1))
            try await peer.wait(for: "vote 1 from 9")
            let next = try RawLink(connectingTo: peer.electionPort)
            next.introduce(8)
            next.send(.round(2))
            try await peer.wait(for: "vote 2 from 8")
        }
    }

    @Test func `a stranger that says nothing is sent away in time`() async throws {
        let peer = try await LinkPeer(
            1, .test.with { $0.electionHandshakeTimeout = .milliseconds(50) })
        try await withPeers(peer) {
            #expect(try RawLink(connectingTo: peer.electionPort).isClosed)
            let slow = try RawLink(connectingTo: peer.electionPort)
            slow.send(ByteBuffer(bytes: [0xff, 0xff, 0xff]))
            #expect(slow.isClosed)
        }
    }

    @Test func `so many servers that are not members are kept and no more`() async throws {
        let peer = try await LinkPeer(1, .test.with { $0.maximumOutsiders = 2 })
        try await withPeers(peer) {
            try await peer.know(
                PeerAddress(id: ServerID(20), quorum: [.any], election: [.init("127.0.0.1", 1)]))
            var outsiders: [RawLink] = []
            for id in Int64(10)...11 {
                let link = try RawLink(connectingTo: peer.electionPort)
                link.introduce(id)
                link.send(.round(id))
                try await peer.wait(for: "vote \(id) from \(id)")
                outsiders.append(link)
            }
            let one = try RawLink(connectingTo: peer.electionPort)
            one.introduce(12)
            #expect(one.isClosed)
            // A member is welcome however many there are.
            let member = try RawLink(connectingTo: peer.electionPort)
            member.introduce(20)
            member.send(.round(20))
            try await peer.wait(for: "vote 20 from 20")
            // One that goes makes room.
            outsiders[0].finish()
            #expect(outsiders[0].isClosed)
            let next = try RawLink(connectingTo: peer.electionPort)
            next.introduce(13)
            next.send(.round(13))
            try await peer.wait(for: "vote 13 from 13")
        }
    }

    @Test func `servers without an id of their own are told apart`() async throws {
        let back = try RawPort()
        let peer = try await LinkPeer(1)
        try await withPeers(peer) {
            for id in [-1, -2] {
                try RawLink(connectingTo: peer.electionPort)
                    .introduce(.max, address: "127.0.0.1:\(back.port)")
                let link = try back.next()
                #expect(try link.readInitialMessage().server == ServerID(1))
                link.send(.round(3))
                try await peer.wait(for: "vote 3 from \(id)")
            }
        }
    }
}
