#if Tracing
    import AviaryWire
    import Tracing

    extension ZooKeeper {
        /// A span around a request, by OpenTelemetry's conventions for database clients.
        ///
        /// Not by `withSpan`, whose closures leave the caller's actor: see `Pending.result`.
        func traced<Reply>(_ request: Request<Reply>) async throws(ClientError) -> Reply {
            let operation = request.operation.name
            let span = startSpan(operation, ofKind: .client)
            defer { span.end() }
            span.attributes["db.system.name"] = "zookeeper"
            span.attributes["db.operation.name"] = operation
            if let path = request.operation.path { span.attributes["zookeeper.path"] = "\(path)" }
            let result = await driver.submit(request, timeout: nil).result(isolation: #isolation)
            if let server = connectedServer { span.attributes["server.address"] = server }
            if case .failure(let error) = result {
                span.attributes["error.type"] = error.kind
                span.recordError(error)
                span.setStatus(SpanStatus(code: .error, message: error.message))
            }
            return try result.get()
        }
    }
#endif
