import AviaryWire
import DequeModule
package import NIOCore

extension ClientSession {
    /// Bytes came. Effects that reply refer to them by their offsets.
    ///
    /// - Returns: how many are done with: the rest is a frame that is not all there.
    package mutating func receive(
        _ bytes: RawSpan, on attempt: UInt64, at now: NIODeadline
    ) -> Int {
        guard attempt == self.attempt else { return bytes.byteCount }
        lastHeard = now
        var offset = 0
        do throws(WireError) {
            while let frame = try decoder.nextFrame(in: bytes, from: offset) {
                try receive(bytes, frame, at: now)
                offset = frame.upperBound
                if attempt != self.attempt { return bytes.byteCount }
            }
        } catch {
            lose(at: now)
            return bytes.byteCount
        }
        return offset
    }

    private mutating func receive(
        _ bytes: RawSpan, _ frame: Range<Int>, at now: NIODeadline
    ) throws(WireError) {
        var reader = JuteReader(bytes.extracting(frame))
        switch phase {
        case .idle, .waiting, .connecting, .ended: return
        case .handshaking:
            try receiveHandshake(&reader, at: now)
            return
        case .authenticating, .connected: break
        }
        let header = try ReplyHeader(from: &reader)
        switch header.xid {
        case SpecialXid.notification: try receiveNotification(header, &reader)
        case SpecialXid.ping:
            if header.error != 0 { obey(header.error) }
        case SpecialXid.auth: try receiveCredentialReply(header)
        default:
            let body = frame.lowerBound + reader.position..<frame.upperBound
            try receiveReply(header, body, &reader, at: now)
        }
    }

    private mutating func receiveReply(
        _ header: ReplyHeader, _ body: Range<Int>, _ reader: inout JuteReader, at now: NIODeadline
    ) throws(WireError) {
        // It stays among those that fail if somebody has lost count: replies come in the order of
        // requests.
        guard let request = sent.first, request.xid == header.xid else {
            throw .unknownType(header.xid)
        }
        sent.removeFirst()
        if header.zxid > lastZxid { lastZxid = header.zxid }
        switch request.purpose {
        case .request: answer(request, header, body, at: now)
        case .removing(let kind, let path):
            // They end, whatever the server says.
            for entry in watches.removeAll(kind, at: path) {
                effects.append(.endWatch(entry.watcher, nil))
            }
            answer(request, header, body, at: now)
        case .rearming(let persistent): rearmed(persistent)
        case .closing: end(.closed)
        case .sasl: try receiveSASL(header, &reader, at: now)
        }
    }

    private mutating func answer(
        _ request: Sent, _ header: ReplyHeader, _ body: Range<Int>, at now: NIODeadline
    ) {
        if let watch = request.watch { settle(watch, header.error) }
        if let ticket = request.ticket {
            effects.append(.reply(ticket, header, body: body))
        } else if let watch = request.watch {
            unwatch(watch.id, at: now)
        }
        if header.error != 0 { obey(header.error) }
    }

    /// The server has set the watch, or not.
    private mutating func settle(_ watch: NewWatch<Watcher>, _ error: Int32) {
        watches.endAdding(watch.registration.kind, at: watch.path)
        let isSet =
            error == 0
            || watch.registration == .exists && error == ZooKeeperError.noNode.rawValue
        if isSet {
            watches.add(
                .init(id: watch.id, watcher: watch.watcher), to: watch.registration.list(error),
                at: watch.path)
        }
    }

    /// Errors that say more than that a request was refused.
    private mutating func obey(_ error: Int32) {
        if error == ZooKeeperError.sessionClosedRequireAuth.rawValue {
            end(.authenticationFailed)
        }
    }

    private mutating func receiveNotification(
        _ header: ReplyHeader, _ reader: inout JuteReader
    ) throws(WireError) {
        let event = try WatcherEvent(from: &reader)
        guard let type = WatchEventType(rawValue: event.type) else { return }
        let found = watches.watchers(of: type, at: event.path)
        if found.isEmpty { return }
        let told = WatchEvent(
            kind: .init(type), path: event.path.stripped(of: settings.chroot),
            zxid: header.zxid.rawValue > 0 ? header.zxid : nil)
        for entry in found { effects.append(.event(entry.watcher, told)) }
    }

    /// What happened between the connections, persistent watches have missed.
    private mutating func rearmed(_ persistent: [WatchID]) {
        for id in persistent {
            guard let (watcher, path) = watches.persistent(id) else { continue }
            let event = WatchEvent(kind: .resync, path: path.stripped(of: settings.chroot))
            effects.append(.event(watcher, event))
        }
    }
}

// MARK: watches

extension ClientSession {
    /// Nobody listens to the watch any more: tells the server, if no other watch needs it there.
    package mutating func unwatch(_ id: WatchID, at now: NIODeadline) {
        guard let request = watches.remove(id), phase == .connected, closeDeadline == nil else {
            return
        }
        // Whether the server still had it does not matter: it may have fired meanwhile.
        send(.removeWatches(request), purpose: .request, at: now)
    }
}
