import AviaryCore
import AviaryWire
import Logging
import NIOCore
import Zab

extension Host {
    /// Opens the ports for the other members, if there are any.
    func join(
        _ configuration: ServerConfiguration, _ disk: DiskThreads
    ) async throws(LaunchError) {
        guard let ensemble = configuration.ensemble else { return }
        let loop = loops[0]
        let part = configuration.quorum.snapshotSizeFactor
        do {
            try await loop.flatSubmit {
                let links = PeerLinks(
                    own: configuration.server, members: ensemble.members.map(\.peerAddress),
                    PeerLinkSettings(configuration), on: loop, logger: self.logger,
                    readLog: { first, last, answer in
                        disk.readHistory(from: first, through: last, snapshotPart: part, answer)
                    },
                    deliver: { self.receive($0) })
                self.use(links)
                return links.start()
            }.get()
        } catch let error as LaunchError {
            throw error
        } catch {
            throw LaunchError(message: "\(error)", exitCode: 1)
        }
    }

    /// Closes the links to the other members.
    func part() async {
        let parted = loops[0].submit {
            self.links.value?.stop()
            self.links.value = nil
        }
        do {
            try await parted.get()
        } catch {
            logger.debug("closing the links failed", metadata: ["error": "\(error)"])
        }
    }
}

extension EnsembleConfiguration.Member {
    fileprivate var peerAddress: PeerAddress {
        PeerAddress(
            id: id, quorum: addresses.map { .init($0.host, $0.quorumPort) },
            election: addresses.map { .init($0.host, $0.electionPort) })
    }
}

extension PeerLinkSettings {
    fileprivate init(_ configuration: ServerConfiguration) {
        let quorum = configuration.quorum
        let tick = Int64(configuration.tickTimeMilliseconds)
        connectTimeout = .milliseconds(Int64(quorum.cnxTimeoutMilliseconds))
        let handshake = Int64(quorum.quorumCnxnTimeoutMilliseconds)
        electionHandshakeTimeout = .milliseconds(
            handshake > 0 ? handshake : tick * Int64(configuration.syncLimit))
        initTime = .milliseconds(tick * Int64(configuration.initLimit))
        listensOnAllAddresses = quorum.listensOnAllIPs
        sendsAllAddresses = quorum.multiAddressEnabled
        maximumPacketLength = max(
            QuorumPacketDecoder.defaultMaximumLength, 2 * configuration.juteMaxBufferBytes)
        tcpKeepAlive = quorum.tcpKeepAlive
        extendedTypes = configuration.extendedTypesEnabled
    }
}

extension ServerConfiguration {
    func membership(recovered: QuorumPeer.Recovered) -> ServerCore.Membership {
        ensemble == nil ? .standalone : .member(quorumSettings(), recovered)
    }
}
