import AviaryClient

/// The shell of ZooKeeper's C client.
///
/// Source of the lines: what cli_mt 3.8.0 prints, and `create` as the versions before 3.5.6.
@ShellActor
final class CShell {
    let zk: ZooKeeper
    let jobs = BackgroundJobs()
    let watches: ShellWatches
    let printsModes: Bool
    /// Begun by `ls`, read also by `get`, as in cli_mt. There it begins in 1970; here with the shell.
    var clock = ContinuousClock.now
    var isVerbose = false
    private(set) var isOver = false
    private var session = SessionID.none
    private var wasConnected = false

    init(_ zk: ZooKeeper, printsModes: Bool) {
        self.zk = zk
        self.printsModes = printsModes
        watches = ShellWatches(jobs) { event in
            if let type = event.type {
                CShell.say("Watcher \(type.cName) state = CONNECTED_STATE for path \(event.path)")
            }
        }
    }

    /// Everything but `myid` goes to standard error.
    static func say(_ text: String) { writeToStandardError(text + "\n") }
    func say(_ text: String) { Self.say(text) }

    /// Runs the lines until there are no more, and returns the exit code.
    func run(lines: some LineSource) async -> Int32 {
        await jobs.run { [self] in
            let states = zk.states
            jobs.start { [self] in
                for await state in states { enter(state) }
            }
            jobs.start { [zk] in
                do throws(ClientError) {
                    try await zk.run()
                } catch {
                    // The last state says the same.
                }
            }
            while !isOver, let line = await lines.next(prompt: { "" }) {
                await take(line)
            }
            isOver = true
            await zk.close()
            return zk.state == .closed ? 0 : 1
        }
    }

    private func enter(_ state: SessionState) {
        if isOver { return }
        if let name = state.cName { say("Watcher SESSION_EVENT state = \(name)") }
        if state.isConnected && zk.sessionID != session {
            session = zk.sessionID
            say("Got a new session id: 0x\(Self.hexadecimal(session.rawValue))")
        }
        switch state {
        case .expired:
            say("Session expired. Shutting down...")
            isOver = true
        case .authenticationFailed:
            say("Authentication failure. Shutting down...")
            isOver = true
        default: break
        }
    }

    func quit() {
        say("Quitting...")
        isOver = true
    }

    // MARK: Asking

    /// What the server answered, or cli_mt's number for why not.
    ///
    /// What the client told of before the answer is printed before it.
    func ask<Reply: Sendable>(_ request: Request<Reply>) async -> Result<Reply, ReturnCode> {
        let pending = zk.submit(request)
        let result: Result<Reply, ReturnCode>
        do throws(ClientError) {
            result = .success(try await pending.value)
        } catch {
            result = .failure(ReturnCode(error))
        }
        await Task.yield()
        return result
    }

    static func hexadecimal(_ number: Int64) -> String {
        String(UInt64(bitPattern: number), radix: 16)
    }

    func sayTime() {
        let passed = (ContinuousClock.now - clock).components
        let milliseconds = passed.seconds * 1000 + passed.attoseconds / 1_000_000_000_000_000
        say("time = \(milliseconds) msec")
    }

    func sayStat(_ stat: Stat?) {
        guard let stat else {
            say("null")
            return
        }
        say("\tctime = \(LocalTime.c(milliseconds: stat.ctime))")
        say("\tczxid=\(Self.hexadecimal(stat.czxid.rawValue))")
        say("\tmtime=\(LocalTime.c(milliseconds: stat.mtime))")
        say("\tmzxid=\(Self.hexadecimal(stat.mzxid.rawValue))")
        let version = String(UInt32(bitPattern: stat.version), radix: 16)
        let aversion = String(UInt32(bitPattern: stat.aversion), radix: 16)
        say("\tversion=\(version)\taversion=\(aversion)")
        say("\tephemeralOwner = \(Self.hexadecimal(stat.ephemeralOwner))")
    }
}

/// The C client's number for a failure.
struct ReturnCode: Error {
    let number: Int32

    init(_ error: ClientError) {
        number =
            switch error.code {
            case .refused(let reason): reason.rawValue
            case .refusedWithUnknownCode(let code): code
            case .connectionLost: ZooKeeperError.connectionLoss.rawValue
            case .timedOut: ZooKeeperError.operationTimeout.rawValue
            case .sessionExpired: ZooKeeperError.sessionExpired.rawValue
            case .authenticationFailed: ZooKeeperError.authFailed.rawValue
            case .invalidArgument: ZooKeeperError.badArguments.rawValue
            case .queueFull: ZooKeeperError.systemError.rawValue
            case .protocolViolation: ZooKeeperError.marshallingError.rawValue
            // ZCLOSING, ZINVALIDSTATE's neighbour, which no server sends.
            case .closed, .cancelled: -116
            }
    }
}

extension SessionState {
    fileprivate var cName: String? {
        switch self {
        case .connecting: nil
        case .connected, .reconnected: "CONNECTED_STATE"
        case .readOnly: "READONLY_STATE"
        case .suspended: "CONNECTING_STATE"
        case .expired: "EXPIRED_SESSION_STATE"
        case .closed: nil
        case .authenticationFailed: "AUTH_FAILED_STATE"
        }
    }
}

extension WatchEvent.Kind {
    fileprivate var cName: String {
        switch self {
        case .created: "CREATED_EVENT"
        case .deleted: "DELETED_EVENT"
        case .dataChanged: "CHANGED_EVENT"
        case .childrenChanged, .resync: "CHILD_EVENT"
        }
    }
}
