public import AviaryWire
public import NIOCore

/// What a ``ZooKeeper`` is told besides where its servers are.
public struct ClientConfiguration: Sendable {
    /// How long the ensemble keeps the session without a word from here. Servers have bounds of
    /// their own (2 and 20 ticks): ``ZooKeeper/negotiatedTimeout`` is what came of it.
    public var sessionTimeout: Duration = .seconds(10)
    /// For requests that bring no timeout of their own; nil is no limit.
    public var requestTimeout: Duration?
    /// Whether a server without a quorum will do, for reads, while none with one is found.
    public var allowsReadOnly = false
    /// Given to the server on every connection, before any request.
    public var credentials: [AuthCredential] = []
    /// Authenticates with SASL DIGEST-MD5 on every connection, before any request.
    public var sasl: SASLCredential?
    /// A session to go on with, from another ``ZooKeeper``'s ``ZooKeeper/credentials``.
    public var resuming: SessionCredentials?
    /// Whether servers are tried in an order drawn by lot, which spreads clients over them.
    public var shufflesServers = true
    public var backoff = Backoff()
    /// How many requests may wait for their replies.
    public var maximumOutstanding = 100_000
    /// How many bytes of requests may wait to be sent.
    public var maximumQueuedBytes = 64 << 20
    /// The longest request, in bytes; the servers' `jute.maxbuffer`, which would break the
    /// connection over a longer one.
    public var maximumRequestBytes = 0xfffff
    /// The longest reply, in bytes; one that is longer breaks the connection.
    public var maximumFrameBytes = 64 << 20
    /// How many events a watch keeps for a reader that is slow, before it drops them all for one
    /// ``WatchEvent/Kind/resync``.
    public var watchBuffer = 1024
    /// Whose threads do input and output; nil is NIO's singleton.
    public var eventLoopGroup: (any EventLoopGroup)?

    public init() {}
}

/// The pause between attempts to connect: a random part of a span that doubles after every round
/// through the servers.
public struct Backoff: Hashable, Sendable {
    public var initial: Duration
    public var maximum: Duration

    public init(initial: Duration = .milliseconds(50), maximum: Duration = .seconds(2)) {
        self.initial = initial
        self.maximum = maximum
    }
}

/// What a client says about itself, in a scheme the servers provide.
public struct AuthCredential: Hashable, Sendable {
    public var scheme: String
    public var credential: [UInt8]

    public init(scheme: String, credential: [UInt8]) {
        self.scheme = scheme
        self.credential = credential
    }

    /// The `digest` scheme's: a user and a password.
    public static func digest(user: String, password: String) -> AuthCredential {
        AuthCredential(scheme: "digest", credential: Array("\(user):\(password)".utf8))
    }
}

/// A user and a password for SASL DIGEST-MD5.
public struct SASLCredential: Hashable, Sendable {
    public var user: String
    public var password: String

    public init(user: String, password: String) {
        self.user = user
        self.password = password
    }
}

/// What it takes to go on with a session.
public struct SessionCredentials: Hashable, Sendable {
    public var id: SessionID
    public var password: [UInt8]

    public init(id: SessionID, password: [UInt8]) {
        self.id = id
        self.password = password
    }
}
