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
        let masterPort = configuration.quorum.observerMasterPort
        let usesMasters =
            masterPort > 0 && ensemble.member(configuration.server)?.isObserver == true
        loop.execute {
            self.use(
                PeerLinks(
                    own: configuration.server,
                    members: ensemble.members.map {
                        $0.peerAddress(
                            with: usesMasters && $0.id != configuration.server ? masterPort : nil)
                    },
                    PeerLinkSettings(configuration), on: loop, logger: self.logger,
                    readLog: { first, last, answer in
                        disk.readHistory(from: first, through: last, snapshotPart: part, answer)
                    },
                    deliver: { self.receive($0) }))
        }
        try await openPorts(attempts: configuration.quorum.electionPortBindRetry)
    }

    /// The process before may still hold a port, or the own name is not known everywhere yet.
    ///
    /// Source: QuorumCnxManager.Listener, ZooKeeper 3.9.5.
    private func openPorts(attempts: Int) async throws(LaunchError) {
        var attempt = 1
        while true {
            do {
                return try await openPorts()
            } catch {
                if attempt == attempts { throw error }
                logger.warning(
                    "trying again in a second", metadata: ["error": "\(error.message)"])
            }
            attempt += 1
            do {
                try await Task.sleep(for: .seconds(1))
            } catch {
                throw LaunchError(message: "stopped before a port was open", exitCode: 1)
            }
        }
    }

    private func openPorts() async throws(LaunchError) {
        let loop = loops[0]
        do {
            try await loop.flatSubmit {
                self.links.value?.start() ?? loop.makeSucceededVoidFuture()
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
    /// - Parameter masterPort: where observers connect, in place of the leader's port.
    fileprivate func peerAddress(with masterPort: Int?) -> PeerAddress {
        PeerAddress(
            id: id, quorum: addresses.map { .init($0.host, masterPort ?? $0.quorumPort) },
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
