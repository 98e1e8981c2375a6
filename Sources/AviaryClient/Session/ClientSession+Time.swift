import DequeModule
package import NIOCore

extension ClientSession {
    /// A server that says nothing for so long is given up.
    var readLimit: TimeAmount { .nanoseconds(negotiatedTimeout.nanoseconds / 3 * 2) }
    var pingInterval: TimeAmount { .nanoseconds(negotiatedTimeout.nanoseconds / 3) }

    /// How long an attempt to connect may take, with the handshake.
    var attemptLimit: TimeAmount {
        .nanoseconds(negotiatedTimeout.nanoseconds / Int64(hosts.count))
    }

    /// When `timePassed` is to be called, unless something else happens first.
    package var deadline: NIODeadline? {
        var earliest = requestDeadline
        func consider(_ other: NIODeadline?) {
            guard let other else { return }
            earliest = earliest.map { min($0, other) } ?? other
        }
        switch phase {
        case .idle: break
        case .ended: return nil
        case .waiting(let until), .connecting(let until), .handshaking(let until),
            .authenticating(let until):
            consider(until)
        case .connected:
            consider(lastSent + pingInterval)
            consider(lastHeard + readLimit)
            consider(closeDeadline)
            consider(probing?.deadline)
        }
        return earliest
    }

    /// Does what is due. Early calls do no harm.
    package mutating func timePassed(at now: NIODeadline) {
        timeOutRequests(at: now)
        switch phase {
        case .idle, .ended: break
        case .waiting(let until):
            if now >= until { beginAttempt(at: now) }
        case .connecting(let until), .handshaking(let until), .authenticating(let until):
            if now >= until { lose(at: now) }
        case .connected: watchConnection(at: now)
        }
    }

    private mutating func watchConnection(at now: NIODeadline) {
        if let closeDeadline, now >= closeDeadline {
            end(.closed)
        } else if now >= lastHeard + readLimit {
            lose(at: now)
        } else {
            if now >= lastSent + pingInterval { ping(at: now) }
            probeIfDue(at: now)
        }
    }

    private mutating func timeOutRequests(at now: NIODeadline) {
        guard let requestDeadline, now >= requestDeadline else { return }
        var earliest: NIODeadline?
        var overdue: [UInt64] = []
        func look(_ deadline: NIODeadline?, _ sequence: UInt64) {
            guard let deadline else { return }
            if deadline <= now {
                overdue.append(sequence)
            } else {
                earliest = earliest.map { min($0, deadline) } ?? deadline
            }
        }
        for request in sent where request.ticket != nil {
            look(request.deadline, request.sequence)
        }
        for request in sentCredentials where request.ticket != nil {
            look(request.deadline, request.sequence)
        }
        for request in queued { look(request.deadline, request.sequence) }
        self.requestDeadline = earliest
        for sequence in overdue { withdraw(sequence, .timedOut) }
    }
}
