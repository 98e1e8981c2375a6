import AviaryClient

/// The workloads that are not made of single requests on sessions that stay.
extension BenchLoad {
    // MARK: watch

    /// All watch one node; it is written; each waits for its notification.
    func watchRounds() async {
        var schedule = plan.rate.map {
            BenchSchedule(from: begin, rate: $0, turn: 0, of: plan.operationsPerTurn)
        }
        while !Task.isCancelled, BenchClock.now() < recorder.window.upperBound {
            do {
                let watches = try await watchNode()
                if let due = schedule?.due {
                    if due >= recorder.window.upperBound { break }
                    try await BenchClock.sleep(until: due)
                }
                try await write(watches, since: schedule?.due ?? BenchClock.now())
                schedule?.next()
            } catch let error as ClientError where error.code != .cancelled {
                recorder.failed(error, since: schedule?.due ?? BenchClock.now())
                if error.isFinal { return }
            } catch {
                return
            }
        }
        if let schedule { miss(schedule) }
    }

    private func watchNode() async throws(ClientError) -> [Watch] {
        let node = nodes.prepared[0]
        let pending = connections.map { $0.zk.submit(.getDataAndWatch(node)) }
        var watches: [Watch] = []
        for one in pending { watches.append(try await one.value.watch) }
        return watches
    }

    private func write(_ watches: [Watch], since begin: Int64) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            for watch in watches {
                group.addTask {
                    var events = watch.makeAsyncIterator()
                    guard try await events.next() != nil else { return }
                    recorder.succeeded(.watch, since: begin)
                }
            }
            try await connections[0].zk.setData(nodes.prepared[0], nodes.data)
        }
    }

    // MARK: connect

    /// Opens sessions and closes them, one at a time.
    func openSessions(_ slot: Int) async {
        var schedule = plan.rate.map {
            BenchSchedule(from: begin, rate: $0, turn: slot, of: plan.connections)
        }
        while !Task.isCancelled, BenchClock.now() < recorder.window.upperBound {
            do {
                if let due = schedule?.due {
                    if due >= recorder.window.upperBound { break }
                    try await BenchClock.sleep(until: due)
                }
                let begin = schedule?.due ?? BenchClock.now()
                try await openSession(since: begin)
                schedule?.next()
            } catch {
                return
            }
        }
        if let schedule { miss(schedule) }
    }

    /// - Throws: only when the task is cancelled.
    private func openSession(since begin: Int64) async throws {
        do {
            try await ZooKeeper.withSession(
                plan.servers, configuration: plan.clientConfiguration
            ) { zk in
                try await zk.waitUntilConnected(timeout: plan.connectTimeout)
            }
            recorder.succeeded(.connect, since: begin)
        } catch let error as ClientError where error.code != .cancelled {
            recorder.failed(error, since: begin)
        }
    }
}
