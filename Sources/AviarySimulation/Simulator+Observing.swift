import AviaryCore
import AviaryWire
import NIOCore
import Zab

/// What the checkers are shown.
extension Simulator {
    /// A transaction goes to a member's log.
    func observe(_ proposal: Proposal, of server: LiveServer, isOwn: Bool) {
        if isOwn {
            checker.proposed(proposal.zxid, proposal.bytes, by: server.member, at: now)
            observeEnd(proposal, by: server)
            if proposal.zxid.counter == knobs.endOfEpoch - 1 { statistics[.epochsUsedUp] += 1 }
        }
        server.appended = proposal.zxid
        // Session and cxid stand before it.
        let number = proposal.bytes.getInteger(
            at: proposal.bytes.readerIndex + 12, as: Int64.self)
        server.pending.append(
            LiveServer.Pending(
                number: proposal.zxid, zxid: Zxid(number ?? 0),
                hash: Fingerprint.of(proposal.bytes)))
    }

    /// Sees whether a session may end that its client has not closed.
    private func observeEnd(_ proposal: Proposal, by server: LiveServer) {
        var reader = JuteReader(proposal.bytes.readableBytesSpan)
        guard let entry = try? LogEntry(from: &reader) else { return }
        let header = entry.header
        note("\(members[server.member].id) proposes \(header.words)")
        guard header.type == .closeSession else { return }
        if unreadableEnd(entry) != nil { statistics[.endsWithoutList] += 1 }
        contract.ended(header.session)
        if header.cxid == 0 {
            server.expired.insert(header.session)
            checkExpiry(of: header.session, by: server)
        }
    }

    /// A step has been taken.
    func observe(_ server: LiveServer, _ before: QuorumPeer.Role) {
        let role = server.core.role
        let zxid = server.core.tree.lastProcessedZxid
        if role == .looking {
            // What it applied before it stopped, in the same step, was committed.
            if before != .looking, server.delivered != nil { show(server, at: zxid) }
            server.delivered = nil
            // A leader to be takes over what its log holds; nobody sees it yet.
            while let first = server.pending.first, first.number <= zxid {
                server.tip = first.number
                server.pending.removeFirst()
            }
            return
        }
        if role == .leading && before != .leading { establish(server) }
        show(server, at: zxid)
    }

    /// What a serving member has applied.
    private func show(_ server: LiveServer, at zxid: Zxid) {
        if zxid == server.seen && server.delivered != nil { return }
        deliver(server, upTo: zxid)
        server.seen = zxid
        checker.compare(
            server.core.tree.digest, of: zxid, by: members[server.member].id, at: now)
    }

    private func establish(_ server: LiveServer) {
        let epoch = server.core.tree.lastProcessedZxid.epoch
        server.epoch = epoch
        server.leadsSince = now
        server.heard = [:]
        server.expired = []
        statistics[.epochs] += 1
        checker.established(
            epoch, by: server.member, with: server.appended, among: members, at: now)
    }

    private func deliver(_ server: LiveServer, upTo zxid: Zxid) {
        if let delivered = server.delivered {
            var count = delivered
            while let first = server.pending.first, first.number <= zxid {
                checker.delivered(
                    first, at: count, by: server.member, among: members, time: now)
                count += 1
                server.tip = first.number
                server.pending.removeFirst()
            }
            server.delivered = count
            return
        }
        while let first = server.pending.first, first.number <= zxid {
            server.tip = first.number
            server.pending.removeFirst()
        }
        server.delivered = checker.commit(
            upTo: server.tip, by: server.member, among: members, at: now)
    }
}

extension TxnHeader {
    fileprivate var words: String { "\(zxid): \(type) of \(session), cxid \(cxid)" }
}
