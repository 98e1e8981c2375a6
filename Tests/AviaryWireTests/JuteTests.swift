import AviaryWire
import NIOCore
import Testing

struct JuteTests {
    @Test(arguments: [Int32(-2), 5, .max])
    func `a length that cannot be is refused before anything is allocated`(length: Int32) {
        let bytes = Array(ByteBuffer(integer: length).readableBytesView) + [1, 2, 3, 4]
        var reader = JuteReader(bytes.raw)
        #expect(throws: WireError.lengthOutOfBounds(length)) { try reader.readRange() }
    }

    @Test func `a count is bounded by the bytes that are left`() throws {
        let bytes =
            Array(ByteBuffer(integer: Int32(1000)).readableBytesView)
            + [UInt8](
                repeating: 0, count: 40)
        var reader = JuteReader(bytes.raw)
        #expect(throws: WireError.lengthOutOfBounds(1000)) { try reader.readCount(elementSize: 4) }
    }

    @Test func `null and empty are told apart`() throws {
        var buffer = ByteBuffer()
        buffer.writeJute([UInt8]?.none)
        buffer.writeJute([UInt8]())
        let bytes = Array(buffer.readableBytesView)
        var reader = JuteReader(bytes.raw)
        #expect(try reader.readBuffer() == nil)
        #expect(try reader.readBuffer() == [])
    }

    @Test func `malformed text is repaired as Java repairs it`() {
        #expect(ByteString(repairing: [0x61, 0xff, 0x62]).description == "a\u{fffd}b")
    }

    @Test func `text is compared by its bytes`() {
        #expect(ByteString("caf\u{e9}") != ByteString("cafe\u{301}"))
        #expect(Path("/caf\u{e9}") != Path("/cafe\u{301}"))
    }

    @Test func `frames are found however a stream is cut`() throws {
        let payloads: [[UInt8]] = [[1], [], [2, 3, 4], [UInt8](repeating: 9, count: 70)]
        var stream: [UInt8] = []
        for payload in payloads {
            stream += Array(ByteBuffer(integer: Int32(payload.count)).readableBytesView) + payload
        }
        let decoder = FrameDecoder(maximumLength: 100)
        for cut in 0...stream.count {
            var found: [[UInt8]] = []
            var buffer: [UInt8] = []
            for part in [stream[..<cut], stream[cut...]] {
                buffer += part
                var offset = 0
                while let range = try decoder.nextFrame(in: buffer.raw, from: offset) {
                    found.append(Array(buffer[range]))
                    offset = range.upperBound
                }
                buffer.removeFirst(offset)
            }
            #expect(found == payloads)
        }
    }

    @Test(arguments: [Int32(-1), 101])
    func `a frame's length is judged before the frame is there`(length: Int32) {
        let bytes = Array(ByteBuffer(integer: length).readableBytesView)
        #expect(throws: WireError.lengthOutOfBounds(length)) {
            try FrameDecoder(maximumLength: 100).nextFrame(in: bytes.raw, from: 0)
        }
    }
}

struct ReconfigTests {
    @Test func `a reconfiguration is read as it was written, and not when it is cut`() throws {
        var buffer = ByteBuffer()
        buffer.writeJute(ByteString("server.4=h:1:2;3"))
        buffer.writeJute(ByteString?.none)
        buffer.writeJute(ByteString(""))
        buffer.writeInteger(Int64(-1))
        let bytes = Array(buffer.readableBytesView)
        var reader = JuteReader(bytes.raw)
        let request = try ReconfigRequest(from: &reader)
        var written = ByteBuffer()
        request.write(to: &written)
        #expect(Array(written.readableBytesView) == bytes)
        #expect(request.leavingServers == nil && request.newMembers == "")
        for length in 0..<bytes.count {
            let part = Array(bytes.prefix(length))
            var reader = JuteReader(part.raw)
            #expect(throws: WireError.self) { try ReconfigRequest(from: &reader) }
        }
    }
}

struct PathTests {
    @Test(arguments: [
        "/", "/a", "/a/b", "/...", "/.x", "/a b", "/\u{a0}", "/\u{2028}", "/\u{f900}",
    ])
    func `a path is valid`(path: String) {
        #expect(Path(Array(path.utf8)).isValid)
    }

    @Test(arguments: [
        "", "foo", "/a/", "//", "/a//b", "/.", "/..", "/a/.", "/a/../b", "/a\u{0}", "/a\u{1f}",
        "/\u{7f}", "/\u{9f}", "/\u{f8ff}", "/\u{fffd}", "/\u{1f600}",
    ])
    func `a path is not valid`(path: String) {
        #expect(!Path(Array(path.utf8)).isValid)
    }

    @Test func `random paths are judged as the rules have it`() {
        let slash = UInt8(ascii: "/")
        let alphabet = [UInt8]("//../ab \u{7f}\u{1f}\0abcdefghijk".utf8)
        var state: UInt64 = 1
        func next(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % limit
        }
        for _ in 0..<100_000 {
            let bytes = [slash] + (0..<next(30)).map { _ in alphabet[next(alphabet.count)] }
            let names = bytes.dropFirst().split(
                separator: slash, omittingEmptySubsequences: false)
            let areNames = names.allSatisfy { ![[], [0x2e], [0x2e, 0x2e]].contains(Array($0)) }
            let isPrintable = bytes.allSatisfy { (0x20..<0x7f).contains($0) }
            let path = Path(bytes)
            let isJudgedWell =
                path.isValid == (bytes.count == 1 || areNames && isPrintable)
                && path.parentLength == bytes.lastIndex(of: slash)
                && path.containsNull == bytes.contains(0)
            if !isJudgedWell {
                Issue.record("\(bytes)")
                return
            }
        }
    }

    /// Eight bytes are looked at at a time.
    @Test func `every character is judged alike wherever it stands`() {
        for length in 1...20 {
            for place in 0..<length {
                for character in UInt8(0)...0xff where character != UInt8(ascii: "/") {
                    var bytes = [UInt8](repeating: UInt8(ascii: "a"), count: length)
                    bytes[place] = character
                    let path = Path([UInt8(ascii: "/")] + bytes)
                    // What is no UTF-8 stands for U+FFFD, which is refused.
                    let isAllowed = (0x20..<0x7f).contains(character)
                    let isDot = length == 1 && character == UInt8(ascii: ".")
                    #expect(path.isValid == (isAllowed && !isDot), "\(character) at \(place)")
                }
            }
        }
    }

    @Test func `a parent is what stands before the last slash`() {
        #expect(Path("/a/b").parent == "/a")
        #expect(Path("/a").parent == "/")
        #expect(Path("a").parent == nil)
        #expect(Path("/a").child("b".utf8) == "/a/b")
        #expect(Path.root.child("b".utf8) == "/b")
    }
}

struct NodeOwnerTests {
    @Test func `owners say what kind a node is`() {
        #expect(NodeOwner.container.isContainer)
        #expect(NodeOwner.ttl(milliseconds: 5000).ttlMilliseconds == 5000)
        #expect(NodeOwner.ttl(milliseconds: 5000).session(extendedTypes: true) == nil)
        let session = SessionID(0x1000_0278_5630_0000)
        #expect(NodeOwner.session(session).session(extendedTypes: true) == session)
        #expect(NodeOwner.none.session(extendedTypes: false) == nil)
    }

    /// The worked example of a recorded log entry.
    @Test func `a log entry is read and written as Apache wrote it`() throws {
        let payload = bytes(
            hex: "0100002785630000000000000000000100000001000001a1fbdefc01fffffff6"
                + "00004e20000000020000000051c6d660")
        var reader = JuteReader(payload.raw)
        let entry = try LogEntry(from: &reader)
        #expect(entry.txn == .createSession(timeoutMilliseconds: 20000))
        #expect(entry.header.zxid == Zxid(0x1_0000_0001))
        #expect(entry.digest == TxnDigest(treeDigest: 0x51c6_d660))
        var buffer = ByteBuffer()
        entry.write(to: &buffer)
        #expect(Array(buffer.readableBytesView) == payload)
        for length in 0..<payload.count - 12 {
            let part = Array(payload.prefix(length))
            var reader = JuteReader(part.raw)
            #expect(throws: WireError.self) { try LogEntry(from: &reader) }
        }
    }
}
