import AviaryWire
import NIOCore

/// Whether a client is told what it was promised.
extension SimulatedClient {
    func judge(
        _ operation: ClientOperation, _ header: ReplyHeader, _ reader: consuming JuteReader,
        _ simulator: Simulator
    ) throws(WireError) {
        let zxid = header.zxid
        switch operation.request {
        case .create(let path, let data, let mode):
            guard header.error == 0 else { break }
            let created = try reader.readPath()
            judgeWrite(operation, header, simulator) { txn in
                guard case .create(let create) = txn else { return false }
                let isNamed =
                    mode.isSequential
                    ? created.bytes.starts(with: path.bytes) : created == path
                return isNamed && create.path == created && create.data == data
                    && create.isEphemeral == mode.isEphemeral
            }
        case .delete(let path):
            judgeWrite(operation, header, simulator) { $0 == .delete(path) }
        case .setData(let path, let data):
            judgeWrite(operation, header, simulator) { txn in
                guard case .setData(path, data, _) = txn else { return false }
                return true
            }
        case .multi(let first, let second, let data):
            judgeWrite(operation, header, simulator) { txn in
                guard case .multi(let parts) = txn, parts.count == 2 else { return false }
                return zip(parts, [first, second]).allSatisfy { part, path in
                    if case .error = part.txn { return true }
                    guard case .setData(path, data, _) = part.txn else { return false }
                    return true
                }
            }
        case .sync: judgeSync(operation, header, simulator)
        case .getData, .exists, .getChildren:
            simulator.statistics[.readsAnswered] += 1
            try judgeRead(operation, header, reader, simulator)
        case .setWatches(_, _, _, let since):
            renewWatches(zxid, since: since, simulator)
            return
        case .close: break
        }
        checkWatches(zxid, simulator)
        addWatch(operation, header)
    }

    // MARK: Writes

    private func judgeWrite(
        _ operation: ClientOperation, _ header: ReplyHeader, _ simulator: Simulator,
        isWanted: (Txn) -> Bool
    ) {
        guard header.error == 0 else {
            simulator.statistics[.writesRefused] += 1
            return
        }
        simulator.statistics[.writesAnswered] += 1
        simulator.contract.wrote(header.zxid)
        guard let entry = simulator.checker.ledger[header.zxid]?.transaction else {
            return simulator.fail(
                .writesLinearizable,
                "\(name) is told that \(operation.xid) is done as \(header.zxid), which is not"
                    + " committed")
        }
        let isOwn = entry.header.session == session && entry.header.cxid == operation.xid
        if !isOwn || !isWanted(entry.txn) {
            simulator.fail(
                .writesLinearizable,
                "\(name) is told that \(operation.xid) of \(session) is done as \(header.zxid), which"
                    + " is \(entry.header.cxid) of \(entry.header.session): \(entry.txn)")
        }
        if header.zxid <= operation.floor {
            simulator.fail(
                .writesLinearizable,
                "\(name) wrote \(header.zxid), and asked for it when \(operation.floor) was answered"
                    + " already")
        }
    }

    private func judgeSync(
        _ operation: ClientOperation, _ header: ReplyHeader, _ simulator: Simulator
    ) {
        guard header.error == 0 else { return }
        simulator.statistics[.syncsAnswered] += 1
        // As in ZooKeeper, a leader that has been replaced and has not noticed answers too.
        guard operation.epochs >= 0, operation.epochs == simulator.undisputedEpochs else { return }
        if header.zxid < operation.committed {
            simulator.fail(
                .syncSeesCommitted,
                "\(name) has synced to \(header.zxid), and \(operation.committed) was committed"
                    + " before it asked")
        }
    }

    // MARK: Reads

    private func judgeRead(
        _ operation: ClientOperation, _ header: ReplyHeader, _ source: consuming JuteReader,
        _ simulator: Simulator
    ) throws(WireError) {
        var reader = source
        let model = simulator.checker.model
        let zxid = header.zxid
        switch operation.request {
        case .getData(let path, _):
            let node = model.node(path, at: zxid)
            let isThere = header.error == 0
            let data = isThere ? try reader.readBuffer() : nil
            if isThere != (node != nil) || data != node?.data {
                misread("data of \(path)", zxid, simulator)
            } else if isThere {
                try judge(Stat(from: &reader), node, path, zxid, simulator)
            }
        case .exists(let path, _):
            let node = model.node(path, at: zxid)
            if (header.error == 0) != (node != nil) {
                misread("whether \(path) is there", zxid, simulator)
            } else if header.error == 0 {
                try judge(Stat(from: &reader), node, path, zxid, simulator)
            }
        case .getChildren(let path, _):
            guard header.error == 0 else {
                if model.node(path, at: zxid) != nil { misread("\(path)", zxid, simulator) }
                return
            }
            var names: [[UInt8]] = []
            for _ in 0..<(try reader.readCount(elementSize: 4) ?? 0) {
                names.append(try reader.readBuffer() ?? [])
            }
            names.sort { $0.lexicographicallyPrecedes($1) }
            if names != model.children(of: path, at: zxid) {
                misread("children of \(path)", zxid, simulator)
            }
        default: break
        }
    }

    private func judge(
        _ stat: Stat, _ node: TreeModel.Node?, _ path: Path, _ zxid: Zxid, _ simulator: Simulator
    ) {
        let isRight =
            stat.version == node?.version && stat.czxid == node?.created
            && stat.ephemeralOwner == node?.owner.rawValue
        if !isRight { misread("stat of \(path)", zxid, simulator) }
    }

    private func misread(_ what: String, _ zxid: Zxid, _ simulator: Simulator) {
        simulator.fail(
            .readsHistory, "\(name) reads at \(zxid) what the history does not say: \(what)")
    }

    // MARK: Watches

    private func addWatch(_ operation: ClientOperation, _ header: ReplyHeader) {
        let isThere = header.error == 0
        let isMissing = header.error == ZooKeeperError.noNode.rawValue
        switch operation.request {
        case .getData(let path, true) where isThere:
            dataWatches.add(path, since: header.zxid, isForCreation: false)
        case .exists(let path, true) where isThere || isMissing:
            dataWatches.add(path, since: header.zxid, isForCreation: isMissing)
        case .getChildren(let path, true) where isThere:
            childWatches.add(path, since: header.zxid, isForCreation: false)
        default: break
        }
    }

    func hear(_ notice: WatchNotice, _ zxid: Zxid, _ simulator: Simulator) {
        simulator.note("\(name) hears event \(notice.type) at \(notice.path), zxid \(zxid)")
        simulator.statistics[.eventsReceived] += 1
        // A server that has just been elected still shows those that only read what it takes over.
        if isReadOnly { return }
        let wasSet =
            switch WatchEventType(rawValue: notice.type) {
            case .nodeCreated, .nodeDataChanged: dataWatches.remove(notice.path)
            case .nodeChildrenChanged: childWatches.remove(notice.path)
            case .nodeDeleted: removeBoth(notice.path)
            case nil: false
            }
        // Who sets both kinds of watch anew at a node that is gone is told for each, as in ZooKeeper.
        let isRepeated = notice.type == WatchEventType.nodeDeleted.rawValue && zxid == .none
        if !wasSet && !isRepeated {
            simulator.fail(
                .watchWasSet, "\(name) hears of \(notice.path), which it does not watch")
        }
    }

    private func removeBoth(_ path: Path) -> Bool {
        let hadData = dataWatches.remove(path)
        return childWatches.remove(path) || hadData
    }

    /// Nothing may be seen that a watch has not told of.
    func checkWatches(_ zxid: Zxid, _ simulator: Simulator) {
        let model = simulator.checker.model
        for watch in dataWatches.all where !watch.isStale {
            if let change = model.firstChange(of: watch.path, after: watch.since), change <= zxid {
                isLate(watch, change, zxid, simulator)
            }
        }
        for watch in childWatches.all where !watch.isStale {
            if let change = model.firstChildChange(of: watch.path, after: watch.since),
                change <= zxid
            {
                isLate(watch, change, zxid, simulator)
            }
        }
    }

    private func isLate(
        _ watch: WatchList.Watch, _ change: Zxid, _ zxid: Zxid, _ simulator: Simulator
    ) {
        simulator.fail(
            .watchBeforeValue,
            "\(name) sees \(zxid), and was not told that \(watch.path) changed with \(change), which"
                + " it watches since \(watch.since)")
    }

    /// The server has taken all watches over, and told of what was missed.
    private func renewWatches(_ zxid: Zxid, since: Zxid, _ simulator: Simulator) {
        let model = simulator.checker.model
        for watch in dataWatches.all where watch.isStale {
            let isThere = model.node(watch.path, at: zxid) != nil
            let change = model.firstChange(of: watch.path, after: since)
            let isMissed =
                watch.isForCreation
                ? isThere : !isThere || change.map { $0 <= zxid } ?? false
            if isMissed { isLate(watch, change ?? zxid, zxid, simulator) }
        }
        for watch in childWatches.all where watch.isStale {
            let change = model.firstChildChange(of: watch.path, after: since)
            if let change, change <= zxid { isLate(watch, change, zxid, simulator) }
        }
        dataWatches.renew(at: zxid) { model.node($0, at: zxid) != nil }
        childWatches.renew(at: zxid) { _ in true }
    }
}
