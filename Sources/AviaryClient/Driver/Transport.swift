package import NIOCore
import NIOPosix

/// How connections are made. TLS slips in here: a transport that puts its handlers into the
/// channel before anything is read.
package struct Transport: Sendable {
    /// A connection on the loop. Nothing is read from it before it is told to.
    package var connect:
        @Sendable (Host, any EventLoop, _ limit: TimeAmount) -> EventLoopFuture<any Channel>

    package init(
        connect:
            @escaping @Sendable (Host, any EventLoop, _ limit: TimeAmount) ->
            EventLoopFuture<any Channel>
    ) {
        self.connect = connect
    }

    /// Plain TCP. The name is looked up at each attempt, and all its addresses are tried.
    package static let tcp = Transport { host, loop, limit in
        ClientBootstrap(group: loop)
            .connectTimeout(limit)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.autoRead, value: false)
            .connect(host: host.name, port: host.port)
    }
}
