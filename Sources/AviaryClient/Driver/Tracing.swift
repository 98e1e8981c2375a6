#if Tracing
    import AviaryWire
    import Tracing

    extension ZooKeeper {
        /// A span around a request, by OpenTelemetry's conventions for database clients.
        func traced<Reply>(_ request: Request<Reply>) async throws(ClientError) -> Reply {
            let operation = request.operation.name
            let result = await withSpan(operation, ofKind: .client) {
                span -> Result<Reply, ClientError> in
                span.attributes["db.system.name"] = "zookeeper"
                span.attributes["db.operation.name"] = operation
                if let path = request.operation.path {
                    span.attributes["zookeeper.path"] = "\(path)"
                }
                let result = await self.result(of: request)
                if let server = connectedServer { span.attributes["server.address"] = server }
                if case .failure(let error) = result {
                    span.attributes["error.type"] = error.kind
                    span.recordError(error)
                    span.setStatus(SpanStatus(code: .error, message: error.message))
                }
                return result
            }
            return try result.get()
        }

        private func result<Reply>(of request: Request<Reply>) async -> Result<Reply, ClientError> {
            do throws(ClientError) {
                return .success(try await driver.submit(request, timeout: nil).value)
            } catch {
                return .failure(error)
            }
        }
    }
#endif
