import AviaryClient

/// A session of the shell with an ensemble, with what it says about itself.
@ShellActor
final class ShellSession {
    let zk: ZooKeeper
    let connectString: String
    let watches: ShellWatches
    /// Of the states, the last that was printed.
    private(set) var state = SessionState.connecting
    /// Those who wait until there is a connection or there will be none.
    private var waiters: [CheckedContinuation<Void, Never>] = []
    /// Set when no other state follows.
    private var isAtEnd = false
    private let shell: Shell

    init(_ connectString: String, _ shell: Shell) throws(ShellError) {
        var configuration = ClientConfiguration()
        configuration.sessionTimeout = .milliseconds(Int64(shell.settings.timeoutMilliseconds))
        configuration.allowsReadOnly = shell.settings.allowsReadOnly
        configuration.eventLoopGroup = ShellActor.eventLoops
        do throws(ClientError) {
            zk = try ZooKeeper(connectString, configuration: configuration)
        } catch {
            throw ShellError(error.message, exitCode: 2)
        }
        self.connectString = connectString
        self.shell = shell
        watches = ShellWatches(shell.jobs) { news in
            shell.interject {
                shell.printEvent(
                    state: "SyncConnected", type: news.zooKeeperName, path: news.path,
                    zxid: news.zxid?.rawValue ?? -1)
            }
        }
    }

    func start() {
        let zk = zk
        let states = zk.states
        shell.jobs.start { [self] in
            for await state in states { enter(state) }
            isAtEnd = true
            releaseWaiters()
        }
        shell.jobs.start {
            do throws(ClientError) {
                try await zk.run()
            } catch {
                // The last state says the same.
            }
        }
    }

    private func enter(_ new: SessionState) {
        state = new
        if let name = new.zooKeeperName {
            shell.interject { shell.printEvent(state: name, type: "None", path: nil, zxid: -1) }
        }
        releaseWaiters()
    }

    private func releaseWaiters() {
        let released = waiters
        waiters = []
        for waiter in released { waiter.resume() }
    }

    /// Waits for the first connection, so that what is printed of it comes before the answers.
    func waitForConnection() async throws(ShellError) {
        if state.isConnected || state.isFinal { return }
        do throws(ClientError) {
            try await zk.waitUntilConnected(timeout: shell.settings.connectionTimeout)
        } catch {
            if error.code == .timedOut {
                throw ShellError(
                    "no server of \(connectString) answered within "
                        + "\(shell.settings.connectionTimeout); is one running there?")
            }
            throw ShellError(error)
        }
        await untilTold { $0.isConnected }
    }

    /// Ends the session at the server, and waits until its last words are printed.
    func close() async {
        await zk.close()
        await untilTold { _ in false }
    }

    /// Waits until a state was printed that is as wanted, or the last.
    private func untilTold(_ isWanted: (SessionState) -> Bool) async {
        while !isWanted(state) && !state.isFinal && !isAtEnd {
            await withCheckedContinuation { continuation in
                // What is awaited may have come on the way here.
                if isWanted(state) || state.isFinal || isAtEnd {
                    continuation.resume()
                } else {
                    waiters.append(continuation)
                }
            }
        }
    }

    /// As zkCli.sh's prompt calls it.
    var stateName: String {
        switch state {
        case .connecting, .suspended: "CONNECTING"
        case .connected, .reconnected: "CONNECTED"
        case .readOnly: "CONNECTEDREADONLY"
        case .closed, .expired: "CLOSED"
        case .authenticationFailed: "AUTH_FAILED"
        }
    }
}

extension SessionState {
    /// The state of ZooKeeper's `WatchedEvent`; nil for one that it does not tell of.
    var zooKeeperName: String? {
        switch self {
        case .connecting: nil
        case .connected, .reconnected: "SyncConnected"
        case .readOnly: "ConnectedReadOnly"
        case .suspended: "Disconnected"
        case .expired: "Expired"
        case .closed: "Closed"
        case .authenticationFailed: "AuthFailed"
        }
    }
}
