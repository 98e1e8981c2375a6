import Synchronization

/// A value on its way to the one task that waits for it.
///
/// The task waits as a job of this executor. Whoever brings the value runs the job, which does no
/// more than to take the value and to line up for the task's own actor. So tasks of one actor get
/// there in the order in which they are given their values. With continuations they would not: what
/// is resumed goes to the global executor first, and there one task overtakes another.
actor Handover<Value: Sendable>: SerialExecutor {
    private enum State {
        case new
        case awaited(UnownedJob)
        case given(Value)
    }

    private nonisolated let state = Mutex(State.new)

    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe asUnownedSerialExecutor() }

    /// Waits for the value.
    var value: Value {
        state.withLock { state in
            guard case .given(let value) = state else {
                preconditionFailure("nobody runs here before the value is given")
            }
            return value
        }
    }

    /// Once, from any thread, which must not hold a lock that the task's actor could want.
    nonisolated func give(_ value: Value) {
        let job = state.withLock { state -> UnownedJob? in
            defer { state = .given(value) }
            switch state {
            case .new: return nil
            case .awaited(let job): return job
            case .given: preconditionFailure("a value is given once")
            }
        }
        if let job { run(job) }
    }

    nonisolated func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let isGiven = state.withLock { state in
            switch state {
            case .new:
                state = .awaited(job)
                return false
            case .awaited: preconditionFailure("one task waits for a value")
            case .given: return true
            }
        }
        if isGiven { run(job) }
    }

    private nonisolated func run(_ job: UnownedJob) {
        unsafe job.runSynchronously(on: asUnownedSerialExecutor())
    }
}
