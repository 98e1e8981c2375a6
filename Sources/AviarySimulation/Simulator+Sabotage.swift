import AviaryCore
import AviaryStorage
import AviaryWire
import DequeModule
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
