import AviaryWire

#if Metrics
    import Metrics
    import NIOCore
#endif

/// What is measured of a request and of a session, with the trait `Metrics`: by the names of
/// OpenTelemetry's conventions for database clients.
struct Measurement: Sendable {
    #if Metrics
        private let start = NIODeadline.now()
        private let operation: String

        init(_ operation: Operation) {
            self.operation = operation.name
        }

        func end<Reply>(_ outcome: Result<Reply, ClientError>) {
            var dimensions = [("db.system.name", "zookeeper"), ("db.operation.name", operation)]
            if case .failure(let error) = outcome {
                dimensions.append(("error.type", error.kind))
            }
            let timer = Metrics.Timer(
                label: "db.client.operation.duration", dimensions: dimensions)
            timer.recordNanoseconds((NIODeadline.now() - start).nanoseconds)
        }

        static func entered(_ state: SessionState) {
            let name =
                switch state {
                case .reconnected: "reconnected"
                default: "\(state)"
                }
            Counter(
                label: "zookeeper.client.session.state_changes",
                dimensions: [("db.system.name", "zookeeper"), ("zookeeper.session.state", name)]
            ).increment()
        }
    #else
        @inline(__always)
        init(_ operation: Operation) {}

        @inline(__always)
        func end<Reply>(_ outcome: Result<Reply, ClientError>) {}

        static func entered(_ state: SessionState) {}
    #endif
}

extension Operation {
    /// As the method is called.
    var name: String {
        switch opCode {
        case .create2, .createContainer, .createTTL: "create"
        case .getChildren2: "getChildren"
        case .auth: "addAuth"
        default: "\(opCode)"
        }
    }
}

extension ClientError {
    /// A name for dimensions of metrics and attributes of spans, of few values.
    var kind: String {
        switch code {
        case .refused(let reason): "\(reason)"
        case .refusedWithUnknownCode(let code): "\(code)"
        default: "\(code)"
        }
    }
}
