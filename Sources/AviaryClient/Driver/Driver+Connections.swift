import AviaryWire
import Logging
import NIOCore
import Synchronization

extension Driver {
    func connect(_ host: Host, _ attempt: UInt64, _ limit: TimeAmount) {
        state.withLock { $0.attempt = attempt }
        logger.debug("connecting", metadata: ["server.address": "\(host)"])
        transport.connect(host, loop, limit).assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel): self.connected(channel, host, attempt)
            case .failure(let error):
                self.logger.debug(
                    "could not connect",
                    metadata: ["server.address": "\(host)", "error.message": "\(error)"])
                self.connectionLost(attempt)
            }
        }
    }

    private func connected(_ channel: any Channel, _ host: Host, _ attempt: UInt64) {
        let isWanted = state.withLock { state in
            guard state.attempt == attempt else { return false }
            state.channel = channel
            state.session.connectionMade(attempt, at: .now())
            return true
        }
        guard isWanted else {
            channel.close(promise: nil)
            return
        }
        do {
            let handler = ConnectionHandler(driver: self, attempt: attempt)
            try channel.pipeline.syncOperations.addHandler(handler)
        } catch {
            channel.close(promise: nil)
            connectionLost(attempt)
            return
        }
        channel.setOption(.autoRead, value: true).whenFailure { _ in
            channel.close(promise: nil)
        }
        pump()
    }

    func disconnect(_ attempt: UInt64) {
        let channel = state.withLock { state -> (any Channel)? in
            guard state.attempt == attempt else { return nil }
            state.attempt = 0
            defer { state.channel = nil }
            return state.channel
        }
        channel?.close(promise: nil)
    }

    func probe(_ host: Host, _ number: UInt64) {
        transport.connect(host, loop, Probe.limit).assumeIsolated().whenComplete { result in
            guard case .success(let channel) = result else {
                self.probeAnswered(number, isReadWrite: false)
                return
            }
            let probe = Probe { self.probeAnswered(number, isReadWrite: $0) }
            do {
                try channel.pipeline.syncOperations.addHandler(probe)
            } catch {
                channel.close(promise: nil)
                self.probeAnswered(number, isReadWrite: false)
            }
        }
    }

    private func probeAnswered(_ number: UInt64, isReadWrite: Bool) {
        state.withLock {
            $0.session.probeAnswered(number, isReadWrite: isReadWrite, at: .now())
        }
        pump()
    }
}

// MARK: states

extension Driver {
    func subscribe() -> StateSubscription {
        let queue = StateSubscription.makeQueue()
        let number = state.withLock { state in
            state.nextObserver += 1
            queue.offer(state.toldState)
            if state.toldState.isFinal {
                queue.finish()
            } else {
                state.observers[state.nextObserver] = queue
            }
            return state.nextObserver
        }
        return StateSubscription(queue: queue, number: number, driver: self)
    }

    func unsubscribe(_ number: UInt64) {
        let queue = state.withLock { $0.observers.removeValue(forKey: number) }
        queue?.finish()
    }

    func tell(_ new: SessionState) {
        let (queues, session, server) = state.withLock { state in
            state.toldState = new
            return (
                Array(state.observers.values), state.session.sessionID,
                state.session.connectedHost
            )
        }
        log(new, session, server)
        Measurement.entered(new)
        for queue in queues {
            queue.offer(new)
            if new.isFinal { queue.finish() }
        }
        if new.isFinal { ended() }
    }

    private func ended() {
        let (waiters, timer) = state.withLock { state in
            defer {
                state.observers = [:]
                state.waitersForEnd = []
                state.timer = nil
            }
            return (state.waitersForEnd, state.timer)
        }
        timer?.cancel()
        for waiter in waiters { waiter.give(()) }
    }

    private func log(_ new: SessionState, _ session: SessionID, _ server: Host?) {
        var metadata: Logger.Metadata = ["state": "\(new)", "session": "\(session)"]
        if let server { metadata["server.address"] = "\(server)" }
        let level: Logger.Level =
            switch new {
            case .suspended, .expired: .warning
            case .authenticationFailed: .error
            case .connecting, .connected, .reconnected, .readOnly, .closed: .info
            }
        logger.log(level: level, "session state changed", metadata: metadata)
    }

    /// Why the session is over, once that has been told.
    var ending: ClientError.Code? {
        state.withLock { $0.toldState.isFinal ? $0.session.ending : nil }
    }

    /// Waits for the end, also in a task that is cancelled: it comes within a limit of its own.
    func untilEnded() async {
        let waiter = Handover<Void>()
        let isOver = state.withLock { state in
            if !state.toldState.isFinal { state.waitersForEnd.append(waiter) }
            return state.toldState.isFinal
        }
        if !isOver { await waiter.value }
    }

    func waitUntilConnected(_ timeout: Duration?) async throws(ClientError) {
        let subscription = subscribe()
        let name = "waitUntilConnected"
        let timer = timeout.map { limit in
            loop.scheduleTask(in: TimeAmount(limit)) {
                subscription.queue.finish(ClientError(.timedOut, operation: name))
            }
        }
        defer { timer?.cancel() }
        while true {
            switch await subscription.queue.next() {
            case .element(let state):
                if state.isConnected { return }
                if state.isFinal { throw ClientError(ending ?? .closed, operation: name) }
            case .end(let error): throw error ?? ClientError(.cancelled, operation: name)
            }
        }
    }
}
