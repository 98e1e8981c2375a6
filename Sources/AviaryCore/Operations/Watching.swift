import AviaryWire
import NIOCore

extension ServerCore {
    mutating func watch(_ path: RawSpan, _ modes: WatchModes, on slot: UInt32) {
        guard let number = watches.add(modes, at: path, slot: slot) else { return }
        connections[slot].watched.append(number)
        if connections[slot].watched.count >= connections[slot].watchedLimit {
            dropStaleWatches(of: slot)
        }
    }

    /// Forgets the numbers of watches that have fired; amortised over as many new ones.
    private mutating func dropStaleWatches(of slot: UInt32) {
        let live = Set(connections[slot].watched.filter { watches.isLive($0, slot: slot) })
        connections[slot].watched = live.sorted()
        connections[slot].watchedLimit = max(64, 2 * live.count)
    }

    mutating func addWatch(
        _ request: WatchRequest, on slot: UInt32
    ) throws(ZooKeeperError) {
        switch request.type {
        case 0: watch(request.path.bytes.raw, .persistent, on: slot)
        case 1: watch(request.path.bytes.raw, .persistentRecursive, on: slot)
        default: throw .marshallingError
        }
    }

    /// checkWatches and removeWatches.
    mutating func findWatches(
        _ request: WatchRequest, removing: Bool, on slot: UInt32
    ) throws(ZooKeeperError) {
        let wanted: WatchModes
        switch request.type {
        case 1: wanted = .child
        case 2: wanted = .data
        case 3: wanted = .all
        case 4: wanted = .persistent
        case 5: wanted = .persistentRecursive
        default: throw .marshallingError
        }
        let path = request.path.bytes
        if watches.modes(at: path.raw, slot: slot).isDisjoint(with: wanted) { throw .noWatcher }
        if removing { watches.remove(wanted, at: path.raw, slot: slot) }
    }

    /// Arms watches again after a reconnect, or tells at once of what was missed meanwhile.
    ///
    /// Source: DataTree.setWatches, ZooKeeper 3.9.5.
    mutating func answerSetWatches(
        _ header: RequestHeader, _ source: consuming JuteReader, _ code: OpCode,
        on slot: UInt32, at now: Now, reply: inout ByteBuffer
    ) {
        var reader = source
        let request: SetWatchesRequest
        do throws(WireError) {
            request =
                code == .setWatches
                ? try SetWatchesRequest(from: &reader)
                : try SetWatchesRequest(withPersistentFrom: &reader)
        } catch {
            writeReply(
                header.xid, tree.lastProcessedZxid, error: .marshallingError, to: &reply, slot,
                at: now)
            return
        }
        rearm(request, on: slot, reply: &reply)
        writeReply(header.xid, tree.lastProcessedZxid, to: &reply, slot, at: now)
    }

    private mutating func rearm(
        _ request: SetWatchesRequest, on slot: UInt32, reply: inout ByteBuffer
    ) {
        let unknownZxid = Zxid(-1)
        for path in request.data {
            let stat = tree.find(path).map { tree.persistedStat(of: $0) }
            if let stat, stat.mzxid <= request.relativeZxid {
                watch(path.bytes.raw, .data, on: slot)
            } else {
                let type: WatchEventType = stat == nil ? .nodeDeleted : .nodeDataChanged
                Self.writeNotification(type, path.bytes.raw, unknownZxid, to: &reply)
            }
        }
        for path in request.exist {
            if tree.find(path) == nil {
                watch(path.bytes.raw, .data, on: slot)
            } else {
                Self.writeNotification(.nodeCreated, path.bytes.raw, unknownZxid, to: &reply)
            }
        }
        for path in request.child {
            let stat = tree.find(path).map { tree.persistedStat(of: $0) }
            if let stat, stat.pzxid <= request.relativeZxid {
                watch(path.bytes.raw, .child, on: slot)
            } else {
                let type: WatchEventType = stat == nil ? .nodeDeleted : .nodeChildrenChanged
                Self.writeNotification(type, path.bytes.raw, unknownZxid, to: &reply)
            }
        }
        for path in request.persistent?.plain ?? [] {
            watch(path.bytes.raw, .persistent, on: slot)
        }
        for path in request.persistent?.recursive ?? [] {
            watch(path.bytes.raw, .persistentRecursive, on: slot)
        }
    }
}
