import AviaryWire
import NIOCore
import Testing
import Zab

@testable import AviaryCore

/// What a leader does for the clients of its learners, by the numbers of the pitfalls in
/// `docs/conformance/pitfalls.md`.
struct LeaderPitfallTests {
    private let session = SessionID(0x100_0000_0000_0001)

    /// A leader whose follower has a session.
    private func leader(
        endOfEpoch: UInt32 = .max, _ change: (inout ServerSettings) -> Void = { _ in }
    ) -> CoreHarness {
        let harness = CoreHarness.leader(endOfEpoch: endOfEpoch, change)
        let request = ForwardedRequest(.createSession, session: session, cxid: 0) {
            $0.writeInteger(Int32(10_000))
        }
        harness.fromLearner(.request(request))
        _ = harness.saidToLearners()
        return harness
    }

    private func create(_ path: String, cxid: Int32) -> LearnerMessage {
        .request(ForwardedRequest(.create, session: session, cxid: cxid) { $0.writeCreate(path) })
    }

    private func proposed(_ said: [LeaderMessage]) -> [LogEntry] {
        said.compactMap { message in
            guard case .proposal(_, let bytes) = message else { return nil }
            var reader = JuteReader(bytes.readableBytesSpan)
            return try? LogEntry(from: &reader)
        }
    }

    /// One 13 in a log of Apache's, and its servers do not start again.
    @Test(arguments: [OpCode.check.rawValue, OpCode.error.rawValue, OpCode.getData.rawValue, 9999])
    func `H.9: what cannot be a transaction, such as opcode 13, becomes an error`(
        type: Int32
    ) throws {
        let harness = leader()
        let request = ForwardedRequest(
            session: session, cxid: 7, type: type, body: RawSpan(), identities: nil)
        harness.fromLearner(.request(request))
        let entry = try #require(proposed(harness.saidToLearners()).first)
        #expect(entry.header.type == .error)
        #expect(entry.txn == .error(ZooKeeperError.unimplemented.rawValue))
        #expect(entry.header.session == session && entry.header.cxid == 7)
    }

    @Test func `H.28: numbers go up by one from 1, for what is refused as well`() {
        let harness = leader()
        for (cxid, path) in ["/a", "/a", "no path", "/b", "/no/parent"].enumerated() {
            harness.fromLearner(create(path, cxid: Int32(cxid + 1)))
        }
        let zxids = proposed(harness.saidToLearners()).map(\.header.zxid)
        #expect(zxids == (2...6).map { zxid(1, $0) })
        #expect(harness.appended.first?.header.zxid == zxid(1, 1))
    }

    /// Else the client would hear of its sync before it hears of its write.
    @Test func `a sync is not answered before a commit that is acknowledged behind it in a read`()
        throws
    {
        let harness = leader()
        harness.follower = nil
        harness.fromLearner(create("/a", cxid: 1))
        let last = try #require(proposed(harness.saidToLearners()).last).header.zxid
        let sync = ForwardedRequest(.sync, session: session, cxid: 2) { $0.writeJute("/a") }
        var packets = PacketBuffer { bytes in
            for message in [.request(sync), .ack(last)] as [LearnerMessage] {
                message.write(to: &bytes)
            }
        }
        var lists: [[LearnerMessage]] = []
        try packets.takeMessages(QuorumPacketDecoder(), into: &lists)
        for list in lists {
            harness.step(.quorum(.receivedFromLearner(list, CoreHarness.followerLink)))
        }
        #expect(harness.saidToLearners() == [.commit(last), .sync])
    }

    /// With nothing on its way to the disk the leader is already looking for another one then.
    @Test(arguments: [2, 4] as [UInt32])
    func `H.21: a leader whose epoch is used up in the midst of a read proposes no more`(
        endOfEpoch: UInt32
    ) {
        let harness = leader(endOfEpoch: endOfEpoch)
        let requests = (1...5).map { create("/\($0)", cxid: $0) }
        harness.step(.quorum(.receivedFromLearner(requests, CoreHarness.followerLink)))
        #expect(harness.core.role == .looking)
        let count = Int32(endOfEpoch) - 2
        #expect(proposed(harness.saidToLearners()).map(\.header.cxid) == Array(1..<1 + count))
        #expect(harness.appended.count == 1 + Int(count))
    }

    /// Who asked waits for a transaction of its session and cxid.
    @Test func `H.29, H.30: every request becomes a transaction, with its session and cxid`() {
        let harness = leader()
        let stranger = SessionID(0x100_0000_0000_0002)
        let requests = [
            ForwardedRequest(.create, session: session, cxid: 11) { $0.writeCreate("/a") },
            // There already; malformed; of nobody; not to be done here.
            ForwardedRequest(.create, session: session, cxid: 12) { $0.writeCreate("/a") },
            ForwardedRequest(.setData, session: session, cxid: 13) { $0.writeInteger(Int32(99)) },
            ForwardedRequest(.create, session: stranger, cxid: 14) { $0.writeCreate("/b") },
            ForwardedRequest(.reconfig, session: session, cxid: 15),
            ForwardedRequest(.createSession, session: stranger, cxid: 0),
            ForwardedRequest(.closeSession, session: session, cxid: 16),
        ]
        for request in requests { harness.fromLearner(.request(request)) }
        let entries = proposed(harness.saidToLearners())
        #expect(entries.map(\.header.session) == requests.map(\.session))
        #expect(entries.map(\.header.cxid) == requests.map(\.cxid))
        let isError = entries.map { $0.header.type == .error }
        #expect(isError == [false, true, true, true, true, true, false])
    }

    @Test func `a request is judged by the identities that came with it`() {
        let harness = leader()
        let acl = [ACL(.all, "digest", "user:secret")]
        let secret = ForwardedRequest(.create, session: session, cxid: 1) {
            $0.writeCreate("/secret", acl: acl)
        }
        harness.fromLearner(.request(secret))
        _ = harness.saidToLearners()
        let identities = [Identity(scheme: "digest", id: "user:secret")]
        for (cxid, known) in [(2, nil), (3, identities)] as [(Int32, [Identity]?)] {
            var request = ForwardedRequest(.setData, session: session, cxid: cxid) {
                $0.writeSet("/secret", "x")
            }
            request.identities = known
            harness.fromLearner(.request(request))
        }
        let types = proposed(harness.saidToLearners()).map(\.header.type)
        #expect(types == [.error, .setData])
    }

    @Test func `H.31: a sync is answered after the commit of what was asked before it`() {
        let harness = leader()
        harness.persistsAtOnce = false
        harness.fromLearner(create("/a", cxid: 1))
        for cxid in 2...3 as ClosedRange<Int32> {
            let sync = ForwardedRequest(.sync, session: session, cxid: cxid) { $0.writeText("/a") }
            harness.fromLearner(.request(sync))
        }
        #expect(harness.saidToLearners().count == 1)
        harness.persist()
        #expect(harness.saidToLearners() == [.commit(zxid(1, 2)), .sync, .sync])
    }

    @Test func `H.32: whether a session lives is answered for the session that was asked for`() {
        let harness = leader()
        let stranger = SessionID(5)
        for asked in [session, stranger] {
            harness.fromLearner(.revalidate(asked, timeoutMilliseconds: 10_000))
        }
        let answers = harness.saidToLearners().filter {
            if case .revalidated = $0 { true } else { false }
        }
        #expect(
            answers == [
                .revalidated(session, isValid: true), .revalidated(stranger, isValid: false),
            ])
    }

    /// A session lives as long as its server says that it was heard.
    @Test func `H.35: a session that a ping names lives, and one that none names ends`() {
        let harness = leader { $0.tickTimeMilliseconds = 1000 }
        let touch = SessionTouch(session, timeoutMilliseconds: 10_000)
        for _ in 0..<20 {
            harness.advance(milliseconds: 1000)
            harness.fromLearner(.ping(zxid(1, 0), touched: [touch]))
        }
        #expect(harness.core.tree.sessions[session] != nil)
        for _ in 0..<12 {
            harness.advance(milliseconds: 1000)
            harness.fromLearner(.ping(zxid(1, 0), touched: []))
        }
        #expect(harness.core.tree.sessions[session] == nil)
        #expect(harness.appended.last?.header.type == .closeSession)
        #expect(harness.appended.last?.header.cxid == 0)
    }

    @Test func `H.55: who leads deletes a container, for no session and with cxid 0`() throws {
        let harness = leader()
        let request = ForwardedRequest(.createContainer, session: session, cxid: 1) {
            $0.writeCreate("/c", flags: 4)
        }
        harness.fromLearner(.request(request))
        harness.fromLearner(create("/c/a", cxid: 2))
        let delete = ForwardedRequest(.delete, session: session, cxid: 3) {
            $0.writeVersion("/c/a")
        }
        harness.fromLearner(.request(delete))
        let touch = SessionTouch(session, timeoutMilliseconds: 10_000)
        for _ in 0..<62 {
            harness.advance(milliseconds: 1000)
            harness.fromLearner(.ping(zxid(1, 0), touched: [touch]))
        }
        let entry = try #require(proposed(harness.saidToLearners()).last)
        #expect(entry.header.type == .deleteContainer)
        #expect(entry.header.session == .none && entry.header.cxid == 0)
        #expect(harness.core.tree.find("/c") == nil)
    }

    /// A list of all ephemerals may be longer than what any server can read.
    @Test func `ZOOKEEPER-4306: a session with very many ephemerals ends with a short transaction`()
        throws
    {
        let harness = CoreHarness { $0.maximumTransactionBytes = 1000 }
        let client = harness.client()
        for number in 0..<100 {
            _ = client.create("/a-name-of-some-length-\(number)", flags: 1)
        }
        client.send(.closeSession)
        harness.persist()
        let entry = try #require(harness.appended.last)
        #expect(entry.txn == .closeSession(ephemerals: []))
        var bytes = ByteBuffer()
        entry.write(to: &bytes)
        #expect(bytes.readableBytes < 100)
        #expect(harness.core.tree.nodeCount == DataTree(hashSeed: 1, extendedTypes: true).nodeCount)
        #expect(harness.core.statistics.digestMismatches == 0)
        var replayed = DataTree(hashSeed: 5, extendedTypes: true)
        for entry in harness.appended {
            replayed.apply(entry.header, entry.txn)
        }
        #expect(replayed.digest == harness.core.tree.digest)
        let few = harness.client()
        _ = few.create("/e", flags: 1)
        few.send(.closeSession)
        harness.persist()
        #expect(harness.appended.last?.txn == .closeSession(ephemerals: ["/e"]))
    }

    /// The limit is for all that stands in the log, not for the list alone.
    @Test func `what ends a session is never longer in the log than the limit`() throws {
        for limit in 120..<200 {
            let harness = CoreHarness { $0.maximumTransactionBytes = limit }
            let client = harness.client()
            for number in 0..<10 { _ = client.create("/\(number)23456", flags: 1) }
            client.send(.closeSession)
            harness.persist()
            let entry = try #require(harness.appended.last)
            var bytes = ByteBuffer()
            entry.write(to: &bytes)
            #expect(bytes.readableBytes <= limit)
            // Ten paths, each with its length, their number, header and digest.
            let whole = 10 * (4 + 7) + 4 + 32 + 12
            #expect((entry.txn == .closeSession(ephemerals: [])) == (whole > limit))
        }
    }
}
