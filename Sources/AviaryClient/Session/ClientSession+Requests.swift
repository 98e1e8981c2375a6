import AviaryWire
import DequeModule
package import NIOCore

/// A request that waits for a connection.
struct QueuedRequest<Ticket: Sendable, Watcher: Sendable>: Sendable {
    var sequence: UInt64
    var operation: Operation
    var ticket: Ticket
    var watch: NewWatch<Watcher>?
    var deadline: NIODeadline?
}

/// A request that waits for its reply. They come in the order of the requests.
struct SentRequest<Ticket: Sendable, Watcher: Sendable>: Sendable {
    enum Purpose: Hashable, Sendable {
        case request
        /// With the persistent watches among them.
        case rearming([WatchID])
        /// The watches of a path that the server removes.
        case removing(WatchKind, Path)
        case closing
        case sasl

        init(_ operation: Operation) {
            if case .removeWatches(let request) = operation,
                let kind = WatchKind(rawValue: request.type)
            {
                self = .removing(kind, request.path)
            } else {
                self = .request
            }
        }
    }

    var sequence: UInt64
    var xid: Int32
    var opCode: OpCode
    var purpose: Purpose
    /// Nil if nobody waits any more.
    var ticket: Ticket?
    var watch: NewWatch<Watcher>?
    var deadline: NIODeadline?
}

struct SentCredential<Ticket: Sendable>: Sendable {
    var sequence: UInt64
    var packet: AuthPacket
    var ticket: Ticket?
    var deadline: NIODeadline?
}

/// A watch that a request sets if it succeeds.
package struct NewWatch<Watcher: Sendable>: Sendable {
    package var id: WatchID
    package var watcher: Watcher
    package var registration: WatchRegistration
    /// As the server knows it.
    var path = Path.root

    package init(id: WatchID, watcher: Watcher, registration: WatchRegistration) {
        self.id = id
        self.watcher = watcher
        self.registration = registration
    }
}

extension ClientSession {
    typealias Queued = QueuedRequest<Ticket, Watcher>
    typealias Sent = SentRequest<Ticket, Watcher>

    /// Takes a request, to be sent in the order of these calls.
    ///
    /// - Parameter isAbsolute: the chroot is not put before its path.
    /// - Returns: its number, for `cancel`.
    package mutating func submit(
        _ operation: Operation, isAbsolute: Bool = false, ticket: Ticket,
        watch: NewWatch<Watcher>? = nil, timeout: TimeAmount? = nil, at now: NIODeadline
    ) -> UInt64 {
        let sequence = nextSequence
        nextSequence += 1
        if let (code, detail) = refusal(of: operation) {
            effects.append(.fail(ticket, code, .notDone, detail: detail))
            return sequence
        }
        let deadline = (timeout ?? settings.requestTimeout).map { now + $0 }
        if let deadline {
            requestDeadline = requestDeadline.map { min($0, deadline) } ?? deadline
        }
        let full = isAbsolute ? operation : operation.prefixed(by: settings.chroot)
        var watch = watch
        if let path = full.path { watch?.path = path }
        let request = Queued(
            sequence: sequence, operation: full, ticket: ticket, watch: watch, deadline: deadline)
        if phase == .connected {
            send(request, at: now)
        } else {
            queuedBytes += full.byteCount
            queued.append(request)
        }
        return sequence
    }

    private func refusal(of operation: Operation) -> (ClientError.Code, String?)? {
        if case .ended(let reason) = phase { return (reason, nil) }
        if closeDeadline != nil { return (.closed, nil) }
        guard outstanding < settings.maximumOutstanding,
            queuedBytes + outbox.readableBytes <= settings.maximumQueuedBytes
        else { return (.queueFull, nil) }
        return operation.complaint.map { (.invalidArgument, $0) }
    }

    /// Nobody waits for the request any more: takes it back, if it has not been sent.
    package mutating func cancel(_ sequence: UInt64) {
        withdraw(sequence, .cancelled)
    }

    mutating func withdraw(_ sequence: UInt64, _ code: ClientError.Code) {
        if let index = index(of: sequence, in: sent, by: \.sequence) {
            guard let ticket = sent[index].ticket else { return }
            sent[index].ticket = nil
            let outcome: ClientError.Outcome = sent[index].opCode.isWrite ? .unknown : .notDone
            effects.append(.fail(ticket, code, outcome, detail: nil))
        } else if let index = index(of: sequence, in: queued, by: \.sequence) {
            let request = queued.remove(at: index)
            queuedBytes -= request.operation.byteCount
            effects.append(.fail(request.ticket, code, .notDone, detail: nil))
        } else if let index = sentCredentials.firstIndex(where: { $0.sequence == sequence }) {
            guard let ticket = sentCredentials[index].ticket else { return }
            sentCredentials[index].ticket = nil
            effects.append(.fail(ticket, code, .notDone, detail: nil))
        }
    }

    private func index<Requests: RandomAccessCollection<Element>, Element>(
        of sequence: UInt64, in requests: Requests, by number: (Element) -> UInt64
    ) -> Int? where Requests.Index == Int {
        var low = requests.startIndex
        var high = requests.endIndex
        while low < high {
            let middle = low + (high - low) / 2
            if number(requests[middle]) < sequence { low = middle + 1 } else { high = middle }
        }
        return low < requests.endIndex && number(requests[low]) == sequence ? low : nil
    }

    /// The driver takes what is to be written to the connection.
    package mutating func takeOutbox() -> ByteBuffer {
        takenThrough = sent.last?.sequence ?? takenThrough
        let taken = outbox
        outbox = ByteBuffer()
        return taken
    }
}

// MARK: sending

extension ClientSession {
    mutating func send(_ request: Queued, at now: NIODeadline) {
        if case .auth(let packet) = request.operation {
            sendCredential(packet, request, at: now)
            return
        }
        xid = xid == .max ? 1 : xid + 1
        guard write(request.operation, xid: xid, at: now) else {
            let detail =
                "the request is longer than \(settings.maximumRequestBytes) bytes; send "
                + "less, or raise maximumRequestBytes and the servers' jute.maxbuffer"
            effects.append(.fail(request.ticket, .invalidArgument, .notDone, detail: detail))
            return
        }
        if let watch = request.watch {
            watches.beginAdding(watch.registration.kind, at: watch.path)
        }
        sent.append(
            Sent(
                sequence: request.sequence, xid: xid, opCode: request.operation.opCode,
                purpose: Sent.Purpose(request.operation), ticket: request.ticket,
                watch: request.watch,
                deadline: request.deadline))
    }

    /// Sends something of this client's own.
    mutating func send(_ operation: Operation, purpose: Sent.Purpose, at now: NIODeadline) {
        xid = xid == .max ? 1 : xid + 1
        write(operation, xid: xid, at: now)
        sent.append(
            Sent(
                // They stay in order, so that a request can be found.
                sequence: sent.last?.sequence ?? 0, xid: xid, opCode: operation.opCode,
                purpose: purpose))
    }

    mutating func sendCredential(
        _ packet: AuthPacket, _ request: Queued? = nil, at now: NIODeadline
    ) {
        write(.auth(packet), xid: SpecialXid.auth, at: now)
        sentCredentials.append(
            SentCredential(
                sequence: request?.sequence ?? 0, packet: packet, ticket: request?.ticket,
                deadline: request?.deadline))
    }

    /// - Returns: false if the request is too long; nothing has been written then.
    @discardableResult
    mutating func write(_ operation: Operation, xid: Int32, at now: NIODeadline) -> Bool {
        let start = outbox.beginFrame()
        outbox.writeMultipleIntegers(xid, operation.opCode.rawValue)
        operation.write(to: &outbox)
        guard outbox.writerIndex - start - 4 <= settings.maximumRequestBytes else {
            outbox.moveWriterIndex(to: start)
            return false
        }
        outbox.endFrame(start)
        lastSent = now
        return true
    }

    mutating func failSent(_ code: ClientError.Code) {
        while let request = sent.popFirst() {
            guard let ticket = request.ticket else { continue }
            let wasTaken = request.sequence <= takenThrough
            let outcome: ClientError.Outcome =
                request.opCode.isWrite && wasTaken ? .unknown : .notDone
            effects.append(.fail(ticket, code, outcome, detail: nil))
        }
        while let request = sentCredentials.popFirst() {
            guard let ticket = request.ticket else { continue }
            effects.append(.fail(ticket, code, .notDone, detail: nil))
        }
    }

    mutating func failQueued(_ code: ClientError.Code) {
        queuedBytes = 0
        while let request = queued.popFirst() {
            effects.append(.fail(request.ticket, code, .notDone, detail: nil))
        }
    }
}

extension WatchRegistration {
    /// What a server calls it.
    var kind: WatchKind {
        switch self {
        case .exists, .data: .data
        case .children: .children
        case .persistent: .persistent
        case .recursive: .persistentRecursive
        }
    }

    /// Where it is kept, given the reply's error.
    func list(_ error: Int32) -> WatchList {
        switch self {
        case .exists: error == 0 ? .data : .exist
        case .data: .data
        case .children: .child
        case .persistent: .persistent
        case .recursive: .recursive
        }
    }
}
