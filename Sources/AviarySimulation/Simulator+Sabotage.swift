import AviaryCore
import AviaryStorage
import AviaryWire
import DequeModule
import NIOCore
import Zab

/// Mistakes on purpose.
extension Simulator {
    func acknowledgeEarly(_ server: LiveServer) {
        switch sabotage {
        case .acknowledgesEarly: break
        case .acknowledgesHistoryEarly where server.core.role == .looking: break
        default: return
        }
        for order in server.orders {
            guard case .append(let proposal) = order, proposal.zxid > server.acknowledged else {
                continue
            }
            server.acknowledged = proposal.zxid
            report(.persisted(proposal.zxid), to: server)
        }
    }

    /// A proposal waits for the next one, and the two change places.
    func sabotaged(_ message: LeaderMessage, on wire: Wire) -> [LeaderMessage] {
        guard sabotage == .commitsOutOfOrder else { return [message] }
        let held = wire.held
        wire.held = nil
        guard let held else {
            guard case .proposal = message else { return [message] }
            wire.held = message
            return []
        }
        guard case .proposal(let first, let firstBytes) = held,
            case .proposal(let second, let secondBytes) = message
        else { return [held, message] }
        return [.proposal(first, secondBytes), .proposal(second, firstBytes)]
    }

    /// The disk has refused.
    ///
    /// - Returns: whether the server goes on as if it had not.
    func passesOver(_ server: LiveServer) -> Bool {
        guard sabotage == .ignoresWriteErrors, let zxid = server.unflushed else { return false }
        if zxid > server.acknowledged {
            server.acknowledged = zxid
            report(.persisted(zxid), to: server)
        }
        return false
    }
}

/// What a leader proposes and sends.
extension Simulator {
    /// The cxid of a `check` that is handed on: no client comes to it.
    static let foreignCheckXid = Int32.max

    /// What a leader without a repair proposes in place of this, to its disk and its learners.
    func mistaken(_ proposal: Proposal, by server: LiveServer) -> Proposal {
        var reader = JuteReader(proposal.bytes.readableBytesSpan)
        guard sabotage != nil, let right = try? LogEntry(from: &reader),
            let wrong = mistaken(right)
        else { return proposal }
        var bytes = ByteBuffer()
        wrong.write(to: &bytes)
        server.mistakes[proposal.zxid] = bytes
        return Proposal(zxid: wrong.header.zxid, bytes: bytes)
    }

    private func mistaken(_ entry: LogEntry) -> LogEntry? {
        var entry = entry
        switch sabotage {
        case .proposesForeignRequests:
            guard case .error = entry.txn, entry.header.cxid == Self.foreignCheckXid else {
                return nil
            }
            entry.header.type = .check
            entry.txn = .check(path: .root, version: 1)
        case .listsAllEphemerals:
            guard let end = unreadableEnd(entry) else { return nil }
            entry = end
        case .overflowsEpochs:
            let zxid = entry.header.zxid
            guard zxid.counter >= knobs.endOfEpoch else { return nil }
            let next = Zxid(epoch: Int64(zxid.epoch) + 1)
            entry.header.zxid = Zxid(next.rawValue + Int64(zxid.counter - knobs.endOfEpoch))
        default: return nil
        }
        return entry
    }

    /// The end of a session with all its ephemerals, where it does not list them because no server
    /// could read that.
    func unreadableEnd(_ entry: LogEntry) -> LogEntry? {
        guard entry.txn == .closeSession(ephemerals: []) else { return nil }
        var whole = entry
        whole.txn = .closeSession(ephemerals: checker.model.ephemerals(of: entry.header.session))
        var bytes = ByteBuffer()
        whole.write(to: &bytes)
        return bytes.readableBytes > knobs.maximumTransactionBytes ? whole : nil
    }

    /// What goes to a learner in place of a message.
    func mistaken(
        _ message: LeaderMessage, to wire: Wire, by server: LiveServer
    ) -> [LeaderMessage] {
        switch (sabotage, message) {
        case (nil, _): return [message]
        case (.skipsHistory, _): return withoutOne(message, on: wire)
        case (_, .proposal(let zxid, let bytes)):
            return [.proposal(zxid, server.mistakes[zxid] ?? bytes)]
        case (_, .inform(let zxid, let bytes)):
            return [.inform(zxid, server.mistakes[zxid] ?? bytes)]
        default: return [message]
        }
    }

    /// Leaves the last transaction of an epoch out of a history that goes on with a later one: any
    /// other hole a learner sees, and refuses.
    private func withoutOne(_ message: LeaderMessage, on wire: Wire) -> [LeaderMessage] {
        switch message {
        case .diff, .trunc:
            wire.lastOfHistory = []
            return [message]
        case .proposal(let zxid, _):
            guard let last = wire.lastOfHistory else { return [message] }
            if case .proposal(let before, _)? = last.first, before.epoch < zxid.epoch {
                note("\(before) is left out")
                wire.lastOfHistory = nil
                return [message]
            }
            wire.lastOfHistory = [message]
            return last
        case .commit where wire.lastOfHistory?.isEmpty == false:
            wire.lastOfHistory?.append(message)
            return []
        default:
            let last = wire.lastOfHistory ?? []
            wire.lastOfHistory = nil
            return last + [message]
        }
    }

    /// A client asks a leader for a session that it has let expire.
    ///
    /// - Returns: whether the leader has refused it though nobody has agreed to that.
    func refusesEarly(_ wire: Wire, _ server: LiveServer) -> Bool {
        let client = clients[wire[.initiator].node - members.count]
        guard sabotage == .refusesEarly, server.core.role == .leading, client.wire === wire,
            client.phase == .greeting, server.expired.contains(client.session)
        else { return false }
        var frame = ByteBuffer()
        let start = frame.beginFrame()
        ConnectResponse.refused(readOnly: nil).write(to: &frame)
        frame.endFrame(start)
        send(frame, from: .acceptor, on: wire)
        clientLost(wire, server)
        close(wire, by: .acceptor)
        return true
    }
}

/// Files that are to be removed, to be there again after it.
struct FileCopies {
    private var copies: [(name: String, bytes: [UInt8])] = []

    init(_ disk: SimulatedDisk, _ prefix: String, where isKept: (Zxid) -> Bool) {
        let files = SimulatedFiles(disk: disk)
        guard let entries = try? files.list() else { return }
        for entry in entries {
            guard entry.name.hasPrefix(prefix),
                let number = Int64(entry.name.dropFirst(prefix.count), radix: 16),
                isKept(Zxid(number)),
                let bytes = try? files.read(entry.name, at: 0, count: entry.size)
            else { continue }
            copies.append((entry.name, bytes))
        }
    }

    func putBack(_ disk: SimulatedDisk) {
        var files = SimulatedFiles(disk: disk)
        for copy in copies {
            do throws(StorageError) {
                try files.create(copy.name)
                try files.write(copy.bytes.raw, to: copy.name, at: 0)
                try files.sync(copy.name)
                try files.syncDirectory()
            } catch {
                // The power failed: then these files are not the mistake.
                return
            }
        }
    }
}
