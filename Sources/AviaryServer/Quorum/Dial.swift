import NIOCore
import NIOPosix

/// One attempt to connect to a server at any of its addresses: all are tried at once, and the first
/// that answers wins.
///
/// Source: Learner.connectToLeader with multiple addresses, ZooKeeper 3.9.5.
final class Dial {
    struct Failure: Error, CustomStringConvertible {
        /// Which addresses were tried and what came of each.
        let description: String
    }

    private let endpoints: [PeerAddress.Endpoint]
    private var failures: [String] = []
    private var finished: ((Result<any Channel, Failure>) -> Void)?

    /// Nothing is read from the channel before the caller sets it to read.
    ///
    /// - Parameter finished: called once, unless the dial is cancelled before.
    init(
        to endpoints: [PeerAddress.Endpoint],
        finished: @escaping (Result<any Channel, Failure>) -> Void
    ) {
        self.endpoints = endpoints
        self.finished = finished
    }

    func start(on loop: any EventLoop, timeout: TimeAmount, keepAlive: Bool = false) {
        precondition(!endpoints.isEmpty, "there is an address to connect to")
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(timeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: keepAlive ? 1 : 0)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(.autoRead, value: false)
        for endpoint in endpoints {
            bootstrap.connect(host: endpoint.host, port: endpoint.port)
                .assumeIsolated().whenComplete { self.ended($0, endpoint) }
        }
    }

    func cancel() {
        finished = nil
    }

    private func ended(_ result: Result<any Channel, any Error>, _ endpoint: PeerAddress.Endpoint) {
        switch result {
        case .success(let channel):
            guard let finished else {
                channel.close(promise: nil)
                return
            }
            self.finished = nil
            finished(.success(channel))
        case .failure(let error):
            failures.append("\(endpoint): \(error)")
            guard failures.count == endpoints.count, let finished else { return }
            self.finished = nil
            finished(.failure(Failure(description: failures.joined(separator: "; "))))
        }
    }
}
