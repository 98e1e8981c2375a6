import AviaryWire
import NIOCore

/// How the sockets between servers behave, and how much a peer or a stranger may cost.
struct PeerLinkSettings: Sendable {
    /// How long a connection may take to be made (`zookeeper.cnxTimeout`).
    var connectTimeout = TimeAmount.milliseconds(5000)
    /// How long a connection to the election port may take to say whose it is
    /// (`zookeeper.quorumCnxnTimeoutMs`).
    var electionHandshakeTimeout = TimeAmount.milliseconds(10_000)
    /// How long a learner may take to introduce itself (`initLimit` ticks).
    var initTime = TimeAmount.milliseconds(20_000)
    /// Listens on every address of the machine, not only on the member's own
    /// (`quorumListenOnAllIPs`).
    var listensOnAllAddresses = false
    /// Tells the others all addresses, in a form that servers before 3.6 refuse
    /// (`multiAddress.enabled`).
    var sendsAllAddresses = false
    /// The longest data in a packet that is accepted; from `jute.maxbuffer`.
    var maximumPacketLength = QuorumPacketDecoder.defaultMaximumLength
    /// On the election port (`zookeeper.tcpKeepAlive`).
    var tcpKeepAlive = false
    /// Whether a tree that is received may have nodes with a time to live.
    var extendedTypes = false

    /// Connections to one port that have not introduced themselves.
    var maximumStrangers = 64
    /// Servers with an election link that are not members.
    var maximumOutsiders = 32
    /// Connections of learners.
    var maximumLearners = 1024
    /// How long a learner waits for this server to learn that it leads.
    var parkingTime = TimeAmount.seconds(1)
    /// How long a server with a larger id has to connect back before it is asked again.
    var connectBackTime = TimeAmount.seconds(1)
    /// What may wait to be sent on one link of the quorum port; beyond this it is closed.
    var maximumQueuedBytes = 256 << 20
}
