#if Metrics
    import AviaryClient
    import Metrics
    import MetricsTestKit
    import Testing

    /// Each in a process of its own, because the factory of metrics is the process's.
    struct MetricsTests {
        @Test func `each request is timed, by its operation and by what went wrong`() async {
            await #expect(processExitsWith: .success) {
                let metrics = TestMetrics()
                MetricsSystem.bootstrap(metrics)
                try await withTestServer { server in
                    try await ZooKeeper.withSession(server.connectString) { zk in
                        try await zk.sync()
                        metrics.reset()
                        try await zk.create("/a")
                        for _ in 0..<3 { _ = try await zk.getData("/a") }
                        let refused = await failure { () throws(ClientError) in
                            try await zk.getData("/none")
                        }
                        #expect(refused?.refusal == .noNode)
                        let late = await failure { () throws(ClientError) in
                            try await zk.submit(.getData("/a"), timeout: .zero).value
                        }
                        #expect(late?.code == .timedOut)

                        let timers = metrics.timers(label: "db.client.operation.duration")
                        let counts = timers.map { timer in
                            let dimensions = timer.dimensions.map { "\($0.0)=\($0.1)" }
                            return "\(timer.values.count) " + dimensions.joined(separator: " ")
                        }
                        #expect(
                            counts.sorted() == [
                                "1 db.system.name=zookeeper db.operation.name=create",
                                "1 db.system.name=zookeeper db.operation.name=getData "
                                    + "error.type=noNode",
                                "1 db.system.name=zookeeper db.operation.name=getData "
                                    + "error.type=timedOut",
                                "3 db.system.name=zookeeper db.operation.name=getData",
                            ])
                        let values = timers.flatMap(\.values)
                        #expect(values.allSatisfy { (1..<15_000_000_000).contains($0) })
                    }
                }
            }
        }

        @Test func `each change of a session's state is counted`() async {
            await #expect(processExitsWith: .success) {
                let metrics = TestMetrics()
                MetricsSystem.bootstrap(metrics)
                try await withTestServer { server in
                    let proxy = try await Proxy.start(to: server.servers)
                    metrics.reset()
                    try await ZooKeeper.withSession(proxy.address) { zk in
                        for _ in 0..<2 {
                            try await zk.waitUntilConnected(timeout: .seconds(15))
                            var states = zk.states.makeAsyncIterator()
                            _ = await states.next()
                            proxy.cut()
                            #expect(await states.next() == .suspended)
                            #expect(await states.next() == .reconnected(sameSession: true))
                        }
                    }
                    await proxy.stop()
                    let counters = metrics.counters(label: "zookeeper.client.session.state_changes")
                    let counts = counters.map { counter in
                        let state = counter.dimensions.last { $0.0 == "zookeeper.session.state" }
                        return "\(counter.totalValue) \(state?.1 ?? "")"
                    }
                    #expect(
                        counts.sorted() == [
                            "1 closed", "1 connected", "2 reconnected", "2 suspended",
                        ])
                }
            }
        }
    }
#endif
