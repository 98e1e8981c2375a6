#if Tracing
    import AviaryClient
    import InMemoryTracing
    import Testing
    import Tracing

    /// In a process of its own, because the tracer is the process's.
    struct TracingTests {
        @Test func `each request is a span below its caller's`() async {
            await #expect(processExitsWith: .success) {
                let tracer = InMemoryTracer()
                InstrumentationSystem.bootstrap(tracer)
                try await withTestServer { server in
                    try await ZooKeeper.withSession(server.connectString) { zk in
                        try await zk.sync()
                        _ = tracer.popFinishedSpans()
                        try await withSpan("caller") { _ in
                            try await zk.create("/a")
                            let error = await failure { () throws(ClientError) in
                                try await zk.getData("/none")
                            }
                            #expect(error?.refusal == .noNode)
                        }
                        #expect(tracer.activeSpans.isEmpty)
                        let spans = tracer.popFinishedSpans()
                        #expect(spans.map(\.operationName) == ["create", "getData", "caller"])
                        let caller = try #require(spans.last)
                        for span in spans.dropLast() {
                            #expect(span.kind == .client)
                            #expect(span.parentSpanID == caller.spanID)
                            #expect(span.traceID == caller.traceID)
                            #expect(text(span, "db.system.name") == "zookeeper")
                            #expect(text(span, "db.operation.name") == span.operationName)
                            #expect(text(span, "server.address") == zk.connectedServer)
                        }
                        expectSuccess(spans[0], path: "/a")
                        expectFailure(spans[1], path: "/none", kind: "noNode")
                    }
                }
            }
        }
    }

    private func text(_ span: FinishedInMemorySpan, _ key: String) -> String? {
        if case .string(let value) = span.attributes.get(key) { value } else { nil }
    }

    private func expectSuccess(_ span: FinishedInMemorySpan, path: String) {
        #expect(text(span, "zookeeper.path") == path)
        #expect(text(span, "error.type") == nil)
        #expect(span.errors.isEmpty)
        #expect(span.status == nil)
    }

    private func expectFailure(_ span: FinishedInMemorySpan, path: String, kind: String) {
        #expect(text(span, "zookeeper.path") == path)
        #expect(text(span, "error.type") == kind)
        #expect(span.errors.count == 1)
        #expect(span.errors.first?.error is ClientError)
        #expect(span.status?.code == .error)
    }
#endif
