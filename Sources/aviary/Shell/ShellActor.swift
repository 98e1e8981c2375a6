import NIOCore
import NIOPosix

/// Where all of a shell runs: on the thread that does the client's input and output.
///
/// Its queue keeps the order in which the client tells of things: an event that came before a reply
/// is printed before it. And a command that is asked for once wakes no second thread.
@globalActor
actor ShellActor {
    static let shared = ShellActor()
    static let eventLoops = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private static let loop = eventLoops.next()
    private static let executor = loop.executor

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        // It lives as long as the program.
        unsafe Self.executor.asUnownedSerialExecutor()
    }

    /// Runs the body here, and also what it awaits that would run anywhere.
    static func run<Result: Sendable>(
        _ body: @ShellActor @Sendable () async -> Result
    ) async -> Result {
        await withTaskExecutorPreference(LoopTaskExecutor(loop)) { await body() }
    }
}

/// Runs jobs on an event loop, in the order in which they come.
private final class LoopTaskExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) {
        self.loop = loop
    }

    func enqueue(_ job: consuming ExecutorJob) {
        // A job is run once, here, and the task that it is of keeps this executor.
        let job = UnownedJob(job)
        let executor = unsafe asUnownedTaskExecutor()
        loop.execute { unsafe job.runSynchronously(on: executor) }
    }
}
