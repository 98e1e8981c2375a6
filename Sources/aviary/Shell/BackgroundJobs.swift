/// Work that goes on beside the commands, as printing a watch's events, in a task group that ends
/// with the shell.
@ShellActor
final class BackgroundJobs {
    typealias Job = @ShellActor @Sendable () async -> Void

    private let jobs: AsyncStream<Job>
    private let continuation: AsyncStream<Job>.Continuation

    nonisolated init() {
        (jobs, continuation) = AsyncStream.makeStream(of: Job.self)
    }

    func start(_ job: @escaping Job) { continuation.yield(job) }

    /// Runs what is started, until `body` is over; then all of it is cancelled.
    func run<Result: Sendable>(
        while body: @ShellActor @Sendable () async -> Result
    ) async -> Result {
        async let runner: Void = runJobs()
        let result = await body()
        continuation.finish()
        await runner
        return result
    }

    private func runJobs() async {
        await withDiscardingTaskGroup { group in
            // On the actor from its start: elsewhere it could be late for its event.
            for await job in jobs { group.addTask(operation: job) }
            group.cancelAll()
        }
    }
}
