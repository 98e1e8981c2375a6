import Glibc
import NIOCore
import NIOPosix

/// A port on which other servers call, on one or more addresses.
final class PeerPort {
    /// More are waiting, or are here, than there may be.
    struct Refusal: Error {}

    private let loop: any EventLoop
    /// What the port is for, in messages.
    private let name: String
    /// Of the process, if the port cannot be had.
    private let exitCode: Int32
    private let keepAlive: Bool
    private let accept: (any Channel) throws -> Void
    private var channels: [any Channel] = []
    private var failure: LaunchError?

    /// - Parameter accept: adds a handler to a new connection, which reads nothing until it is set
    ///   to; or throws, and the connection is closed.
    init(
        _ name: String, on loop: any EventLoop, exitCode: Int32, keepAlive: Bool = false,
        accept: @escaping (any Channel) throws -> Void
    ) {
        self.name = name
        self.loop = loop
        self.exitCode = exitCode
        self.keepAlive = keepAlive
        self.accept = accept
    }

    /// The ports that are open; of interest if the system was to choose.
    var ports: [Int] { channels.compactMap { $0.localAddress?.port } }

    /// Fails with a `LaunchError` if one address cannot be had; none is open then.
    func open(
        _ endpoints: [PeerAddress.Endpoint], onAllAddresses: Bool
    ) -> EventLoopFuture<Void> {
        let opened = loop.makePromise(of: Void.self)
        failure = nil
        let wanted = onAllAddresses ? Self.everywhere(endpoints) : endpoints
        let bindings = wanted.map { endpoint in
            bind(endpoint, onAllAddresses).assumeIsolated().map { self.channels.append($0) }
                .flatMapErrorThrowing { self.failed($0, endpoint) }.nonisolated()
        }
        EventLoopFuture.andAllComplete(bindings, on: loop).assumeIsolated().whenComplete { _ in
            guard let failure = self.failure else { return opened.succeed() }
            self.close()
            opened.fail(failure)
        }
        return opened.futureResult
    }

    func close() {
        for channel in channels { channel.close(promise: nil) }
        channels = []
    }

    /// One for each port; the host is for messages.
    private static func everywhere(_ endpoints: [PeerAddress.Endpoint]) -> [PeerAddress.Endpoint] {
        Set(endpoints.map(\.port)).sorted().map { PeerAddress.Endpoint("::", $0) }
    }

    private func bind(
        _ endpoint: PeerAddress.Endpoint, _ onAllAddresses: Bool
    ) -> EventLoopFuture<any Channel> {
        let bootstrap = self.bootstrap
        let first = bootstrap.bind(host: endpoint.host, port: endpoint.port)
        guard onAllAddresses else { return first }
        // A socket for IPv6 takes IPv4 too, but there may be no IPv6.
        return first.assumeIsolated().flatMapError { error in
            let code = (error as? IOError)?.errnoCode
            guard code == EAFNOSUPPORT || code == EADDRNOTAVAIL else {
                return self.loop.makeFailedFuture(error)
            }
            return bootstrap.bind(host: "0.0.0.0", port: endpoint.port)
        }.nonisolated()
    }

    private var bootstrap: ServerBootstrap {
        let port = NIOLoopBound(self, eventLoop: loop)
        return ServerBootstrap(group: loop)
            .serverChannelOption(.backlog, value: Self.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: keepAlive ? 1 : 0)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try port.value.accept(channel) }
            }
    }

    private static let backlog: CInt = 128

    private func failed(_ error: any Error, _ endpoint: PeerAddress.Endpoint) {
        let code = (error as? IOError)?.errnoCode
        let advice =
            code == EADDRINUSE
            ? "stop what listens there, or give this server another port in its server line"
            : "correct this server's line, or set quorumListenOnAllIPs=true if the address is not "
                + "one of this machine"
        failure = LaunchError(
            message: "cannot listen on \(endpoint), the \(name) port: \(error); \(advice)",
            exitCode: exitCode)
    }
}
