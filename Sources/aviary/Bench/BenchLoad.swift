import AviaryClient
import AviaryCore
import Synchronization

/// Keeps the servers busy until the time is over.
struct BenchLoad: Sendable {
    let plan: BenchPlan
    let recorder: BenchRecorder
    let nodes: BenchNodes
    let connections: [BenchConnection]
    /// When the warm-up began.
    let begin: Int64

    /// Returns when all that counts is answered; a task that is cancelled stops at once.
    func run() async {
        await withDiscardingTaskGroup { group in
            switch plan.workload {
            case .watch: group.addTask { await watchRounds() }
            case .connect:
                for slot in 0..<plan.connections { group.addTask { await openSessions(slot) } }
            default:
                for connection in connections {
                    group.addTask {
                        if let rate = plan.rate {
                            await ask(connection, at: rate)
                        } else {
                            await ask(connection)
                        }
                    }
                }
            }
        }
    }

    // MARK: As fast as the servers answer

    /// Replies come in the order of the requests, so that it is enough to wait for the oldest.
    private func ask(_ connection: BenchConnection) async {
        var random = SeededRandom(seed: UInt64(connection.index + 1))
        var flight = (0..<plan.depth).map { _ in
            (request: connection.issue(&random), begin: BenchClock.now())
        }
        var oldest = 0
        while !Task.isCancelled {
            guard await reply(to: flight[oldest].request, since: flight[oldest].begin) else {
                return
            }
            let now = BenchClock.now()
            if now >= recorder.window.upperBound { break }
            flight[oldest] = (connection.issue(&random), now)
            oldest = (oldest + 1) % flight.count
        }
        for index in 1..<max(1, flight.count) {
            let (request, begin) = flight[(oldest + index) % flight.count]
            guard await reply(to: request, since: begin) else { return }
        }
    }

    /// - Returns: false if the session is over.
    private func reply(to request: BenchRequest, since begin: Int64) async -> Bool {
        do throws(ClientError) {
            try await request.reply()
            recorder.succeeded(request.kind, since: begin)
            return true
        } catch {
            if error.code == .cancelled && Task.isCancelled { return false }
            recorder.failed(error, since: begin)
            return !error.isFinal
        }
    }

    // MARK: At a rate

    private struct Sent: Sendable {
        let request: BenchRequest
        /// When it should have been sent.
        let due: Int64
    }

    /// How many requests of one connection wait for their replies.
    private final class Outstanding: Sendable {
        private let count = Atomic<Int>(0)
        private let most: Int

        init(atMost most: Int) {
            self.most = most
        }

        var isFull: Bool { count.load(ordering: .relaxed) >= most }
        func add() { count.add(1, ordering: .relaxed) }
        func remove() { count.subtract(1, ordering: .relaxed) }
    }

    private func ask(_ connection: BenchConnection, at rate: Int) async {
        let (sent, continuation) = AsyncStream.makeStream(of: Sent.self)
        let outstanding = Outstanding(atMost: plan.mostOutstanding)
        await withDiscardingTaskGroup { group in
            group.addTask {
                for await one in sent {
                    _ = await reply(to: one.request, since: one.due)
                    outstanding.remove()
                }
            }
            await send(connection, at: rate, continuation, outstanding)
            continuation.finish()
        }
    }

    /// Sends what is due, whether or not there are replies.
    private func send(
        _ connection: BenchConnection, at rate: Int, _ sent: AsyncStream<Sent>.Continuation,
        _ outstanding: Outstanding
    ) async {
        var random = SeededRandom(seed: UInt64(connection.index + 1))
        var schedule = BenchSchedule(
            from: begin, rate: rate, turn: connection.index, of: plan.connections)
        let end = recorder.window.upperBound
        while schedule.due < end, !Task.isCancelled {
            let now = BenchClock.now()
            if now >= end { break }
            while schedule.due <= now, schedule.due < end, !outstanding.isFull {
                outstanding.add()
                sent.yield(Sent(request: connection.issue(&random), due: schedule.due))
                schedule.next()
            }
            do {
                let soon = BenchClock.now() + 1_000_000
                try await BenchClock.sleep(until: outstanding.isFull ? soon : schedule.due)
            } catch {
                return
            }
        }
        miss(schedule)
    }
}

extension BenchLoad {
    /// Tells of what a task was to do and did not begin.
    func miss(_ schedule: BenchSchedule) {
        if Task.isCancelled { return }
        var rest = schedule
        while rest.due < recorder.window.upperBound {
            recorder.missed(plan.operationsPerTurn, since: rest.due)
            rest.next()
        }
    }
}

/// When the requests of one of several tasks are due, which take turns.
struct BenchSchedule {
    private let begin: Int64
    private let rate: Double
    private let step: Int
    private var number: Int
    private(set) var due: Int64

    init(from begin: Int64, rate: Int, turn: Int, of step: Int) {
        self.begin = begin
        self.rate = Double(rate)
        self.step = step
        number = turn
        due = begin
        due = time(of: number)
    }

    mutating func next() {
        number += step
        due = time(of: number)
    }

    private func time(of number: Int) -> Int64 { begin + Int64(Double(number) * 1e9 / rate) }
}
